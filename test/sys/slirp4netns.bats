# SPDX-License-Identifier: GPL-2.0-or-later
# What knows slirp4netns only runs on pasta: contrib/slirp4netns, in many tests
# side by side with the program of that name.

# shellcheck disable=SC2016,SC2030,SC2031,SC2094,SC2317

load lib

THEIRS=/usr/bin/slirp4netns
BOTH=(slirp4netns "$THEIRS")

setup() {
	API=$(mktemp -u "$BED/tmp/api.XXXXXX")
	PROGRAM=slirp4netns
	guest_new
}
teardown() {
	tracked_kill
	umount "$BED/tmp/netns" 2>/dev/null || :
	rm -f "$BED/tmp/netns"
}

not() { if "$@"; then return 1; fi; }

# --- starting it ---

# In the background, until it says that it is ready. Sets SLIRP; what it prints
# goes to $BED/tmp/out.
started() {	# ARGUMENT...
	started_at host "$@"
}
started_at() {	# PLACE ARGUMENT...
	local fifo=$BED/tmp/ready place=$1 byte

	shift
	mkfifo "$fifo"
	exec {ready}<>"$fifo"
	rm "$fifo"
	start "$place" "$PROGRAM" -r 9 "$@" 9>&$ready >"$BED/tmp/out" \
		2>"$BED/tmp/err"
	SLIRP=$STARTED
	read -rn 1 -t "$DEADLINE_S" -u "$ready" byte ||
		{ cat "$BED/tmp/err"; return 1; }
	exec {ready}<&-
	[ "$byte" = 1 ]
}

ended() {
	kill -TERM "$SLIRP"
	eventually gone "$SLIRP"
	eventually no_tap
}

no_tap() { not guest ip link show tap0 2>/dev/null; }
no_pasta() { not pgrep -x -u "$BED_USER,nobody" 'pasta|pasta-agent'; }

# Another guest, in which nothing is left of the last one.
guest_again() {
	kill -KILL "$SLIRP" "$GUEST" 2>/dev/null || :
	eventually gone "$SLIRP"
	eventually gone "$GUEST"
	rm -f "$API"
	guest_new
}

# --- traffic, to a place from the guest and back ---

answers_udp() {	# PLACE PORT
	start "$1" load userve :: "$2"
}
reached() { $1 timeout 3 load crr -c 1 "$2" "$3" >/dev/null; }
answered() {
	[ "$(field ops "$($1 timeout 3 load urr -t 0.1 "$2" "$3")")" -gt 0 ]
}
refused() { [[ $($1 load crr -c 1 "$2" "$3") == *refused=1* ]]; }

# --- its API ---

