#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# argv.bats - command lines of clients which are not here, or not in this
# release, word by word; and what those clients wait for

load lib

teardown() {
	exec {PIPE}<&- || :
	tracked_kill
	rm -rf "$BED/tmp/argv"
}

setup() {
	host mkdir "$BED/tmp/argv"
	cd "$BED/tmp/argv"
	exec {PIPE}</dev/null
}

# The daemons of the guest end with it.
guest_end() {
	kill -KILL "$GUEST"
	eventually no_pastas
}

@test "Podman 6.1 passes its options in another order, and reads a PID file" {
	guest_new
	host pasta --config-net --dns-forward 169.254.1.1 -t none -u none \
		-T none -U none --no-map-gw --quiet \
		--map-guest-addr 169.254.1.2 --pid "$PWD/pasta.pid" \
		--netns "/proc/$GUEST/ns/net" --userns "/proc/$GUEST/ns/user" \
		3>&- >out 2>&1
	[ ! -s out ]
	kill -0 "$(cat pasta.pid)"
	guest ip -br addr show eth0 | grep -q 10.77.0.1/24
	guest_end
}

# RootlessKit of 2026; that of Debian 13 leaves the interface to itself.
ROOTLESSKIT=(--stderr --ns-ifname=tap0 --mtu=65520 --config-net
	     --address=10.0.2.100 --netmask=24 --gateway=10.0.2.2
	     --dns-forward=10.0.2.3 --no-map-gw --ipv4-only --tcp-ports=auto
	     --udp-ports=auto --host-lo-to-ns-lo)

@test "RootlessKit asks for an option and the version" {
	host pasta --version
	host pasta --host-lo-to-ns-lo --version
}

@test "RootlessKit with a process id: the network is there, ports follow" {
	guest_new
	host pasta "${ROOTLESSKIT[@]}" "$GUEST" 3>&-
	guest ip -br addr show tap0 | grep -q 10.0.2.100/24
	[ "$(guest curl -sS http://10.77.0.3/)" = 'a page' ]
	tell_callers guest 7777
	[ "$(ask_soon tcp remote 10.77.0.1 7777)" = 10.77.0.3 ]
	ask_soon udp remote 10.77.0.1 7777
	tellers_end
	eventually not_listening host 7777
	guest_end
}

@test "RootlessKit: what is published on loopback is on loopback alone" {
	guest_new
	host pasta "${ROOTLESSKIT[@]}" --userns="/proc/$GUEST/ns/user" \
		--netns="/proc/$GUEST/ns/net" 3>&-
	start guest socat TCP4-LISTEN:7778,bind=127.0.0.1,fork,reuseaddr \
		'SYSTEM:read -r line; echo $SOCAT_PEERADDR'
	[ "$(ask_soon tcp host 127.0.0.1 7778)" = 127.0.0.1 ]
	not ask tcp remote 10.77.0.1 7778
	not ask tcp host 10.77.0.1 7778
	guest_end
}

@test "Lix: namespaces on descriptors 0 and 1, an interface that comes up" {
	guest_new
	start host bash -c 'exec -a pasta pasta "$@" <"/proc/$0/ns/net" \
		1<"/proc/$0/ns/user"' "$GUEST" \
		--quiet --foreground --config-net --gateway 169.254.1.1 \
		--address 169.254.1.2 --netmask 16 --dns-forward 169.254.1.1 \
		--gateway 64:ff9b:1:4b8e:472e:a5c8:a9fe:0101 \
		--address 64:ff9b:1:4b8e:472e:a5c8:a9fe:0102 \
		--dns-forward 64:ff9b:1:4b8e:472e:a5c8:a9fe:0101 \
		--ns-ifname eth0 --no-netns-quit --netns /proc/self/fd/0 \
		--userns /proc/self/fd/1
	eventually guest ip -br link show eth0 up
	eventually guest curl -sS http://10.77.0.3/
	[ "$(guest curl -sS 'http://[fd77::3]/')" = 'a page' ]
	kill -KILL "$STARTED"
	eventually no_pastas
}

