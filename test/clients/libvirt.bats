#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# libvirt.bats - a session's virtual machine with <backend type='passt'/>

load vm

virsh() { host virsh -q -c qemu:///session "$@" 3>&-; }

RUN=/run/user/$BED_UID/libvirt/qemu/run/passt

# The machine on standard output; $1 goes into its interface.
domain() {
	cat <<-END
	<domain type='qemu'>
	  <name>guest</name>
	  <memory unit='MiB'>192</memory>
	  <os>
	    <type arch='x86_64' machine='q35'>hvm</type>
	    <kernel>$VM_KERNEL</kernel>
	    <initrd>$VM_INITRD</initrd>
	    <cmdline>console=ttyS0 quiet panic=-1</cmdline>
	  </os>
	  <features><acpi/></features>
	  <cpu mode='maximum'/>
	  <on_reboot>destroy</on_reboot>
	  <devices>
	    <emulator>/usr/bin/qemu-system-x86_64</emulator>
	    <interface type='user'>
	      <backend type='passt'/>
	      <model type='virtio'/>
	      $1
	    </interface>
	    <serial type='pipe'><source path='$BED/tmp/vm'/></serial>
	    <memballoon model='none'/>
	  </devices>
	</domain>
	END
}

domain_start() {	# XML [OPTION]...
	vm_console
	domain "$1" >"$BED/tmp/domain.xml"
	virsh create "$BED/tmp/domain.xml" "${@:2}"
}

# The machine of most tests. Its IPv4 address is not the host's.
setup_file() {
	vm_files
	domain_start "<ip family='ipv4' address='192.0.2.5' prefix='24'/>
		<portForward proto='tcp'><range start='8080' to='80'/></portForward>
		<portForward proto='tcp' address='::1'>
			<range start='8090' end='8099'/>
			<range start='8095' exclude='yes'/>
		</portForward>
		<portForward proto='udp' address='10.77.0.1' dev='eth0'>
			<range start='8080' to='7'/>
		</portForward>"
	vm_answer
	vm_network
	vm 'mkdir /w; echo mine >/w/index.html; httpd -p [::]:80 -h /w'
}

# The session's daemons, which virsh started.
teardown_file() {
	virsh destroy guest || :
	for name in libvirtd virtlogd; do
		track "$(cat "/run/user/$BED_UID/libvirt/$name.pid")"
	done
	tracked_kill
}

setup() { vm_attach; }
teardown() { tracked_kill; }

passt_pid() { cat "$RUN"/*-guest-net0-passt.pid; }

@test "libvirt runs our program, with all that its XML says" {
	[ "$(readlink "/proc/$(passt_pid)/exe")" = /usr/local/bin/passt ]
	tr '\0' ' ' <"/proc/$(passt_pid)/cmdline" >"$BED/tmp/out"
	cat "$BED/tmp/out"
	grep -q '^passt --one-off --socket .*--address 192.0.2.5 ' \
		"$BED/tmp/out"
	host_root ss -Hltn | grep -F '[::1]:8090'
	host_root ss -Hltn | grep -F '[::1]:8099'
	host_root ss -Hltn | not grep -F ':8095'
	host_root ss -Hltn | grep -F '*:8080'
	host_root ss -Hlun | grep -F '10.77.0.1%eth0:8080'
}

@test "the guest has its addresses, and reaches the network" {
	vm ip addr show eth0 >"$BED/tmp/out"
	cat "$BED/tmp/out"
	grep -q 'inet 192.0.2.5/24' "$BED/tmp/out"
	grep -q 'inet6 fd77::' "$BED/tmp/out"
	grep -q 'mtu 65520' "$BED/tmp/out"
	vm_reaches_the_network
}

@test "the guest is reached by forwarded ports" {
	vm_is_reached_by_port_8080
}

@test "killed, passt is started again by libvirt, and the guest goes on" {
	local before

	before=$(passt_pid)
	kill -KILL "$before"
	eventually started_again "$before"
	vm_soon 'wget -T 2 -qO - http://10.77.0.3/'
	vm_soon 'wget -T 2 -qO - http://[fd77::3]/'
	[ "$(remote curl -sS -m 10 http://10.77.0.1:8080/)" = mine ]
}
started_again() {
	[ "$(passt_pid)" != "$1" ] && [ -e "/proc/$(passt_pid)" ]
}

@test "with the machine its passt ends, and frees the ports" {
	local pid

	pid=$(passt_pid)
	virsh destroy guest
	eventually gone "$pid"
	not_listening host 8080
	[ -z "$(ls "$RUN")" ]
}

@test "a port that is taken makes libvirt fail with the port and the reason" {
	start host socat TCP6-LISTEN:8080,ipv6only=0,reuseaddr -
	eventually listening host 8080
	run domain_start "<portForward proto='tcp'>
		<range start='8080' to='80'/></portForward>"
	echo "$output"
	[ "$status" != 0 ]
	[[ "$output" == *"passt"*"8080"*"Address already in use"* ]]
}