ask() {	# REQUEST...
	local request

	for request; do
		printf %s "$request" |
			host timeout 5 socat -t 5 - "UNIX-CONNECT:$API"
		echo
	done
}
hostfwd() {	# MEMBERS of an object
	ask "{\"execute\": \"add_hostfwd\", \"arguments\": {$1}}"
}
forward() {	# PROTO HOST-ADDR HOST-PORT GUEST-PORT: prints its number
	hostfwd "\"proto\": \"$1\", \"host_addr\": \"$2\",
		\"host_port\": $3, \"guest_port\": $4" | jq -e .return.id
}
unforward() {	# ID
	[ "$(ask "{\"execute\": \"remove_hostfwd\",
		\"arguments\": {\"id\": $1}}")" = '{"return":{}}' ]
}
forwards() { ask '{"execute": "list_hostfwd"}'; }

# --- the network ---

@test "the namespace is configured as by slirp4netns" {
	for PROGRAM in "${BOTH[@]}"; do
		started -c --mtu=4242 --macaddress=02:00:00:00:00:07 \
			--cidr=192.168.9.128/25 "$GUEST" tap0
		{
			guest ip -j addr show dev tap0 | jq -c '.[] |
				.mtu, .address, (.flags | contains(["UP"])),
				(.addr_info[] | select(.family == "inet") |
					.local, .prefixlen)'
			guest ip route show default
			guest ip -j addr show dev lo | jq '.[].addr_info[].local'
		} >"$BED/tmp/${PROGRAM##*/}.$([ "$PROGRAM" = $THEIRS ]; echo $?)"
		guest_again
	done
	cat "$BED/tmp/slirp4netns.1"
	grep -qx '"192.168.9.228"' "$BED/tmp/slirp4netns.1"
	diff "$BED/tmp/slirp4netns.0" "$BED/tmp/slirp4netns.1"
}

# The one address that pasta's DHCP gives is the recommended one.
@test "what it prints is what slirp4netns prints, with its own range of DHCP" {
	for options in '' '-c -m 65520 --cidr 10.9.0.0/16 --disable-dns' \
			'--disable-host-loopback -c --macaddress 02:00:00:00:00:01'; do
		# shellcheck disable=SC2086
		started $options -a "$API" "$GUEST" tap0
		mv "$BED/tmp/out" "$BED/tmp/ours"
		guest_again
		# It buffers what it prints, and prints all of it when it ends.
		# shellcheck disable=SC2086
		host timeout 5 $THEIRS $options -a "$API" -e 8 "$GUEST" tap0 \
			8< <(:) >"$BED/tmp/theirs" 2>/dev/null
		diff <(sed 's/^\(\* DHCP [a-z]*: *\).*/\1/' "$BED/tmp/theirs") \
			<(sed 's/^\(\* DHCP [a-z]*: *\).*/\1/' "$BED/tmp/ours")
		[ "$(awk '/DHCP/ { print $4 }' "$BED/tmp/ours" | uniq)" = \
		  "$(awk '/Recomm/ { print $4 }' "$BED/tmp/ours")" ]
		guest_again
	done
}

@test "the gateway answers, the world is reached by TCP and UDP" {
	serve remote :: 7000
	answers_udp remote 7001
	for PROGRAM in "${BOTH[@]}"; do
		started -c "$GUEST" tap0
		guest ping -qc 1 -W 5 10.0.2.2
		reached guest "${REMOTE[4]}" 7000
		eventually answered guest "${REMOTE[4]}" 7001
		guest_again
	done
	PROGRAM=slirp4netns
	started -c -6 "$GUEST" tap0
	for family in 4 6; do
		reached guest "${REMOTE[$family]}" 7000
		answered guest "${REMOTE[$family]}" 7001
	done
	guest ping -qc 1 -W 5 fd00::2
	guest ping -qc 1 -W 5 "${REMOTE[6]}"
}

@test "without -6 there is no IPv6" {
	started -c "$GUEST" tap0
	[ -z "$(guest ip -6 route show default)" ]
	[ -z "$(guest ip -6 addr show scope global dev tap0)" ]
}

resolves() {	# ADDRESS [OPTION]...
	[ "$(guest dig +time=1 +tries=1 +short "@$1" "${@:2}" who.test a)" = \
	  192.0.2.9 ]
}

@test "names are resolved at the third address, unless that is not wanted" {
	start remote_root dnsmasq -k -u root -g root -C /dev/null -R -h -x '' \
		--bind-interfaces -a "${REMOTE[4]}" \
		--host-record=who.test,192.0.2.9
	for PROGRAM in "${BOTH[@]}"; do
		started -c "$GUEST" tap0
		eventually resolves 10.0.2.3
		resolves 10.0.2.3 +tcp
		ended
		started -c --cidr 10.3.0.0/16 "$GUEST" tap0
		eventually resolves 10.3.0.3
		ended
		started -c --disable-dns "$GUEST" tap0
		not resolves 10.0.2.3
		ended
	done
}

@test "the host's loopback is at the gateway, unless that is not wanted" {
	local private

	serve host "${LOOPBACK[4]}" 7000
	private=$SERVER
	serve host "${LOOPBACK[6]}" 7000
	for PROGRAM in "${BOTH[@]}"; do
		started -c "$GUEST" tap0
		reached guest 10.0.2.2 7000
		ended
		started -c --disable-host-loopback "$GUEST" tap0
		not reached guest 10.0.2.2 7000
		ended
	done
	PROGRAM=slirp4netns
	started -c -6 "$GUEST" tap0
	reached guest fd00::2 7000
	ended
	started -c -6 --disable-host-loopback "$GUEST" tap0
	not reached guest fd00::2 7000
	not reached guest 10.0.2.2 7000
	[ -e "/proc/$private" ]
}

@test "connections come from the address or interface that was asked for" {
	for family in 4 6; do
		start remote socat "TCP$family-LISTEN:7000,fork,reuseaddr,bind=$(
			bracketed "${REMOTE[$family]}")" \
			'SYSTEM:echo $SOCAT_PEERADDR'
	done
	eventually listening remote 7000

	started -c --outbound-addr="${HOST_EXTRA[4]}" "$GUEST" tap0
	[ "$(guest socat - "TCP:${REMOTE[4]}:7000")" = "${HOST_EXTRA[4]}" ]
	ended
	started -c --outbound-addr=eth0 "$GUEST" tap0
	[ "$(guest socat - "TCP:${REMOTE[4]}:7000")" = "${HOST[4]}" ]
	ended
	started -c -6 --outbound-addr6="${HOST_EXTRA[6]}" "$GUEST" tap0
	[[ "$(guest socat - "TCP:[${REMOTE[6]}]:7000")" == \[fd77:0009:*:0001\] ]]
	ended
	started -c -6 --outbound-addr6=eth0 "$GUEST" tap0
	[[ "$(guest socat - "TCP:[${REMOTE[6]}]:7000")" == \[fd77:0000:*:0001\] ]]
}

