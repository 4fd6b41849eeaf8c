# SPDX-License-Identifier: GPL-2.0-or-later
# Failures of start-up: status 1, one line with the reason and the remedy, word
# for word; no process and no file is left, in the foreground and in the
# background, as a user and as root.

# shellcheck disable=SC2030,SC2031

load lib
bats_require_minimum_version 1.5.0

setup() {
	DIR=$BED/tmp/errors
	mkdir -m 1777 "$DIR"
	cd "$DIR" || return
	NONE=(-t none -u none -T none -U none)
	USED=" (something else has that port)"
	LOW=" (ports below net.ipv4.ip_unprivileged_port_start need"
	LOW+=" CAP_NET_BIND_SERVICE)"
}
# What a test that failed has not put right would fail all others.
teardown() {
	cd /
	tracked_kill
	# shellcheck disable=SC2046
	nobody || kill -KILL $(pgrep -x 'pas.*') || :
	chmod 666 "$BED/tun"
	umount "$DIR"/* 2>/dev/null || :
	rm -rf "$DIR"
}

# CMD fails: with this line, leaving nothing that was not there, and nobody.
fails() {	# PLACE LINE CMD...
	local place=$1 line=$2 before

	before=$(find "$DIR" -mindepth 1)
	run at "$place" timeout 10 "${@:3}" </dev/null 3>&-
	if [ "$status" != 1 ] || [ "$output" != "$line" ]; then
		printf '%s\n' "${*:3}" "status: $status" "said:   $output" \
			"wanted: $line"
		return 1
	fi
	[ "$(find "$DIR" -mindepth 1)" = "$before" ] ||
		{ echo "left:"; find "$DIR" -mindepth 1; return 1; }
	eventually nobody
}

nobody() { [ -z "$(pgrep -x 'pas.*')" ]; }

# The same for a virtual machine, with all the files there can be.
vm_fails() {	# PLACE LINE OPTION...
	local fg

	for fg in '' -f; do
		# shellcheck disable=SC2086
		fails "$1" "$2" passt $fg -q -P "$DIR/pid" -s "$DIR/socket" \
			--no-dhcp-dns "${@:3}"
	done
}

# And for a namespace.
ns_fails() {	# PLACE LINE OPTION...
	local fg

	for fg in '' -f; do
		# shellcheck disable=SC2086
		fails "$1" "$2" pasta $fg -q -P "$DIR/pid" "${NONE[@]}" "${@:3}"
	done
}

# --- ports ---

udp_taken() { host_root ss -Hlun "sport = :$1" | grep -q .; }

@test "a port that is taken" {
	for at in 0.0.0.0 127.0.0.1 10.77.0.1 :: ::1 fd77::1; do
		serve host "$at" 5001
		vm_fails host "cannot listen on TCP port 5001 of $at: Address already in use$USED" \
			-t "$at/5001"
		tracked_kill
	done
	start host socat -u UDP4-RECVFROM:5001,fork /dev/null
	eventually udp_taken 5001
	vm_fails host "cannot listen on UDP port 5001 of 0.0.0.0: Address already in use$USED" \
		-u 0.0.0.0/5001
	NONE=(-t none -T none -U none)
	ns_fails host "cannot listen on UDP port 5001 of 0.0.0.0: Address already in use$USED" \
		-u 0.0.0.0/5001 -- true
}

@test "a low port without the right to it" {
	vm_fails host "cannot listen on TCP port 80 of any address: Permission denied$LOW" \
		-t 80
	vm_fails host "cannot listen on UDP port 80 of ::1: Permission denied$LOW" \
		-u ::1/80
	NONE=(-t none -T none -U none)
	ns_fails host "cannot listen on UDP port 80 of any address: Permission denied$LOW" \
		-u 80 -- true
}

@test "an address or an interface that the host lacks" {
	vm_fails host "cannot listen on TCP port 8080 of 192.0.2.7: Cannot assign requested address (no interface has that address; see --freebind)" \
		-t 192.0.2.7/8080
	vm_fails host "cannot listen on TCP port 8080 of 2001:db8::7: Cannot assign requested address (no interface has that address; see --freebind)" \
		-t 2001:db8::7/8080
	vm_fails host "cannot listen on TCP port 8080 of any address on eth77: No such device (no such interface)" \
		-t %eth77/8080
	vm_fails host "Invalid interface name eth77: No such device; see 'ip link'" \
		-i eth77
	vm_fails host "Invalid interface name eth77: No such device; see 'ip link'" \
		-4 -i eth77
}

@test "an outbound interface without an address" {
	ip -n host link add bare77 type veth peer name bare78
	ip -n host link set bare77 addrgenmode none
	ip -n host link set bare77 up
	vm_fails host "--outbound-if4: bare77 has no IPv4 address to give to the guest; say which with --address" \
		--outbound-if4 bare77
	vm_fails host "--outbound-if6: bare77 has no IPv6 address to give to the guest; say which with --address" \
		--outbound-if6 bare77
	ip -n host link del bare77
}

# --- paths ---

@test "a socket path that cannot be had" {
	local s=$DIR/socket

	for fg in -q -fq; do
		fails host "Failed to bind UNIX domain socket: /no/such/socket: No such file or directory" \
			passt $fg -s /no/such/socket
		fails host "Failed to bind UNIX domain socket: /root/socket: Permission denied" \
			passt $fg -s /root/socket
	done
	echo kept >"$s"
	fails host "Failed to bind UNIX domain socket: $s: Address already in use (that file is not a socket)" \
		passt -s "$s"
	[ "$(cat "$s")" = kept ]
	rm "$s"
	start host socat "UNIX-LISTEN:$s,fork" /dev/null
	eventually test -S "$s"
	fails host "Socket path $s already in use" passt -s "$s"
}

@test "a socket that nobody listened on is replaced, and removed on failure" {
	python3 -c 'import socket, sys
socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$DIR/socket"
	chown "$BED_USER" "$DIR/socket"
	run -1 host passt -s "$DIR/socket" -t 80
	[ -z "$(ls "$DIR")" ]
}

@test "a descriptor that is no connected stream socket" {
	for fg in -q -fq; do
		fails host "--fd 77: Bad file descriptor (it is not open)" \
			passt $fg -F 77
		fails host "--fd 0: Socket operation on non-socket (it has to be a connected stream socket)" \
			passt $fg -F 0
		fails host "--fd 0: Transport endpoint is not connected (it has to be a connected stream socket)" \
			python3 -c 'import os, socket
s = socket.socket(); os.dup2(s.fileno(), 0)
os.execvp("passt", ["passt", "'$fg'", "-F", "0"])'
		fails host "--fd 0: Protocol wrong type for socket (it has to be a connected stream socket)" \
			python3 -c 'import os, socket
s = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
os.dup2(s[0].fileno(), 0)
os.execvp("passt", ["passt", "'$fg'", "-F", "0"])'
	done
}

@test "a log file, or a PID file, that cannot be opened" {
	for fg in -q -fq; do
		fails host "Couldn't open log file /no/such/log: No such file or directory" \
			passt $fg -l /no/such/log
		fails host "Couldn't open log file /etc/passwd: Permission denied" \
			passt $fg -l /etc/passwd
		fails host "Couldn't open log file $DIR: Is a directory" \
			passt $fg -l "$DIR"
		fails host "Couldn't open PID file /no/such/pid: No such file or directory" \
			passt $fg -P /no/such/pid
		fails host "Couldn't open PID file /etc/passwd: Permission denied" \
			passt $fg -P /etc/passwd
		fails host "Couldn't open PID file $DIR: Is a directory" \
			passt $fg -P "$DIR"
	done
}

@test "a capture file that cannot be opened is no reason not to start" {
	run -0 host pasta -q -p /no/such/pcap "${NONE[@]}" -- true
	[ "$output" = "Couldn't open capture file /no/such/pcap: No such file or directory" ]
}

# A block, which is taken.
full_disk() {
	mkdir "$DIR/full"
	mount -t tmpfs -o size=4k,mode=1777 tmpfs "$DIR/full"
	head -c 4096 /dev/zero >"$DIR/full/ballast"
}

@test "a full disk: the PID file is an error" {
	full_disk
	for fg in -q -fq; do
		fails host "Couldn't write PID file $DIR/full/pid: No space left on device" \
			passt $fg --no-dhcp-dns -s "$DIR/socket" \
			-P "$DIR/full/pid"
		fails host "Couldn't write PID file $DIR/full/pid: No space left on device" \
			pasta $fg "${NONE[@]}" -P "$DIR/full/pid" -- true
	done
}

@test "a full disk: log and capture do without" {
	full_disk
	run -0 host pasta -q -l "$DIR/full/log" "${NONE[@]}" -- true
	run -0 host pasta -q -p "$DIR/full/pcap" "${NONE[@]}" -- true
	[ "$output" = "Couldn't open capture file $DIR/full/pcap: No space left on device" ]
}

@test "what failed is in the log file too, which stays" {
	run -1 host passt -q -l "$DIR/log" -t 80
	grep -qF "cannot listen on TCP port 80 of any address: Permission denied$LOW" \
		"$DIR/log"
}

# --- namespaces ---

@test "a namespace that is not there, or none" {
	ns_fails host "Couldn't open network namespace /run/netns/none: No such file or directory (see 'ip netns', or 'ps')" \
		--netns none
	ns_fails host "Couldn't open network namespace /no/such: No such file or directory (see 'ip netns', or 'ps')" \
		--netns /no/such
	ns_fails host "Couldn't open network namespace /proc/4194303/ns/net: No such file or directory (see 'ip netns', or 'ps')" \
		4194303
	ns_fails host "Couldn't enter network namespace /etc/passwd: Invalid argument (this is not a network namespace)" \
		--netns /etc/passwd
	ns_fails host "Couldn't open user namespace /no/such: No such file or directory (no such process, or file)" \
		--userns /no/such -- true
	ns_fails host "Couldn't enter user namespace /etc/passwd: Invalid argument (this is not a user namespace)" \
		--userns /etc/passwd -- true
	ns_fails host "Couldn't open user namespace /proc/1/ns/user: Permission denied (it belongs to another user)" \
		1
	ns_fails host "Couldn't enter network namespace $BED_HOST: Operation not permitted (give the user namespace that owns it, with --userns)" \
		--netns "$BED_HOST"
}

@test "a pipe is not a namespace, and nobody waits for it" {
	mkfifo -m 666 "$DIR/fifo"
	ns_fails host "Couldn't enter network namespace $DIR/fifo: Invalid argument (this is not a network namespace)" \
		--netns "$DIR/fifo"
	ns_fails host "Couldn't enter user namespace $DIR/fifo: Invalid argument (this is not a user namespace)" \
		--userns "$DIR/fifo" -- true
}

@test "a namespace in a directory that is not ours to look at" {
	mkdir -m 700 "$DIR/closed" "$DIR/closed/of"
	touch "$DIR/closed/of/netns"
	ns_fails host "netns dir open: Permission denied, exiting" \
		--netns "$DIR/closed/of/netns"
}

@test "a namespace that ends while we start" {
	guest_new
	mkfifo -m 666 "$DIR/fifo"
	# Waits at the PID file, which is opened first.
	start host pasta -q -f "${NONE[@]}" -P "$DIR/fifo" "$GUEST"
	kill -KILL "$GUEST"
	eventually gone "$GUEST"
	cat "$DIR/fifo" >"$DIR/pid" &
	eventually gone "$STARTED"
	[ ! -s "$DIR/pid" ]
}

@test "user namespaces that are not allowed" {
	local off='echo 0 >/proc/sys/user/max_user_namespaces'
	local why="Couldn't create user namespace: No space left on device"

	why+=' (as many as user.max_user_namespaces allows, or none are allowed)'
	for fg in -q -fq; do
		fails host "$why" unshare -r sh -c \
			"$off; exec pasta $fg ${NONE[*]} -P $DIR/pid -- true"
	done
	off=${off/user_name/net_name}
	why="Couldn't create network namespace: No space left on device"
	why+=' (as many as user.max_net_namespaces allows, or none are allowed)'
	fails host "$why" unshare -r sh -c \
		"$off; exec pasta -q ${NONE[*]} -P $DIR/pid -- true"
}

@test "a tap device that is missing, denied, or taken" {
	local no="Couldn't open /dev/net/tun:"

	guest_new
	chmod 600 "$BED/tun"
	ns_fails host "$no Permission denied (it must be writable to this user)" \
		-- true
	ns_fails host "$no Permission denied (it must be writable to this user)" \
		"$GUEST"
	chmod 666 "$BED/tun"
	mount -t tmpfs tmpfs /dev/net
	run ns_fails host "$no No such file or directory (load the module tun, or give the container that device)" \
		"$GUEST"
	umount /dev/net
	echo "$output"
	[ "$status" = 0 ]
	ns_fails host "Couldn't create interface lo (TUNSETIFF): Invalid argument (there is another one of that name; choose one with --ns-ifname)" \
		-I lo "$GUEST"
}

@test "an interface that another process provides" {
	guest_new
	pasta_start -I tap7
	run -1 host pasta -q "${NONE[@]}" -P "$DIR/pid" -I tap7 "$GUEST"
	[ "$output" = "Couldn't create interface tap7 (TUNSETIFF): Device or resource busy (another process provides it)" ]
	[ ! -e "$DIR/pid" ]
}

@test "ping that is not allowed is no reason not to start" {
	nsenter --net="$BED_HOST" sysctl -qw \
		net.ipv4.ping_group_range='1 0'
	run -0 host pasta -q "${NONE[@]}" -- true
	nsenter --net="$BED_HOST" sysctl -qw \
		net.ipv4.ping_group_range='0 2147483647'
	[ -z "$output" ]
}

# --- identity ---

@test "identities that do not exist, or that we may not take" {
	local getent="give one of 'getent"

	for as in host host_root; do
		vm_fails $as "--runas: there is no user 'nobody-at-all'; $getent passwd', or a number" \
			--runas nobody-at-all
		vm_fails $as "--runas: there is no group 'none-at-all'; $getent group', or a number" \
			--runas "$BED_USER:none-at-all"
		vm_fails $as "--runas: 'root' is root; if that is meant, say 0" \
			--runas root
	done
	vm_fails host "Couldn't set GID to 0: Operation not permitted (only root can be somebody else; see --runas)" \
		--runas 0
	vm_fails host "Couldn't set UID to 12345: Operation not permitted (only root can be somebody else; see --runas)" \
		--runas "12345:$BED_UID"
}

@test "as root, what fails after the change of identity leaves nothing" {
	local why="Couldn't enter network namespace /etc/passwd: Invalid argument"

	why+=' (this is not a network namespace)'
	ns_fails host_root "$why" --runas "$BED_USER" --netns /etc/passwd
	chmod 700 "$DIR"
	ns_fails host_root "$why" --runas "$BED_USER" --netns /etc/passwd
	serve host 0.0.0.0 5001
	vm_fails host_root "cannot listen on TCP port 5001 of 0.0.0.0: Address already in use$USED" \
		-t 0.0.0.0/5001
}

# --- and the ends of those who start ---

# In the agent's first system call for the tap, a second long.
start_slowly() {	# OPTION...
	start host strace -qq -f -o /dev/null -e trace=ioctl \
		-e inject=ioctl:delay_enter=1000000:when=1 \
		pasta -q "${NONE[@]}" -P "$DIR/pid" "$@"
	eventually test -e "$DIR/pid"
	eventually pgrep -x pasta-agent
}

@test "who is killed while starting leaves no file" {
	guest_new
	start_slowly -f "$GUEST"
	pkill -KILL -o -x pasta
	eventually test ! -e "$DIR/pid"
	eventually nobody
}

@test "SIGTERM while a daemon is starting leaves neither file nor daemon" {
	guest_new
	start_slowly "$GUEST"
	pkill -TERM -o -x pasta
	eventually nobody
	[ ! -e "$DIR/pid" ]
}

@test "SIGTERM before the command is executed: it never is" {
	start_slowly -- touch "$DIR/executed"
	pkill -TERM -o -x pasta
	eventually nobody
	[ ! -e "$DIR/executed" ]
}
