# SPDX-License-Identifier: GPL-2.0-or-later
# Captures that other people's tools can read: whole, both directions, checksums
# right although offloads leave them to nobody, from the first frame on; and a
# file that cannot be written is no reason to stop.

# shellcheck disable=SC2154

load lib

setup() {
	guest_new
	PCAP=$BED/tmp/p.pcap LOG=$BED/tmp/log
	GOT=$BED/tmp/got
}

teardown() {
	tracked_kill
	! mountpoint -q "$BED/tmp/full" || umount -l "$BED/tmp/full"
	rm -rf "$PCAP" "$LOG" "$GOT" "$BED/tmp/full" "$BED"/tmp/*.txt
}

# "! CMD" fails no test.
not() { if "$@"; then return 1; fi; }

daemon_end() {
	kill "$DAEMON"
	eventually gone "$DAEMON"
}

# Checksums are judged by someone else.
shark() {	# TSHARK-OPTION...
	tshark -r "$PCAP" -o ip.check_checksum:TRUE \
		-o tcp.check_checksum:TRUE -o udp.check_checksum:TRUE \
		-o tcp.desegment_tcp_streams:FALSE "$@" 2>"$BED/tmp/shark.txt" ||
		{ cat "$BED/tmp/shark.txt"; return 1; }
	not grep -i 'cut short\|damaged\|corrupt' "$BED/tmp/shark.txt"
}

frames() { shark -Y "$1" | wc -l; }

at_least() {	# COUNT FILTER
	local n

	n=$(frames "$2")
	[ "$n" -ge "$1" ] || { echo "$n frames are $2"; return 1; }
}

none() {	# FILTER
	shark -Y "$1" >"$BED/tmp/none.txt"
	not grep . "$BED/tmp/none.txt"
}

readable() {
	tcpdump -nr "$PCAP" 2>&1 >/dev/null |
		not grep -iv '^reading from\|^dropped privs\|^$'
	none 'ip.checksum.status == "Bad" or tcp.checksum.status == "Bad" or
	      udp.checksum.status == "Bad" or icmp.checksum.status == "Bad" or
	      icmpv6.checksum.status == "Bad"'
	# Payload is random here, and may look like anything.
	none '_ws.malformed and not udp and not tcp.len > 0'
	none 'frame.len != frame.cap_len'
	none 'frame.time_delta < 0'
	at_least 1 "frame.time_epoch >= $(($(date +%s) - 600))"
}

listening_udp() {	# PORT
	remote_root ss -Hlun "sport = :$1" | grep -q .
}

@test "TCP, UDP and ping of both families, with super-frames" {
	local family file

	file=$(random_file 1000000)
	pasta_start -p "$PCAP" -t 5100,5101
	for family in 4 6; do
		send_file tap_out $family "$file" 5000
		send_file tap_in $family "$file" $((5098 + family / 2))
		start remote socat -u "UDP$family-RECV:600$family" \
			"OPEN:$GOT,creat,append"
		eventually listening_udp 600$family
		guest socat -u -b 3000 "OPEN:$file,readbytes=60000" \
			"UDP:$(bracketed "${REMOTE[$family]}"):600$family"
		eventually test -s "$GOT"
		rm -f "$GOT"
		guest ping -c 2 -i 0.2 -s 3000 "${REMOTE[$family]}"
	done
	daemon_end
	[ "$(stat -c %a "$PCAP")" = 600 ]
	readable
	for ip in ip ipv6; do
		at_least 5 "$ip and tcp.srcport == 5000"
		at_least 5 "$ip and tcp.dstport == 5000 and tcp.len > 30000"
		at_least 10 "$ip and udp.dstport in {6004, 6006}"
	done
	at_least 5 'ip and tcp.dstport == 5100 and tcp.len > 30000'
	at_least 5 'ipv6 and tcp.dstport == 5101 and tcp.len > 30000'
	at_least 4 'icmp'
	at_least 4 'icmpv6.type == 128 or icmpv6.type == 129'
	at_least 100 'tcp.checksum.status == "Good"'
	at_least 40 'udp.checksum.status == "Good"'
	# Every byte of every stream is there.
	none 'tcp.analysis.lost_segment or tcp.analysis.ack_lost_segment'
}

@test "ARP, neighbour discovery, DHCP and DHCPv6 of the start" {
	host pasta -q -P "$BED/tmp/pid" -p "$PCAP" "$GUEST" 3>&-
	DAEMON=$(cat "$BED/tmp/pid")
	track "$DAEMON"
	guest ip link set eth0 up
	eventually has_link_local
	guest dhclient -4 -1 -lf "$BED/tmp/l.txt" -pf "$BED/tmp/4.txt" \
		-sf /bin/true eth0
	guest dhclient -6 -1 -lf "$BED/tmp/l6.txt" -pf "$BED/tmp/6.txt" \
		-sf /bin/true eth0
	track "$(cat "$BED/tmp/4.txt")" "$(cat "$BED/tmp/6.txt")"
	guest ip addr add "${HOST[4]}/24" dev eth0
	guest ping -c 1 "${GATEWAY[4]}"
	daemon_end
	rm "$BED/tmp/pid"
	readable
	at_least 2 'arp'
	at_least 1 'icmpv6.type == 133'
	at_least 1 'icmpv6.type == 134'
	at_least 1 'dhcp.option.dhcp == 1'
	at_least 1 'dhcp.option.dhcp == 5'
	at_least 1 'dhcpv6.msgtype == 1'
	at_least 1 'dhcpv6.msgtype == 7'
}

has_link_local() {
	guest ip -6 addr show dev eth0 scope link -tentative | grep -q inet6
}

@test "a file that cannot be opened is told of, and nothing else changes" {
	pasta_start -p "$BED/nonexistent/file" -l "$LOG"
	grep "Couldn't open capture file $BED/nonexistent/file: No such file" \
		"$LOG"
	guest ping -c 1 "${REMOTE[4]}"
}

@test "a disk that is full ends the capture, with a whole frame" {
	mkdir "$BED/tmp/full"
	mount -t tmpfs -o mode=1777,size=1m tmpfs "$BED/tmp/full"
	pasta_start -p "$BED/tmp/full/p" -l "$LOG"
	send_file tap_out 4 "$(random_file 4000000)" 5000
	grep 'the capture ends here' "$LOG"
	send_file tap_out 6 "$(random_file 4000000)" 5000
	daemon_end
	[ "$(grep -c 'capture' "$LOG")" = 1 ]
	cp "$BED/tmp/full/p" "$PCAP"
	[ "$(stat -c %s "$PCAP")" -gt 900000 ]
	readable
}

@test "small frames share a system call, and the last ones are there" {
	pasta_start -p "$PCAP"
	strace -qq -y -e trace=write -o "$BED/tmp/strace.txt" -p "$DAEMON" &
	track $!
	eventually test -e "$BED/tmp/strace.txt"
	guest_root ping -qf -c 2000 "${REMOTE[4]}"
	daemon_end
	at_least 4000 icmp
	[ "$(grep -c p.pcap "$BED/tmp/strace.txt")" -lt 100 ]
}