# --- where to ---

@test "a namespace by path, with its user namespace, by process with another" {
	touch "$BED/tmp/netns"
	mount --bind "/proc/$GUEST/ns/net" "$BED/tmp/netns"
	for PROGRAM in "${BOTH[@]}"; do
		for what in "--userns-path=/proc/$GUEST/ns/user $GUEST" \
			"--netns-type=pid $GUEST" \
			"--netns-type=path --userns-path /proc/$GUEST/ns/user \
				$BED/tmp/netns"; do
			# shellcheck disable=SC2086
			started -c $what tap0
			guest ping -qc 1 -W 5 10.0.2.2
			ended
		done
	done
}

@test "a path without a slash is a path" {
	touch "$BED/tmp/netns"
	mount --bind "/proc/$GUEST/ns/net" "$BED/tmp/netns"
	cd "$BED/tmp"
	started -c --netns-type=path "--userns-path=/proc/$GUEST/ns/user" netns \
		tap0
	guest ping -qc 1 -W 5 10.0.2.2
}

# Without -c the interface is somebody else's to configure: by DHCP for instance.
@test "what is not configured can be, by DHCP too" {
	started "$GUEST" tap0
	guest ip -j link show tap0 | jq -e '.[].flags | contains(["UP"]) | not'
	guest ip link set tap0 up
	echo 'echo "$1 $ip $subnet $router $dns $mtu" >>'"$BED/tmp/lease" \
		>"$BED/tmp/script"
	sed -i '1i#!/bin/sh' "$BED/tmp/script"
	chmod 755 "$BED/tmp/script"
	guest udhcpc -i tap0 -n -q -f -t 5 -s "$BED/tmp/script"
	grep -x 'bound 10.0.2.100 255.255.255.0 10.0.2.2 10.0.2.3 1500' \
		"$BED/tmp/lease"
}

# --- as others call it ---

# RootlessKit makes the interface, and configures it once the network is there.
@test "RootlessKit's command line" {
	serve remote :: 7000
	for PROGRAM in "${BOTH[@]}"; do
		guest ip tuntap add name tap0 mode tap
		guest ip link set tap0 up
		started --mtu 65520 --disable-host-loopback --enable-sandbox \
			--enable-seccomp --enable-ipv6 --cidr 10.0.2.0/24 \
			--api-socket "$API" "$GUEST" tap0
		guest ip addr add 10.0.2.100/24 dev tap0
		guest ip route add default via 10.0.2.2
		reached guest "${REMOTE[4]}" 7000
		serve guest :: 80
		eventually forward tcp 0.0.0.0 8080 80
		reached remote "${HOST[4]}" 8080
		reached host 127.0.0.1 8080
		guest_again
	done
}

