# SPDX-License-Identifier: GPL-2.0-or-later
# Neighbours: stations of the host's network have, on the guest's link, the
# hardware addresses they have there.

load lib

OURS=9a:55:9a:55:9a:55
STATION=52:54:00:00:00:77
OTHER=52:54:00:00:00:88

# On the host's network; nobody is there but in its table
declare -gA NOBODY=([4]=10.77.0.77 [6]=fd77::77)
declare -gA NEITHER=([4]=10.77.0.78 [6]=fd77::78)

setup() {
	guest_new
	host_root ip neigh flush dev eth0
	REMOTE_MAC=$(remote ip link show dev eth0 |
		sed -n 's/.*ether \([^ ]*\).*/\1/p')
}
teardown() {
	tracked_kill
	for a in "${NOBODY[@]}" "${NEITHER[@]}" "${REMOTE[@]}"; do
		host_root ip neigh del "$a" dev eth0 2>/dev/null || :
	done
}

# Who answers for ADDRESS. What the kernel makes of it, for IPv6.
asked4() {
	guest arping -c 1 -w 1 -I eth0 "$1" | grep -oiE '(..:){5}..' |
		head -n 1 | tr A-F a-f
}
asked6() {
	guest ip neigh flush to "$1" dev eth0
	guest ping -c 1 -W 0.2 "$1" >&2 || :
	guest ip neigh show "$1" dev eth0 | sed -n 's/.*lladdr \([^ ]*\).*/\1/p'
}
answer_is() { [ "$(asked"$1" "$2")" = "$3" ]; }

host_knows() { host_root ip neigh replace "$2" lladdr "$3" dev eth0; }

# What the guest remembers without asking again
remembers() { guest ip neigh show "$1" dev eth0 | grep -q "lladdr $2"; }

@test "a neighbour has its own hardware address, before and after start" {
	host ping -c 1 "${REMOTE[4]}"
	host ping -c 1 "${REMOTE[6]}"
	pasta_start
	for fam in 4 6; do
		answer_is $fam "${REMOTE[$fam]}" "$REMOTE_MAC"
		answer_is $fam "${NOBODY[$fam]}" $OURS
		host_knows $fam "${NOBODY[$fam]}" $STATION
		eventually answer_is $fam "${NOBODY[$fam]}" $STATION
		host_knows $fam "${NOBODY[$fam]}" $OTHER
		eventually answer_is $fam "${NOBODY[$fam]}" $OTHER
		host_root ip neigh del "${NOBODY[$fam]}" dev eth0
		eventually answer_is $fam "${NOBODY[$fam]}" $OURS
	done
}

@test "the gateway is us, as long as its address means the host" {
	host ping -c 1 "${GATEWAY[4]}"
	host ping -c 1 "${GATEWAY[6]}"
	pasta_start
	for fam in 4 6; do
		answer_is $fam "${GATEWAY[$fam]}" $OURS
	done
}

@test "else it is itself, and strangers come from there" {
	host ping -c 1 "${GATEWAY[4]}"
	host ping -c 1 "${GATEWAY[6]}"
	pasta_start --no-map-gw
	for fam in 4 6; do
		answer_is $fam "${GATEWAY[$fam]}" "$REMOTE_MAC"
		answer_is $fam "${NOBODY[$fam]}" "$REMOTE_MAC"
	done
}

@test "a neighbour cannot take an address that is mapped" {
	pasta_start --map-guest-addr "${NOBODY[4]}" \
		--map-guest-addr "${NOBODY[6]}"
	for fam in 4 6; do
		host_knows $fam "${NOBODY[$fam]}" $STATION
		host_knows $fam "${REMOTE[$fam]}" $OTHER
		eventually answer_is $fam "${REMOTE[$fam]}" $OTHER
		answer_is $fam "${NOBODY[$fam]}" $OURS
	done
}