@test "bubblejail: a user namespace's descriptor, and a pipe that means ready" {
	local line

	guest_new
	mkfifo ready
	chown "$BED_UID" ready
	exec {PIPE}<>ready
	start host bash -c 'exec 8<"/proc/$0/ns/user" 9>ready
		pasta --config-net --foreground \
			--userns "/proc/$$/fd/8" --pid "/proc/$$/fd/9" "$0" &
		trap "kill -TERM $!" TERM
		wait' "$GUEST"
	read -rt 10 -u "$PIPE" line
	[ "$line" -gt 1 ]
	[ "$(guest curl -sS http://10.77.0.3/)" = 'a page' ]
	kill -TERM "$STARTED"
	eventually no_pastas
}

@test "wrappers: a command in its sandbox, with its status and its input" {
	host pasta --config-net --quiet -- true
	run host pasta --config-net --quiet --no-map-gw \
		--dns-forward 169.254.1.1 -t none -u none -T none -U none -- \
		sh -c 'read -r line; curl -sS http://10.77.0.3/; exit $line' \
		<<<7
	echo "$output"
	[ "$status" = 7 ]
	[[ "$output" == *'a page'* ]]
	host pasta --config-net --quiet --map-host-loopback none \
		--map-guest-addr none --no-ra --search none -- true
}

# Starts passt in the background as it is told; waits for its end.
passt_as() {	# WORD...
	host passt "$@" 3>&- >out 2>&1 || { cat out; return 1; }
	kill -0 "$(cat pid)"
	[ -z "${SOCKET:-}" ] || host_root ss -Hlx | grep -qF "$SOCKET"
	kill -TERM "$(cat pid)"
	eventually no_pastas
	rm -f pid
}

@test "libguestfs: its command line, and its question" {
	host passt --help >/dev/null
	SOCKET=$PWD/s passt_as --one-off --socket "$PWD/s" --pid "$PWD/pid" \
		--address 169.254.2.15 --netmask 16 \
		--mac-addr 52:56:00:00:00:02 --gateway 169.254.2.2
}

@test "libvirt: ports as in its test" {
	host_root ip addr add 1.2.3.4/32 dev eth0
	host_root ip addr add 2001:db8:ac10:fd01::1:10/128 dev lo nodad
	SOCKET=$PWD/s passt_as --one-off --socket "$PWD/s" --pid "$PWD/pid" \
		--tcp-ports '2001:db8:ac10:fd01::1:10/2022:22,1050-1100,~1070,~1080-1090' \
		--udp-ports '1.2.3.4%eth0/5000-5020:6000-6020,~5010-5015' \
		--tcp-ports 8000 --tcp-ports 8443:344
	host_root ip addr del 1.2.3.4/32 dev eth0
	host_root ip addr del 2001:db8:ac10:fd01::1:10/128 dev lo
}

@test "QEMU from 10.1 on: all options its netdev has" {
	SOCKET=$PWD/s passt_as --quiet --mtu 1500 --address 192.0.2.9 \
		--netmask 24 --mac-addr 9a:55:9a:55:9a:66 --gateway 192.0.2.1 \
		--interface eth0 --outbound 10.77.0.1 --outbound-if4 eth0 \
		--outbound-if6 eth0 --dns 10.77.0.3 --fqdn vm.corp.example \
		--no-dhcp-dns --no-dhcp-search --map-host-loopback 192.0.2.3 \
		--map-guest-addr 192.0.2.4 --dns-forward 192.0.2.5 \
		--dns-host 10.77.0.3 --no-icmp --no-dhcp --no-ndp --no-dhcpv6 \
		--no-ra --freebind --search 'a.example b.example' \
		--tcp-ports 8000,8001:80 --udp-ports 8000 \
		--pid "$PWD/pid" --socket "$PWD/s"
}

@test "qemus: options of its script, the user's own ids among them" {
	SOCKET=$PWD/s passt_as -a 10.77.0.1 -g 10.77.0.2 -n 255.255.255.0 \
		-m 1500 -t 8000,8001 -u 8000 -H vm -M 9a:55:9a:55:9a:66 \
		--runas "$BED_UID:$BED_UID" -P "$PWD/pid" -s "$PWD/s" \
		-l "$PWD/log" -q
}