# Podman runs it in its own user namespace, which owns the network namespace.
@test "Podman's command line" {
	serve remote :: 7000
	touch "$BED/tmp/netns"
	podman_place
	for PROGRAM in "${BOTH[@]}"; do
		mount --bind "/proc/$GUEST/ns/net" "$BED/tmp/netns"
		mkfifo "$BED/tmp/exit"
		exec {exit_fd}<>"$BED/tmp/exit"
		rm "$BED/tmp/exit"
		started_at podman --disable-host-loopback --mtu=65520 \
			--enable-sandbox --enable-seccomp --enable-ipv6 -c \
			-e 8 --api-socket "$API" --netns-type=path \
			"$BED/tmp/netns" tap0 8<&$exit_fd
		exec {exit_fd}<&-
		reached guest "${REMOTE[4]}" 7000
		serve guest :: 80
		eventually forward tcp 0.0.0.0 8080 80
		reached remote "${HOST[4]}" 8080
		umount "$BED/tmp/netns"
		guest_again
	done
}

podman_place() {
	eval "bed_$(declare -f place)"
	place() {
		bed_place "${1/#podman/host}"
		[ "$1" != podman ] || WORDS+=(nsenter -t "$GUEST" -U
					      --preserve-credentials)
	}
}

# --- beginning and end ---

@test "ready is told by one byte when all is there, and the end of the file" {
	mkfifo "$BED/tmp/ready"
	timeout 20 cat "$BED/tmp/ready" >"$BED/tmp/told" &
	start host slirp4netns -c -a "$API" -r 9 "$GUEST" tap0 \
		9>"$BED/tmp/ready" >"$BED/tmp/out"
	wait %%
	[ "$(cat "$BED/tmp/told")" = 1 ]
	rm "$BED/tmp/ready"
	guest ip route show default | grep -q tap0
	grep -q 'Starting slirp' "$BED/tmp/out"
	[ "$(forwards | jq -c .entries)" = '[]' ]
}

@test "anything that happens to the exit-fd ends it, and pasta" {
	local status

	for input in '' x; do
		status=0
		printf '%s' "$input" | host timeout 10 slirp4netns -c -e 0 \
			"$GUEST" tap0 >/dev/null || status=$?
		[ $status = 0 ]
		no_pasta
		eventually no_tap
	done
	mkfifo "$BED/tmp/exit"
	exec {exit_fd}<>"$BED/tmp/exit"
	rm "$BED/tmp/exit"
	started -c -e 8 "$GUEST" tap0 8<&$exit_fd
	guest ping -qc 1 -W 5 10.0.2.2
	echo >&$exit_fd
	eventually gone "$SLIRP"
	eventually no_pasta
}

@test "ended by a signal it is ended by that signal, and so is pasta" {
	local status

	for signal in TERM INT HUP; do
		status=0
		at host bash -c 'trap "" $1; trap - $1; slirp4netns -c "${@:2}" &
			until [ -s "$0" ]; do sleep .02; done
			kill -$1 $!; wait $!' "$BED/tmp/out.$signal" $signal \
			"$GUEST" tap0 >"$BED/tmp/out.$signal" || status=$?
		[ $status = $((128 + $(kill -l $signal))) ]
		no_pasta
		eventually no_tap
	done
}

@test "killed, it leaves no pasta and no folder behind, as root too" {
	for place in host host_root; do
		started_at $place -c -a "$API" "$GUEST" tap0
		pgrep -x pasta
		kill -KILL "$SLIRP"
		eventually no_pasta
		eventually no_tap
		not compgen -G '/tmp/slirp4netns.*'
		rm "$API"
	done
}

@test "it ends when the namespace does" {
	started -c -a "$API" "$GUEST" tap0
	kill -KILL "$GUEST"
	eventually gone "$SLIRP"
	eventually no_pasta
	[ ! -e "$API" ]
}

