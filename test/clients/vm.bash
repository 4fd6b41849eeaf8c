# SPDX-License-Identifier: GPL-2.0-or-later
# vm.bash - virtual machines for the tests with QEMU and libvirt
#
#	vm_files			makes VM_KERNEL and VM_INITRD, once
#	vm_start OPTION...		QEMU in the background, with a console;
#					VM_WITH, words to put in front
#	vm CMD...			in its shell: status and output are its
#	vm_network			configure eth0 by DHCP and advertisements
#	vm_reaches_the_network		by name, both families, echo
#	vm_is_reached_by_port_8080	from afar and from the host
#
# Debian's own kernel with a busybox as its only program. Its console is a pair
# of pipes, on which its shell takes a line and marks the end of each answer.

# shellcheck shell=bash disable=SC2034,SC2154

# shellcheck source=test/clients/lib.bash
source "${BASH_SOURCE[0]%/*}/lib.bash"

VM_KERNEL=$BED/tmp/vm.kernel VM_INITRD=$BED/tmp/vm.initrd

vm_modules() {	# FOLDER
	local name

	for name in net/core/failover drivers/net/net_failover \
		    drivers/net/virtio_net; do
		xz -dc /usr/lib/modules/*/kernel/$name.ko.xz \
			>"$1/${name##*/}.ko"
	done
}

vm_files() {
	local tree=$BED/tmp/vm.tree name

	[ ! -e "$VM_INITRD" ] || return 0
	mkdir -p "$tree"/{bin,dev,etc,proc,sys,tmp}
	cp /usr/bin/busybox "$tree/bin"
	for name in $(busybox --list | grep -vx busybox); do
		ln -s busybox "$tree/bin/$name"
	done
	vm_modules "$tree"
	install -m 755 "${BASH_SOURCE[0]%/*}/vm-init" "$tree/init"
	install -m 755 "${BASH_SOURCE[0]%/*}/vm-dhcp" "$tree/bin/dhcp"
	(cd "$tree" && find . | cpio -o -H newc --quiet) >"$VM_INITRD"
	cp /boot/vmlinuz-* "$VM_KERNEL"
	chmod 644 "$VM_KERNEL" "$VM_INITRD"
}

VM_WITH=()
VM_MACHINE=(qemu-system-x86_64 -M q35 -accel tcg -cpu max -m 192
	    -nodefaults -no-reboot -display none -kernel "$VM_KERNEL"
	    -initrd "$VM_INITRD" -append 'console=ttyS0 quiet panic=-1')

vm_console() {
	rm -f "$BED/tmp/vm."{in,out}
	mkfifo "$BED/tmp/vm.in" "$BED/tmp/vm.out"
	chown "$BED_UID" "$BED/tmp/vm."{in,out}
	vm_attach
}

# In each test that uses a machine which was started before it.
vm_attach() {
	exec {VM_IN}<>"$BED/tmp/vm.in" {VM_OUT}<>"$BED/tmp/vm.out"
}

# Until the shell's mark, whatever becomes of the output: the next answer has to
# begin at its beginning.
vm_answer() {
	local line text='' status=none

	while [ "$status" = none ]; do
		IFS= read -rt $((60 * BED_DEADLINE)) -u "$VM_OUT" line || {
			echo 'no answer from the virtual machine' >&2
			return 1
		}
		line=${line%$'\r'}
		case $line in
		'=== '*) status=${line#=== } ;;
		*) text+=$line$'\n' ;;
		esac
	done
	printf %s "$text"
	return "$status"
}

vm() {
	printf '%s\n' "$*" >&"$VM_IN"
	vm_answer
}

vm_start() {
	vm_files
	vm_console
	start host "${VM_WITH[@]}" "${VM_MACHINE[@]}" \
		-chardev "pipe,id=console,path=$BED/tmp/vm" \
		-serial chardev:console "$@"
	VM=$STARTED
	vm_answer
}

vm_network() {
	vm udhcpc -q -n -t 5 -T 3 -O staticroutes -i eth0 -s /bin/dhcp
	vm_soon 'ip -6 addr show dev eth0 scope global | grep -q inet6'
	vm_soon '! ip -6 addr show dev eth0 | grep -q tentative'
}

vm_soon() {
	vm "for i in 1 2 3 4 5 6 7 8 9 10; do { $1; } && break; sleep 1; done; $1"
}

vm_reaches_the_network() {
	local at

	for at in remote.corp.example 10.77.0.3 '[fd77::3]'; do
		[ "$(vm wget -qO - "http://$at/")" = 'a page' ]
	done
	vm ping -c 2 -W 5 10.77.0.3
	vm ping -6 -c 2 -W 5 fd77::3
}

vm_is_reached_by_port_8080() {
	local family

	for family in 4 6; do
		echo "IPv$family"
		[ "$(remote curl -sS -m 10 \
			"http://$(bracketed ${HOST[$family]}):8080/")" = mine ]
		[ "$(host curl -sS -m 10 \
			"http://$(bracketed ${LOOPBACK[$family]}):8080/")" = mine ]
	done
}