# All ports are those which are not for connecting from: here few, because
# descriptors may be.
@test "crun: all ports, and a launcher that ends well" {
	host_root sysctl -qw net.ipv4.ip_local_port_range='4096 65535'
	PIDFILE=$PWD/pid host python3 - <<-'END' 3>&-
	import os, socket, subprocess
	ours, theirs = socket.socketpair()
	subprocess.run(["passt", "-t", "all", "-u", "all", "--no-dhcp-dns",
	                "--no-map-gw", "--fd", str(theirs.fileno()),
	                "-P", os.environ["PIDFILE"]],
	               pass_fds=[theirs.fileno()], check=True,
	               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
	theirs.close()
	os.kill(int(open(os.environ["PIDFILE"]).read()), 0)
	END
	host_root sysctl -qw net.ipv4.ip_local_port_range='16384 65535'
	eventually no_pastas
}

# Of what the guest's kernel leaves to its device, cutting and checksums, this
# hypervisor does nothing: frames are as large as IP can have them, and as
# checksum there is what the pseudo-header adds up to.
@test "libkrun: frames beyond any MTU, with half a checksum, arrive whole" {
	start remote socat -u -b 70000 UDP6-RECV:7001,ipv6only=0 CREATE:got
	eventually eval 'remote ss -Hlun "sport = :7001" | grep -q .'
	SERVER=$PWD/s PIDFILE=$PWD/pid host python3 - <<-'END' 3>&-
	import ipaddress, os, socket, struct, subprocess, time

	def csum(data):
	    data += b"\0" * (len(data) % 2)
	    s = sum(struct.unpack("!%dH" % (len(data) // 2), data))
	    while s >> 16:
	        s = (s & 0xffff) + (s >> 16)
	    return s

	def frame(src, dst, payload):
	    src, dst = (ipaddress.ip_address(a).packed for a in (src, dst))
	    size = 8 + len(payload)
	    half = csum(src + dst + struct.pack("!HH", 17, size))
	    udp = struct.pack("!HHHH", 5555, 7001, size, half) + payload
	    if len(src) == 4:
	        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + size, 1, 0,
	                           64, 17, 0, src, dst)
	        head = head[:10] + struct.pack("!H", csum(head) ^ 0xffff) + head[12:]
	        kind = 0x0800
	    else:
	        head = struct.pack("!IHBB16s16s", 6 << 28, size, 17, 64, src, dst)
	        kind = 0x86dd
	    return (b"\x9a\x55" * 3 + b"\x52\x54\0\0\0\1" +
	            struct.pack("!H", kind) + head + udp)

	ours, theirs = socket.socketpair()
	subprocess.run(["passt", "-q", "--fd", str(theirs.fileno()),
	                "--no-dhcp-dns", "-P", os.environ["PIDFILE"]],
	               pass_fds=[theirs.fileno()], check=True)
	theirs.close()
	for f in (frame("10.77.0.1", "10.77.0.3", b"4" * 65507),
	          frame("fd77::1", "fd77::3", b"6" * 65527)):
	    ours.sendall(struct.pack("!I", len(f)) + f)
	os.kill(int(open(os.environ["PIDFILE"]).read()), 0)
	end = time.monotonic() + 10
	while time.monotonic() < end and (not os.path.exists("got") or
	                                  os.path.getsize("got") < 131034):
	    time.sleep(0.05)
	END
	[ "$(tr -d 6 <got | wc -c)" = 65507 ]
	[ "$(tr -d 4 <got | wc -c)" = 65527 ]
	eventually no_pastas
}

@test "by other names it is the same program" {
	cp /usr/local/bin/passt "$PWD/passt.avx2"
	cp /usr/local/bin/passt "$PWD/pasta.avx2"
	chmod 755 ./*.avx2
	host ./passt.avx2 --version | grep -q '^passt '
	host ./pasta.avx2 --version | grep -q '^pasta '
	host ./pasta.avx2 --config-net -q -- true
}