@test "its end leaves no socket, but that of a successor" {
	started -c -a "$API" "$GUEST" tap0
	rm "$API"
	start host socat "UNIX-LISTEN:$API" EXEC:cat
	eventually test -S "$API"
	ended
	[ -S "$API" ]
	rm "$API"
	started -c -a "$API" "$GUEST" tap0
	ended
	[ ! -e "$API" ]
}

@test "a socket left by one that was killed is taken over" {
	started -c -a "$API" "$GUEST" tap0
	kill -KILL "$SLIRP"
	eventually no_tap
	[ -S "$API" ]
	started -c -a "$API" "$GUEST" tap0
	forwards | jq -e .entries
}

# --- what is wrong ---

fails() {	# STATUS WORDS ARGUMENT...
	local want=$1 words=$2 status=0

	shift 2
	host timeout 10 slirp4netns "$@" >"$BED/tmp/out" 2>"$BED/tmp/err" ||
		status=$?
	cat "$BED/tmp/err"
	[ $status = "$want" ]
	grep -qF -- "$words" "$BED/tmp/err"
	no_pasta
}

@test "what is wrong is said, and the status is 1" {
	touch "$BED/tmp/file"
	fails 1 'MTU must be a positive integer' -m 0 "$GUEST" tap0
	fails 1 'MTU must be a positive integer' -m 65522 "$GUEST" tap0
	fails 1 'MTU must be a positive integer' --mtu= "$GUEST" tap0
	fails 1 'invalid CIDR: 10.0.2.0' --cidr=10.0.2.0 "$GUEST" tap0
	fails 1 'invalid CIDR: fd00::/64' --cidr=fd00::/64 "$GUEST" tap0
	fails 1 'prefix length needs to be 1-25' --cidr=10.0.2.0/26 "$GUEST" tap0
	fails 1 'needs to be a network address' --cidr=10.0.2.1/24 "$GUEST" tap0
	fails 1 'PID must be a positive integer' abc tap0
	fails 1 'PID must be a positive integer' 0 tap0
	fails 1 '/proc/99999999/ns/net' 99999999 tap0
	fails 1 'existing path expected' --netns-type=path /nonexistent tap0
	fails 1 '--netns-type must be' --netns-type=pod "$GUEST" tap0
	fails 1 "userns path doesn't exist" --userns-path=/none "$GUEST" tap0
	fails 1 'exit-fd must be a non-negative integer' -e -1 "$GUEST" tap0
	fails 1 'ready-fd must be a non-negative integer' -r x "$GUEST" tap0
	fails 1 '--exit-fd=77: Bad file descriptor' -e 77 "$GUEST" tap0
	fails 1 '-c is not specified' --macaddress=02:00:00:00:00:01 "$GUEST" tap0
	fails 1 'not a MAC address' -c --macaddress=bogus "$GUEST" tap0
	fails 1 'bess is not supported' --target-type=bess /tmp/socket
	fails 1 'neither an IPv4 address' --outbound-addr=none "$GUEST" tap0
	fails 1 'neither an IPv6 address' -6 --outbound-addr6=10.0.0.1 "$GUEST" tap0
	fails 1 'No such file' -a /nonexistent/socket "$GUEST" tap0
	fails 1 'Address already in use' -a "$BED/tmp/file" "$GUEST" tap0
	fails 1 'too long' -a "/tmp/$(printf '%0120d' 1)" "$GUEST" tap0
	fails 1 'is empty' -a '' "$GUEST" tap0
	fails 1 "invalid option -- 's'" -s "$GUEST" tap0
	[ -f "$BED/tmp/file" ]
	not compgen -G '/tmp/slirp4netns.*'
}