@test "a neighbour that turns up is announced, one that changes is not" {
	pasta_start
	for fam in 4 6; do
		for a in "${NOBODY[$fam]}" "${NEITHER[$fam]}"; do
			guest ping -c 1 -W 0.2 "$a" || :
			eventually remembers "$a" $OURS
		done
		host_knows $fam "${NOBODY[$fam]}" $STATION
		eventually remembers "${NOBODY[$fam]}" $STATION
		# What comes after the change has been heard of: so has that.
		host_knows $fam "${NOBODY[$fam]}" $OTHER
		host_knows $fam "${NEITHER[$fam]}" $STATION
		eventually remembers "${NEITHER[$fam]}" $STATION
		remembers "${NOBODY[$fam]}" $STATION
	done
}

bound() { "$1"_root ss -Hlun "$2" | grep -q .; }

# Source hardware addresses of frames from ADDRESS in a capture
sources() {	# FILE ADDRESS
	python3 - "$1" "$2" <<-'END'
	import ipaddress, struct, sys
	data = open(sys.argv[1], 'rb').read()
	addr = ipaddress.ip_address(sys.argv[2]).packed
	at, found = 24, set()
	while at + 16 <= len(data):
	    size = struct.unpack('<I', data[at + 8:at + 12])[0]
	    frame = data[at + 16:at + 16 + size]
	    at += 16 + size
	    off = {b'\x08\x00': 26, b'\x86\xdd': 22}.get(frame[12:14])
	    if off and frame[off:off + len(addr)] == addr:
	        found.add(frame[6:12].hex(':'))
	print(*sorted(found))
	END
}

@test "frames from a neighbour have its hardware address as their source" {
	local pcap=$BED/tmp/neigh.pcap

	serve remote :: 5001
	start remote socat UDP6-RECVFROM:5002,ipv6only=0,fork PIPE
	eventually bound remote "sport = :5002"
	host ping -c 1 "${REMOTE[4]}"
	host ping -c 1 "${REMOTE[6]}"
	pasta_start -p "$pcap"
	for fam in 4 6; do
		guest load crr -c 1 "${REMOTE[$fam]}" 5001 >/dev/null
		guest ping -c 1 "${REMOTE[$fam]}"
		[ "$(echo hello | guest socat -t 1 - \
			"UDP:$(bracketed "${REMOTE[$fam]}"):5002")" = hello ]
		guest load crr -c 1 "${GATEWAY[$fam]}" 5001 >/dev/null || :
	done
	kill "$DAEMON"
	eventually gone "$DAEMON"
	for fam in 4 6; do
		[ "$(sources "$pcap" "${REMOTE[$fam]}")" = "$REMOTE_MAC" ]
		[ "$(sources "$pcap" "${GATEWAY[$fam]}")" = $OURS ]
	done
}

# It begins before the host has heard of the other end.
@test "a conversation goes on with the hardware address of now" {
	local pcap=$BED/tmp/neigh.pcap

	remote_root ip addr add "${NOBODY[4]}/24" dev eth0
	remote_root ip addr add "${NOBODY[6]}/64" dev eth0 nodad
	pasta_start -p "$pcap"
	for fam in 4 6; do
		addr=$(bracketed "${NOBODY[$fam]}")
		to=UDP:$addr:5002,sourceport=5300
		start remote socat "UDP$fam-RECVFROM:5002,fork,bind=$addr" PIPE
		eventually bound remote "src $addr:5002"
		[ "$(echo one | guest socat -t 0.3 - "$to")" = one ]
		host ip neigh show "${NOBODY[$fam]}" | grep "$REMOTE_MAC"
		[ "$(echo two | guest socat -t 0.3 - "$to")" = two ]
	done
	kill "$DAEMON"
	eventually gone "$DAEMON"
	for fam in 4 6; do
		[[ $(sources "$pcap" "${NOBODY[$fam]}") == *$REMOTE_MAC* ]]
	done
	remote_root ip addr del "${NOBODY[4]}/24" dev eth0
	remote_root ip addr del "${NOBODY[6]}/64" dev eth0
}
