# SPDX-License-Identifier: GPL-2.0-or-later
# Echo and errors: the guest pings what the host can reach, and hears who could
# not deliver what it sent.
#
#	host --- remote --- hop --- end
#	            10.77.1.0/24  10.77.2.0/24
#	            fd77:1::/64   fd77:2::/64

load lib

END4=10.77.2.2 END6=fd77:2::2

route_back() {	# NAMESPACE ROUTER-NUMBER
	ip -n "$1" route add 10.77.0.0/24 via "10.77.$2.1"
	ip -n "$1" route add fd77::/64 via "fd77:$2::1"
}

# Routers that answer as often as they are asked
is_router() {	# NAMESPACE
	ip netns exec "$1" sysctl -qw net.ipv4.ip_forward=1 \
		net.ipv6.conf.all.forwarding=1 net.ipv4.icmp_ratelimit=0 \
		net.ipv6.icmp.ratelimit=0 net.ipv4.icmp_msgs_per_sec=100000
}

wire() {	# LEFT RIGHT NUMBER
	ip -n "$1" link add "eth$3" type veth peer name eth0 netns "$2"
	ip -n "$1" addr add "10.77.$3.1/24" dev "eth$3"
	ip -n "$1" addr add "fd77:$3::1/64" dev "eth$3" nodad
	ip -n "$2" addr add "10.77.$3.2/24" dev eth0
	ip -n "$2" addr add "fd77:$3::2/64" dev eth0 nodad
	ip -n "$1" link set "eth$3" up
	ip -n "$2" link set eth0 up
}

setup_file() {
	ip netns add hop
	ip netns add end
	is_router remote
	is_router hop
	wire remote hop 1
	wire hop end 2
	route_back hop 1
	route_back end 2
	ip -n end route add 10.77.1.0/24 via 10.77.2.1
	ip -n end route add fd77:1::/64 via fd77:2::1
	ip -n remote route add 10.77.2.0/24 via 10.77.1.2
	ip -n remote route add fd77:2::/64 via fd77:1::2
}

teardown_file() {
	ip netns del end
	ip netns del hop
	ip netns exec remote sysctl -qw net.ipv4.ip_forward=0 \
		net.ipv6.conf.all.forwarding=0
}

# Places on the host's way to which something is in the way
obstacles() {	# VERB
	host_root ip route "$1" unreachable 198.51.100.0/24
	host_root ip route "$1" prohibit 203.0.113.0/24
	host_root ip -6 route "$1" unreachable 2001:db8:1::/48
	host_root ip -6 route "$1" prohibit 2001:db8:2::/48
}

last_link_mtu() {	# MTU
	ip -n hop link set eth2 mtu "$1"
	ip -n end link set eth0 mtu "$1"
}

may_ping() {	# GROUPS
	host_root sysctl -qw net.ipv4.ping_group_range="$1"
}

setup() { guest_new; }
teardown() {
	may_ping '0 2147483647'
	obstacles del 2>/dev/null || :
	last_link_mtu 1500
	tracked_kill
}

guest_ping() { guest_root ping -n -c 1 -W "$DEADLINE_S" "$@"; }

not() { ! "$@"; }

# It fails, and says so in these words.
fails_saying() {	# WORDS CMD...
	local out

	out=$("${@:2}" 2>&1) && { echo "succeeded: ${*:2}" >&2; return 1; }
	echo "$out"
	[[ $out == *"$1"* ]]
}

all_sizes() {
	for size in 0 56 1472 1473 9000 65507; do
		for family in 4 6; do
			echo "$size bytes, IPv$family"
			guest_ping -s $size "${REMOTE[$family]}"
		done
	done
}

@test "echo of all sizes at the default MTU" {
	pasta_start
	all_sizes
}

# How many datagrams the guest has sent and received in fragments
fragmented() {	# FAMILY
	if [ "$1" = 4 ]; then
		guest awk '/^Ip:/ { for (i = 2; i <= NF; i++) v[i, n] = $i
			n++; f = NF } END { for (i = 2; i <= f; i++)
			if (v[i, 0] ~ /^(ReasmOKs|FragOKs)$/) print v[i, 1] }' \
			/proc/net/snmp
	else
		guest awk '/^Ip6(ReasmOKs|FragOKs)/ { print $2 }' \
			/proc/net/snmp6
	fi
}

all_sizes_in_fragments() {	# MTU
	pasta_start -m "$1"
	all_sizes
	for family in 4 6; do
		for n in $(fragmented $family); do
			[ "$n" -ge 3 ]
		done
	done
}

@test "echo of all sizes at MTU 1500: in fragments, both ways" {
	all_sizes_in_fragments 1500
}

@test "echo of all sizes at MTU 1280: in fragments, both ways" {
	all_sizes_in_fragments 1280
}

# One request with these numbers from a raw socket; prints those of the reply.
echo_raw() {	# FAMILY ADDRESS IDENTIFIER SEQUENCE
	guest_root python3 - "$@" <<-'END'
	import socket, struct, sys
	fam, to, ident, seq = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
	v4 = fam == '4'
	s = socket.socket(socket.AF_INET if v4 else socket.AF_INET6,
			  socket.SOCK_RAW, 1 if v4 else 58)
	msg = struct.pack('>BBHHH4s', 8 if v4 else 128, 0, 0, ident, seq, b'data')
	if v4:
	    c = sum(struct.unpack('>6H', msg))
	    c = (c & 0xffff) + (c >> 16)
	    msg = msg[:2] + struct.pack('>H', ~c & 0xffff) + msg[4:]
	s.settimeout(10)
	s.sendto(msg, (to, 0))
	while True:
	    got = s.recv(2000)[20 if v4 else 0:]
	    if got[0] == (0 if v4 else 129):
	        break
	assert got[8:] == b'data', got
	print(*struct.unpack('>HH', got[4:8]))
	END
}