@test "usage and statuses are those of slirp4netns" {
	local a b

	for arguments in --help -h '' 1 --bogus '-m x 1 tap0' '-e -1 1 tap0' \
			 '--cidr x 1 tap0' '99999999 tap0' --version; do
		a=0 b=0
		# shellcheck disable=SC2086
		host slirp4netns $arguments >"$BED/tmp/a" 2>/dev/null || a=$?
		# shellcheck disable=SC2086
		host $THEIRS $arguments >"$BED/tmp/b" 2>/dev/null || b=$?
		echo "$arguments: $a $b"
		[ $a = $b ]
		[ "$arguments" = '99999999 tap0' ] ||
			diff <(head -n 1 "$BED/tmp/a") \
				<(head -n 1 "$BED/tmp/b" | sed "s|$THEIRS|slirp4netns|")
	done
	host slirp4netns --help | grep -o '^-.* --*[a-z0-9-]*\|^--[a-z0-9-]*' |
		grep -o -- '--[a-z0-9-]*' | sort >"$BED/tmp/a"
	host $THEIRS --help | grep -o '^-.* --*[a-z0-9-]*\|^--[a-z0-9-]*' |
		grep -o -- '--[a-z0-9-]*' | sort >"$BED/tmp/b"
	[ "$(wc -l <"$BED/tmp/a")" -ge 19 ]
	diff "$BED/tmp/a" "$BED/tmp/b"
}

@test "pasta is the one beside it, or in PATH; without, the status is 127" {
	local status=0

	mkdir "$BED/tmp/alone"
	cp "$BED/bin/slirp4netns" "$BED/tmp/alone"
	PROGRAM=$BED/tmp/alone/slirp4netns
	started -c "$GUEST" tap0
	ended

	host env PATH=/nonexistent "$PROGRAM" -c "$GUEST" tap0 \
		2>"$BED/tmp/err" || status=$?
	[ $status = 127 ]
	grep -q 'cannot run pasta: No such file or directory' "$BED/tmp/err"

	cp "$BED/bin/pasta" "$BED/tmp/alone/pasta"
	start host env PATH=/nonexistent "$PROGRAM" -c "$GUEST" tap0
	eventually guest ping -qc 1 -W 1 10.0.2.2
	rm -r "$BED/tmp/alone"
}

# --- API ---

# Errors of adding go on with a reason; lists say the same once more.
@test "replies of the API are those of slirp4netns" {
	for PROGRAM in "${BOTH[@]}"; do
		started -c -a "$API" "$GUEST" tap0
		{
			forwards
			hostfwd '"proto": "tcp", "host_addr": "0.0.0.0",
				"host_port": 8080, "guest_addr": "10.0.2.100",
				"guest_port": 80'
			hostfwd '"proto":"udp","host_port":8080,"guest_port":80'
			hostfwd '"proto":"tcp","host_addr":"127.0.0.1",
				"host_port":8081,"guest_addr":"","guest_port":81'
			hostfwd '"proto":"tcp","host_port":8080,"guest_port":80'
			forwards
			hostfwd '"proto":"sctp","host_port":1,"guest_port":80'
			hostfwd '"proto":"tcp","guest_port":80'
			hostfwd '"proto":"tcp","host_port":8082'
			hostfwd '"proto":"tcp","host_port":"1","guest_port":80'
			hostfwd '"proto":"tcp","host_port":0,"guest_port":80'
			hostfwd '"proto":"tcp","host_port":8090.7,"guest_port":80'
			hostfwd '"proto":"tcp","host_addr":"::",
				"host_port":8091,"guest_port":80'
			hostfwd '"proto":"tcp","guest_addr":"bogus",
				"host_port":8091,"guest_port":80'
			hostfwd '"proto":"tcp","host_addr":"203.0.113.7",
				"host_port":8091,"guest_port":80'
			for id in 2 2 '"1"' -2 1.5; do
				ask "{\"execute\": \"remove_hostfwd\",
					\"arguments\": {\"id\": $id}}"
			done
			ask '{"execute": "remove_hostfwd"}'
			hostfwd '"proto":"tcp","host_port":8092,"guest_port":80'
			forwards
			ask '{"execute": "bogus"}' '{"execute": 5}' '{}' '[]' \
				'x' '{"execute": "list_hostfwd"' \
				'{"execute": "list\u005fhostfwd"} more' \
				"$(printf '%5000d' 1)"
		} | sed 's/\(slirp_add_hostfwd failed\)[^"]*/\1/
			 s/,"return":{"entries":.*/}/' \
			>"$BED/tmp/replies.$([ "$PROGRAM" = $THEIRS ]; echo $?)"
		guest_again
	done
	cat "$BED/tmp/replies.1"
	[ "$(wc -l <"$BED/tmp/replies.1")" -ge 31 ]
	diff "$BED/tmp/replies.0" "$BED/tmp/replies.1"
}

