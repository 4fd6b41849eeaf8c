#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# qemu.bats - virtual machines of QEMU, connected to passt's socket

load vm

export PIDFILE=$BED/tmp/passt.pid
SOCKET=$BED/tmp/passt.socket
CARD=virtio-net-pci,netdev=n,mac=52:54:00:12:34:56,romfile=

# The daemon in the background; PASST, its process id.
passt_start() {	# [OPTION]...
	rm -f "$PIDFILE"
	host passt -q -P "$PIDFILE" -s "$SOCKET" "$@" 3>&-
	PASST=$(cat "$PIDFILE")
	track "$PASST"
}

# The machine of most tests; one start serves them all.
setup_file() {
	vm_files
	passt_start -t 8080:80 -u 8081:7
	vm_start -device "$CARD" -netdev \
		"stream,id=n,server=off,addr.type=unix,addr.path=$SOCKET,reconnect-ms=200"
	vm_network
	vm 'mkdir /w; echo mine >/w/index.html; httpd -p [::]:80 -h /w'
	vm 'nc -u -l -p 7 -e cat &'
}
teardown_file() { tracked_kill; }

setup() { vm_attach; }
teardown() { tracked_kill; }

@test "the guest is given the host's addresses, routes, names and MTU" {
	vm ip addr show eth0 >"$BED/tmp/out"
	cat "$BED/tmp/out"
	grep -q 'inet 10.77.0.1/24' "$BED/tmp/out"
	grep -q 'inet6 fd77::' "$BED/tmp/out"
	grep -q 'mtu 65520' "$BED/tmp/out"
	vm ip route | grep -q 'default via 10.77.0.2'
	vm ip -6 route | grep -q 'default via fe80'
	vm cat /etc/resolv.conf | grep -qx 'nameserver 10.77.0.3'
	vm cat /etc/resolv.conf | grep -qx 'search corp.example'
}

@test "the guest reaches the network, and what it fetches is whole" {
	vm_reaches_the_network
	vm 'wget -qO - http://remote.corp.example/large | sha256sum' |
		grep -q "^$(sha256sum <"$BED/tmp/web/large" | cut -d' ' -f1)"
}

@test "the guest is reached by forwarded ports" {
	vm_is_reached_by_port_8080
}

@test "passt started again on its socket is found by QEMU, and serves" {
	for signal in TERM KILL; do
		kill -$signal "$(cat "$PIDFILE")"
		eventually gone "$(cat "$PIDFILE")"
		passt_start -t 8080:80
		vm_soon 'wget -T 2 -qO - http://10.77.0.3/'
		vm_soon 'wget -T 2 -qO - http://[fd77::3]/'
		[ "$(remote curl -sS -m 10 http://10.77.0.1:8080/)" = mine ]
	done
}

@test "with --one-off it ends with the machine, even with one that is killed" {
	SOCKET=$BED/tmp/one-off.socket PIDFILE=$BED/tmp/one-off.pid
	passt_start --one-off
	start host qemu-system-x86_64 -M none -nodefaults -display none -S \
		-netdev "stream,id=n,server=off,addr.type=unix,addr.path=$SOCKET"
	eventually qemu_connected
	not gone "$PASST"
	kill -KILL "$STARTED"
	eventually gone "$PASST"
}
qemu_connected() { host_root ss -Hx state connected | grep -q "$SOCKET"; }

@test "a socket somebody listens on is refused, one left over is replaced" {
	SOCKET=$BED/tmp/taken.socket PIDFILE=$BED/tmp/taken.pid
	passt_start
	run host passt -s "$SOCKET" 3>&-
	[ "$status" = 1 ]
	[[ "$output" == *"$SOCKET already in use"* ]]
	kill -KILL "$PASST"
	eventually gone "$PASST"
	passt_start
}

@test "on an inherited descriptor the guest has the network, until it ends" {
	PIDFILE=$BED/tmp/fd.pid
	VM_WITH=(env "PIDFILE=$PIDFILE" "$BATS_TEST_DIRNAME/vm-with-fd")
	vm_start -device "$CARD" -netdev stream,id=n,addr.type=fd,addr.str=@FD@
	vm_network
	[ "$(vm wget -qO - http://10.77.0.3/)" = 'a page' ]
	[ "$(vm wget -qO - 'http://[fd77::3]/')" = 'a page' ]
	track "$(cat "$PIDFILE")"
	kill -KILL "$VM"
	eventually gone "$(cat "$PIDFILE")"
}

@test "QEMU starts passt itself with -netdev passt" {
	VM_MACHINE[0]=/opt/qemu/usr/bin/qemu-system-x86_64
	VM_MACHINE+=(-L /opt/qemu/usr/share/qemu -L /opt/qemu/usr/share/seabios)
	vm_start -device "$CARD" -netdev passt,id=n
	vm_network
	[ "$(vm wget -qO - http://10.77.0.3/)" = 'a page' ]
}