@test "identifier and sequence number are the guest's, zero included" {
	pasta_start
	for family in 4 6; do
		for numbers in '0 0' '1 0' '48879 0' '65535 65535' '7 1'; do
			# shellcheck disable=SC2086
			[ "$(echo_raw $family ${REMOTE[$family]} $numbers)" = \
				"$numbers" ]
		done
	done
}

@test "equal identifiers in the guest and on the host do not meet" {
	pasta_start
	for family in 4 6; do
		start host_root ping -q -n -e 77 -i 0.05 -c 40 \
			-W "$DEADLINE_S" "${REMOTE[$family]}" >"$BED/tmp/host"
		guest_root ping -q -n -e 77 -i 0.05 -c 40 -W "$DEADLINE_S" \
			"${REMOTE[$family]}" >"$BED/tmp/guest"
		eventually gone "$STARTED"
		cat "$BED/tmp/host" "$BED/tmp/guest"
		grep -q ' 40 received' "$BED/tmp/host"
		grep -q ' 40 received' "$BED/tmp/guest"
		not grep -q duplicates "$BED/tmp/host" "$BED/tmp/guest"
	done
}

# The number of echo requests that arrived there
echos_at_remote() {	# FAMILY
	if [ "$1" = 4 ]; then
		remote_root awk '/^Icmp:/ && !n { for (i = 1; i <= NF; i++)
			if ($i == "InEchos") n = i; next }
			/^Icmp:/ { print $n }' /proc/net/snmp
	else
		remote_root awk '/^Icmp6InEchos/ { print $2 }' /proc/net/snmp6
	fi
}

# The gateway answers, and so many requests have reached the real one.
gateway_answers() {	# COUNT
	local before after

	for family in 4 6; do
		before=$(echos_at_remote $family)
		guest_ping "${GATEWAY[$family]}"
		after=$(echos_at_remote $family)
		[ $((after - before)) = "$1" ]
	done
}

@test "the gateway's address is the host" {
	pasta_start
	gateway_answers 0
}

@test "the gateway's address is the gateway if it does not mean the host" {
	pasta_start --no-map-gw
	gateway_answers 1
}

@test "with --no-icmp nobody answers, and nobody complains" {
	pasta_start --no-icmp
	for family in 4 6; do
		fails_saying '100% packet loss' \
			guest_root ping -n -c 1 -W 1 "${REMOTE[$family]}" \
			>"$BED/tmp/out"
		not grep -q From "$BED/tmp/out"
	done
}

hops() {	# FAMILY TRACEROUTE-OPTION...
	local end=END$1

	guest_root traceroute -"$1" -n -q 1 -w "$DEADLINE_S" -m 6 "${@:2}" \
		"${!end}" | awk 'NR > 1 { printf "%s ", $2 }'
}

@test "traceroute by echo names every router" {
	pasta_start
	hops 4 -I
	hops 6 -I
	[ "$(hops 4 -I)" = "10.77.0.3 10.77.1.2 10.77.2.2 " ]
	[ "$(hops 6 -I)" = "fd77::3 fd77:1::2 fd77:2::2 " ]
}

@test "traceroute by datagrams names every router" {
	pasta_start
	[ "$(hops 4)" = "10.77.0.3 10.77.1.2 10.77.2.2 " ]
	[ "$(hops 6)" = "fd77::3 fd77:1::2 fd77:2::2 " ]
}

@test "nobody at an address, no way to it, a forbidden one: ping says which" {
	obstacles add
	pasta_start
	fails_saying 'Destination Host Unreachable' guest_ping 10.77.0.99
	fails_saying 'Destination Host Unreachable' guest_ping 198.51.100.1
	fails_saying 'Packet filtered' guest_ping 203.0.113.1
	fails_saying 'Address unreachable' guest_ping fd77::99
	fails_saying 'Address unreachable' guest_ping 2001:db8:1::1
	fails_saying 'Administratively prohibited' guest_ping 2001:db8:2::1
}

@test "a path too narrow is reported with its MTU" {
	last_link_mtu 1300
	pasta_start -m 1500
	fails_saying 'Frag needed and DF set (mtu = 1300)' \
		guest_ping -M do -s 1400 $END4
	fails_saying 'Packet too big: mtu=1300' \
		guest_ping -M do -s 1400 $END6
}

@test "where the host forbids ping the guest is told, and the log once" {
	local log=$BED/tmp/log.$BATS_TEST_NUMBER

	may_ping '1 0'
	pasta_start -l "$log"
	for i in 1 2 3; do
		fails_saying 'Packet filtered' guest_ping "${REMOTE[4]}"
		fails_saying 'Administratively prohibited' \
			guest_ping "${REMOTE[6]}"
	done
	[ "$(grep -c ping_group_range "$log")" = 1 ]
	may_ping '0 2147483647'
	guest_ping "${REMOTE[4]}"
	guest_ping "${REMOTE[6]}"
}