@test "the list is also what the manual of slirp4netns says" {
	started -c -a "$API" "$GUEST" tap0
	forward udp 127.0.0.1 8080 80
	forwards | jq -e '.return.entries == .entries and
		(.entries | length) == 1'
}

@test "ports are opened and closed while it runs, TCP and UDP" {
	local tcp udp

	started -c --disable-host-loopback -a "$API" "$GUEST" tap0
	serve guest :: 80
	answers_udp guest 81
	tcp=$(forward tcp 0.0.0.0 8080 80)
	udp=$(forward udp 0.0.0.0 8080 81)
	reached remote "${HOST[4]}" 8080
	answered remote "${HOST[4]}" 8080
	reached host 127.0.0.1 8080
	answered host 127.0.0.1 8080

	unforward "$tcp"
	refused remote "${HOST[4]}" 8080
	answered remote "${HOST[4]}" 8080
	unforward "$udp"
	not answered remote "${HOST[4]}" 8080
	[ -z "$(host_root ss -Hlun 'sport = :8080')" ]
}

@test "callers are seen as with slirp4netns" {
	for PROGRAM in "${BOTH[@]}"; do
		started -c -a "$API" "$GUEST" tap0
		start guest socat TCP-LISTEN:80,fork,reuseaddr \
			'SYSTEM:echo $SOCAT_PEERADDR $SOCAT_SOCKADDR'
		eventually listening guest 80
		forward tcp 0.0.0.0 8080 80
		[ "$(remote socat - "TCP:${HOST[4]}:8080")" = \
		  "${REMOTE[4]} 10.0.2.100" ]
		[ "$(host socat - TCP:127.0.0.1:8080)" = '10.0.2.2 10.0.2.100' ]
		guest_again
	done
}

@test "with -6 ports are opened on IPv6 addresses too" {
	started -c -6 -a "$API" "$GUEST" tap0
	serve guest :: 80
	forward tcp :: 8080 80
	forward tcp 0.0.0.0 8080 80
	for family in 4 6; do
		reached remote "${HOST[$family]}" 8080
		reached host "${LOOPBACK[$family]}" 8080
	done
	forwards | jq -e '.entries[0].guest_addr == "fd00::100"'
}

@test "other ports and connections notice nothing of a change" {
	local fifo=$BED/tmp/talk line id

	started -c -a "$API" "$GUEST" tap0
	start guest socat TCP-LISTEN:80,reuseaddr EXEC:cat
	eventually listening guest 80
	forward tcp 0.0.0.0 8080 80
	mkfifo "$fifo.in" "$fifo.out"
	chmod 666 "$fifo".*
	start remote socat "OPEN:$fifo.in,rdwr!!OPEN:$fifo.out,rdwr" \
		"TCP:${HOST[4]}:8080"
	exec {in}<>"$fifo.in" {out}<>"$fifo.out"
	socket_of() { host_root ss -Hltne 'sport = :8080' | grep -o 'ino:[0-9]*'; }
	before=$(socket_of)
	[ -n "$before" ]
	for round in 1 2 3 4 5; do
		id=$(forward tcp 0.0.0.0 8081 81)
		forward udp 127.0.0.1 $((8100 + round)) 81
		unforward "$id"
		echo "word $round" >&$in
		read -rt "$DEADLINE_S" -u "$out" line
		[ "$line" = "word $round" ]
	done
	exec {in}<&- {out}<&-
	[ "$(socket_of)" = "$before" ]
}

@test "a port that is taken is an error, and free again later" {
	started -c -a "$API" "$GUEST" tap0
	serve guest :: 80
	serve host 0.0.0.0 8080
	hostfwd '"proto": "tcp", "host_port": 8080, "guest_port": 80' |
		grep -F '"error":{"desc":"bad request: add_hostfwd: slirp_add_hostfwd failed'
	[ "$(forwards | jq -c .entries)" = '[]' ]
	kill "$SERVER"
	eventually not_listening host 8080
	forward tcp 0.0.0.0 8080 80
	reached remote "${HOST[4]}" 8080
}

@test "clients that say nothing, too much or go away are in nobody's way" {
	started -c -a "$API" "$GUEST" tap0
	host python3 -c '
import socket, sys

def client(data=b""):
	s = socket.socket(socket.AF_UNIX)
	s.settimeout(10)
	s.connect(sys.argv[1])
	s.sendall(data)
	return s

idle = [client(b"{\"execute\":") for _ in range(40)]

# Answered without the end of its file, and in pieces
s = client(b"{\"execute\":")
s.sendall(b"\"list_hostfwd\"}")
assert s.recv(100).startswith(b"{\"entries\":"), "in pieces"
assert s.recv(100) == b""

# Gone before the answer
client(b"{\"execute\":\"list_hostfwd\"}").close()

# Without an end
s = client(b"x" * 100000)
s.shutdown(socket.SHUT_WR)
assert b"too large" in s.recv(100), "too large"

# The last of the idle is still there.
idle[-1].sendall(b"5}")
assert b"no execute" in idle[-1].recv(100), "the last"
assert idle[0].recv(100) == b"", "the first"
' "$API"
	forwards | jq -e .entries
	[ -e "/proc/$SLIRP" ]
}

@test "as many ports as pasta has rules, one more is an error" {
	started -c -a "$API" "$GUEST" tap0
	host python3 -c '
import json, socket, sys

def ask(request):
	s = socket.socket(socket.AF_UNIX)
	s.connect(sys.argv[1])
	s.sendall(json.dumps(request).encode())
	s.shutdown(socket.SHUT_WR)
	return json.loads(b"".join(iter(lambda: s.recv(65536), b"")))

def add(port):
	return ask({"execute": "add_hostfwd", "arguments": {"proto": "udp",
		"host_addr": "127.0.0.1", "host_port": port, "guest_port": 80}})

for i in range(255):
	assert add(10000 + i)["return"]["id"] == i + 1
assert "255" in add(20000)["error"]["desc"]
entries = ask({"execute": "list_hostfwd"})["entries"]
assert [e["host_port"] for e in entries] == list(range(10000, 10255))
' "$API"
}

# Few descriptors, all of them used up by clients that do not go.
@test "out of descriptors it still serves, and does not spin" {
	local before after free=0

	started -c -a "$API" "$GUEST" tap0
	host prlimit --pid "$SLIRP" --nofile=12:
	host python3 -c '
import socket, sys
idle = []
for _ in range(30):
	s = socket.socket(socket.AF_UNIX)
	s.connect(sys.argv[1])
	idle.append(s)
s = socket.socket(socket.AF_UNIX)
s.settimeout(10)
s.connect(sys.argv[1])
s.sendall(b"{\"execute\":\"list_hostfwd\"}")
assert s.recv(100)
' "$API"
	forwards | jq -e .entries
	while [ -e "/proc/$SLIRP/fd/$free" ]; do
		free=$((free + 1))
	done
	host prlimit --pid "$SLIRP" --nofile=$free:
	start host socat "UNIX-CONNECT:$API" EXEC:cat
	sleep 0.3
	before=$(awk '{ print $14 + $15 }' "/proc/$SLIRP/stat")
	sleep 1
	after=$(awk '{ print $14 + $15 }' "/proc/$SLIRP/stat")
	echo "$before $after"
	[ $((after - before)) -lt 20 ]
	host prlimit --pid "$SLIRP" --nofile=1024:
	forwards | jq -e .entries
}
