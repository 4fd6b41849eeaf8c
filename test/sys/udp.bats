# SPDX-License-Identifier: GPL-2.0-or-later
# UDP: datagrams arrive as they were sent, where they were sent to, and so do
# the answers and the errors.
#
#	host --- remote --- far		the last wire takes 1280 bytes
#	            10.77.1.0/24
#	            fd77:1::/64

load lib

FAR4=10.77.1.2 FAR6=fd77:1::2
declare -gA PREFIX=([4]=24 [6]=64)
declare -gA FAR=([4]=$FAR4 [6]=$FAR6) ANY=([4]=0.0.0.0 [6]=::)
SIZES='0 1 1472 1473 9000 65507'

setup_file() {
	cp "$BATS_TEST_DIRNAME/udp_peer.py" "$BED/bin/udp_peer"
	chmod 755 "$BED/bin/udp_peer"
	ip netns add far
	ip netns exec remote sysctl -qw net.ipv4.ip_forward=1 \
		net.ipv6.conf.all.forwarding=1
	ip -n remote link add eth1 type veth peer name eth0 netns far
	ip -n remote addr add 10.77.1.1/24 dev eth1
	ip -n remote addr add fd77:1::1/64 dev eth1 nodad
	ip -n far addr add $FAR4/24 dev eth0
	ip -n far addr add $FAR6/64 dev eth0 nodad
	ip -n remote link set eth1 mtu 1280 up
	ip -n far link set eth0 mtu 1280 up
	ip -n far link set lo up
	ip -n far route add default via 10.77.1.1
	ip -n far route add default via fd77:1::1
	# Many addresses that are remote's
	ip -n remote route add local 10.78.0.0/16 dev lo
	ip -n remote route add local fd78::/64 dev lo
}

teardown_file() {
	ip netns del far
	ip -n remote route del local 10.78.0.0/16 dev lo
	ip -n remote route del local fd78::/64 dev lo
	ip netns exec remote sysctl -qw net.ipv4.ip_forward=0 \
		net.ipv6.conf.all.forwarding=0
}

setup() { guest_new; }
default_ttl() {
	host_root sysctl -qw net.ipv4.ip_default_ttl=64 \
		net.ipv6.conf.eth0.hop_limit=64
}
default_routes() {
	for family in 4 6; do
		host_root ip -$family route replace default \
			via "${GATEWAY[$family]}"
	done
}
teardown() {
	host_root ip route flush cache
	host_root ip -6 route flush cache
	obstacles del 2>/dev/null || :
	host_root nft delete table inet barrier 2>/dev/null || :
	default_ttl
	default_routes
	tracked_kill
}

udp_bound() {	# PLACE ADDRESS PORT
	"$1"_root ss -Hlun "src = $(bracketed "$2") and sport = :$3" |
		grep -q .
}

# A verb of udp_peer that serves, in the background.
peers=()
peer() {	# PLACE VERB ADDRESS PORT ARGUMENT...
	start "$1" udp_peer "${@:2}"
	peers+=("$STARTED")
	eventually udp_bound "$1" "$3" "$4"
}

far_root() { ip netns exec far "$@"; }
far_peer() {	# VERB ADDRESS PORT ARGUMENT...
	ip netns exec far udp_peer "$@" 3>&- &
	disown
	track $!
	peers+=($!)
	eventually udp_bound far "$2" "$3"
}

peers_kill() {
	local pid

	kill -KILL "${peers[@]}"
	for pid in "${peers[@]}"; do
		eventually gone "$pid"
	done
	peers=()
}

# Port 5000: guest's and remote's, 5001: host's
echoes() {	# FAMILY
	peer guest echo "${ANY[$1]}" 5000
	peer remote echo "${ANY[$1]}" 5000
	peer host echo "${ANY[$1]}" 5001
}

over() {	# PATH FAMILY VERB [ARGUMENT]...
	local port=5000

	dial "$1" "$2"
	[ "$SERVER_AT" != host ] || port=5001
	$CLIENT timeout $((6 * DEADLINE_S)) udp_peer "$3" "$ADDR" $port \
		"${@:4}"
}

on_every_path() {	# VERB [ARGUMENT]...
	for family in 4 6; do
		echoes $family
		for path in $PATHS; do
			echo "$path IPv$family:"
			over "$path" $family "$@"
		done
		peers_kill
	done
}

@test "datagrams of all sizes, none included, arrive on every path" {
	pasta_start -u 5000 -U 5001
	# shellcheck disable=SC2086
	on_every_path ask $SIZES
}

@test "so they do at an MTU of 1500" {
	pasta_start -m 1500 -u 5000 -U 5001
	# shellcheck disable=SC2086
	on_every_path ask $SIZES
}

# A virtual machine whose network card, of MTU 1500, is eth0 of the guest
# namespace.
vm_start() {	# OPTION...
	local socket=$BED/tmp/udp.socket

	host passt -q -P "$socket.pid" -s "$socket" -t none "$@" 3>&-
	DAEMON=$(cat "$socket.pid")
	track "$DAEMON"
	start guest_root "$BATS_TEST_DIRNAME/tapbridge" eth0 "$socket"
	eventually guest ip link show eth0
	guest ip link set eth0 up
	for family in 4 6; do
		guest ip addr replace "${HOST[$family]}/${PREFIX[$family]}" \
			dev eth0
		guest ip -$family route replace default \
			via "${GATEWAY[$family]}"
	done
	eventually no_tentative
}

@test "so they do over the socket of a virtual machine: in fragments" {
	vm_start -u 5000
	for family in 4 6; do
		echoes $family
		for path in tap_out tap_in; do
			# shellcheck disable=SC2086
			over $path $family ask $SIZES
		done
		peers_kill
	done
}

@test "the first datagrams of 50 peers are not lost, and stay in order" {
	pasta_start -u 5000 -U 5001
	on_every_path ask 1	# neighbours are known: see below
	on_every_path bursts 50 8
}

@test "peers that take turns each get their own answers" {
	pasta_start -u 5000 -U 5001
	# What the kernel holds back until it knows a neighbour is overtaken by
	# what is sent when it has just learned it.
	on_every_path ask 1
	on_every_path interleaved 8 20
}

@test "the host under another address answers from that one" {
	pasta_start -u 5000
	for family in 4 6; do
		peer guest echo "${ANY[$family]}" 5000
		remote udp_peer ask "${HOST_EXTRA[$family]}" 5000 1 1400
		remote udp_peer ask "${HOST[$family]}" 5000 1 1400
		peers_kill
	done
}

@test "a closed port is refused, out there and on the host" {
	pasta_start
	for family in 4 6; do
		[ "$(guest udp_peer error "${REMOTE[$family]}" 5999)" = \
			ECONNREFUSED ]
		[ "$(guest udp_peer error "${GATEWAY[$family]}" 5999)" = \
			ECONNREFUSED ]
	done
}

# Places on the host's way to which something is in the way
declare -gA NO_WAY=([4]=198.51.100.1 [6]=2001:db8:1::1)
declare -gA FORBIDDEN=([4]=203.0.113.1 [6]=2001:db8:2::1)
obstacles() {	# VERB
	for family in 4 6; do
		host_root ip -$family route "$1" unreachable ${NO_WAY[$family]}
		host_root ip -$family route "$1" prohibit ${FORBIDDEN[$family]}
	done
}

@test "nobody there, no way to it, a forbidden one: the guest is told which" {
	obstacles add
	pasta_start
	for family in 4 6; do
		[ "$(guest udp_peer error "${NO_WAY[$family]}" 5000)" = \
			EHOSTUNREACH ]
	done
	for nobody in 10.77.0.99 fd77::99; do
		[ "$(guest udp_peer error $nobody 5000)" = EHOSTUNREACH ]
	done
	[ "$(guest udp_peer error "${FORBIDDEN[4]}" 5000)" = EHOSTUNREACH ]
	[ "$(guest udp_peer error "${FORBIDDEN[6]}" 5000)" = EACCES ]
	host_root nft 'table inet barrier { chain out {
		type filter hook output priority 0; udp dport 5055 drop; }; }'
	[ "$(guest udp_peer error "${REMOTE[4]}" 5055)" = EHOSTUNREACH ]
	[ "$(guest udp_peer error "${REMOTE[6]}" 5055)" = EACCES ]
	host_root ip route del default
	host_root ip -6 route del default
	[ "$(guest udp_peer error 192.0.2.1 5000)" = ENETUNREACH ]
	[ "$(guest udp_peer error 2001:db8:9::1 5000)" = ENETUNREACH ]
}

@test "a datagram that may not be cut is told the path's MTU" {
	pasta_start
	for family in 4 6; do
		far_peer echo "${ANY[$family]}" 5000
		# Twice: once the path says so, then the host, which knows
		for _ in 1 2; do
			[ "$(guest udp_peer df "do" "${FAR[$family]}" 5000 \
				1300 1300 1200 | tail -n 2)" = \
				"1300 EMSGSIZE"$'\n'"1200 arrived" ]
			guest_root ip route flush cache
			guest_root ip -6 route flush cache
		done
		peers_kill
	done
}

@test "one that may be cut arrives, however narrow the path" {
	pasta_start
	for family in 4 6; do
		far_peer echo "${ANY[$family]}" 5000
		# Of IPv6 the first is lost: only the sender may cut.
		[ $family = 4 ] || guest udp_peer df "do" "$FAR6" 5000 1300
		[ "$(guest udp_peer df dont "${FAR[$family]}" 5000 1300 9000 \
			65507)" = "1300 arrived
9000 arrived
65507 arrived" ]
		peers_kill
	done
}

# The guest's service sends to who asks from afar; sets FATE, what became of it.
service_sends() {	# FAMILY PORT HOW LENGTH...
	local served

	start guest sh -c "exec udp_peer df_asked $3 ${ANY[$1]} $2 ${*:4} \
		>$BED/tmp/df"
	served=$STARTED
	eventually udp_bound guest "${ANY[$1]}" "$2"
	ip netns exec far udp_peer asks "${HOST[$1]}" "$2" 3>&- &
	disown
	track $!
	eventually gone "$served"
	FATE=$(cat "$BED/tmp/df")
	echo "$FATE"
}

# 5000: a socket for both families, 5001: one for each
@test "all this is so for what leaves from a forwarded port" {
	pasta_start -u 5000 -u "${HOST[4]}/5001" -u "${HOST[6]}/5001"
	for family in 4 6; do
		for port in 5000 5000 5001 5001; do
			guest_root ip -$family route flush cache
			service_sends $family $port "do" 1300 1200
			[ "$FATE" = "1300 EMSGSIZE"$'\n'"1200 arrived" ]
		done
		# IPv6 is cut by the guest, which knows by now.
		guest_root ip route flush cache
		service_sends $family 5000 dont 1300 9000
		[ "$FATE" = "1300 arrived"$'\n'"9000 arrived" ]
	done
}

@test "low source ports and ports the host has taken are replaced" {
	pasta_start
	host_root sysctl -qw net.ipv4.ip_unprivileged_port_start=1024
	for family in 4 6; do
		peer remote who "${ANY[$family]}" 5000
		for port in 53 123 500; do
			run guest_root udp_peer whoami $port \
				"${REMOTE[$family]}" 5000
			[ "$status" = 0 ]
			[ "${output##* }" -ge 1024 ]
		done
		peer host echo "${ANY[$family]}" 6000
		run guest udp_peer whoami 6000 "${REMOTE[$family]}" 5000
		[ "$status" = 0 ]
		[ "${output##* }" != 6000 ]
		run guest udp_peer whoami 6001 "${REMOTE[$family]}" 5000
		[ "${output##* }" = 6001 ]
		peers_kill
	done
}

@test "everybody a guest's port talks to sees the same port" {
	pasta_start
	for family in 4 6; do
		peer remote who "${ANY[$family]}" 5000
		peer remote who "${ANY[$family]}" 5001
		peer host who "${LOOPBACK[$family]}" 5002
		run guest_root udp_peer whoami 123 "${REMOTE[$family]}" 5000 \
			"${REMOTE[$family]}" 5001 "${GATEWAY[$family]}" 5002
		[ "$status" = 0 ]
		[ "${lines[0]}" = "${lines[1]}" ]
		[ "${lines[2]##* }" = "${lines[1]##* }" ]
		peers_kill
	done
}

@test "a forwarded port is the guest's own in both directions" {
	pasta_start -u 5300:5353
	for family in 4 6; do
		peer remote who "${ANY[$family]}" 5000
		run guest udp_peer whoami 5353 "${REMOTE[$family]}" 5000
		[ "$output" = "${HOST[$family]} 5300" ]
		peer guest echo "${ANY[$family]}" 5353
		remote udp_peer ask "${HOST[$family]}" 5300 1 1400
		peers_kill
	done
}

@test "a port the guest has sent from can become a service" {
	pasta_start -u auto
	for family in 4 6; do
		peer remote who "${ANY[$family]}" 5000
		run guest udp_peer whoami 5003 "${REMOTE[$family]}" 5000
		[ "${output##* }" = 5003 ]
		peer guest echo "${ANY[$family]}" 5003
		eventually remote timeout 0.5 udp_peer ask "${HOST[$family]}" \
			5003 1
		run remote udp_peer ask "${HOST[$family]}" 5003 1 2 3
		[ "$status" = 0 ]
		peers_kill
	done
}

udp_reached() { $1 udp_peer ask "$2" "$3" 1 100; }	# PLACE ADDRESS PORT
udp_open() { "$1"_root ss -Hlun "sport = :$2" | grep -q .; }	# PLACE PORT
udp_shut() { ! udp_open "$@"; }

@test "datagrams to all that -u may say are forwarded, and no others" {
	guest_root ip addr add 10.88.0.1/32 dev lo
	guest_root ip addr add fd88::1/128 dev lo
	pasta_start -u 5010-5014,~5012,5020:5000,5021-5022:5031-5032 \
		-u "${HOST[4]}/5040:5000" -u "${HOST[6]}/5041:5000" \
		-u %eth0/5050:5000 -u 0.0.0.0/5060:10.88.0.1/5001 \
		-u '::/5061:[fd88::1]/5001'
	for port in 5012 5000 5031; do
		udp_shut host $port
	done
	peer guest echo 10.88.0.1 5001
	peer guest echo fd88::1 5001
	for port in 5000 5010 5011 5013 5014 5031 5032; do
		peer guest echo :: $port
	done
	for family in 4 6; do
		for port in 5010 5011 5013 5014 5020 5021 5022 504$((family / 6)) \
			    5050 506$((family / 6)); do
			udp_reached remote "${HOST[$family]}" $port
		done
	done
	udp_reached host "${LOOPBACK[4]}" 5060
	for port in 5040 5050; do
		[ "$(host udp_peer error "${LOOPBACK[4]}" $port)" = \
			ECONNREFUSED ]
	done
	[ "$(host udp_peer error "${LOOPBACK[6]}" 5041)" = ECONNREFUSED ]
}

# By way of PATH; services are at SERVER_AT, forwarded from FRONT.
auto_follows() {	# PATH FRONT
	for family in 4 6; do
		dial "$1" $family
		start "$SERVER_AT" udp_peer echo "${ANY[$family]}" 5006
		eventually udp_open "$2" 5006
		udp_reached "$CLIENT" "$ADDR" 5006
		kill "$STARTED"
		eventually udp_shut "$2" 5006
	done
	# Many protocols have a port of each kind: iperf3's, for one.
	serve "$SERVER_AT" :: 5007
	eventually udp_open "$2" 5007
	peer "$SERVER_AT" echo :: 5007
	for family in 4 6; do
		dial "$1" $family
		udp_reached "$CLIENT" "$ADDR" 5007
	done
	peers_kill
	udp_open "$2" 5007
	kill "$SERVER"
	eventually udp_shut "$2" 5007
}

@test "-u auto follows services of datagrams and of connections" {
	pasta_start -u auto
	auto_follows tap_in host
	auto_follows splice_in host
}

@test "-U auto follows services of datagrams and of connections" {
	pasta_start -U auto
	auto_follows splice_out guest
}

@test "only who was asked may answer" {
	pasta_start
	for family in 4 6; do
		peer remote two_faced "${ANY[$family]}" 5000 5001
		[ "$(guest udp_peer stranger 6000 "${REMOTE[$family]}" 5000)" \
			= 1 ]
		peers_kill
	done
}

# Where it may not send says as much as where it may only by asking: both EACCES.
@test "asking where the host forbids it is not asking all" {
	obstacles add
	pasta_start
	for family in 4 6; do
		peer remote two_faced "${ANY[$family]}" 5000 5001
		[ "$(guest udp_peer stranger 6000 "${REMOTE[$family]}" 5000 \
			"${FORBIDDEN[$family]}")" = 1 ]
		peers_kill
	done
}

@test "broadcasts reach the network, and the answer comes back" {
	pasta_start
	peer remote echo 0.0.0.0 5000
	for to in 255.255.255.255 10.77.0.255; do
		guest udp_peer broadcast $to 5000 | grep -qx '10.77.0.[23]'
	done
}

@test "broadcasts of the network reach a forwarded port, and are answered" {
	pasta_start -u 5000 -u 10.77.0.255/5001:5000
	peer guest echo 0.0.0.0 5000
	for to in 255.255.255.255 10.77.0.255; do
		[ "$(remote udp_peer broadcast $to 5000 "${REMOTE[4]}")" = \
			"${HOST[4]}" ]
	done
	[ "$(remote udp_peer broadcast 10.77.0.255 5001)" = "${HOST[4]}" ]
	[ "$(host udp_peer broadcast 127.255.255.255 5000)" = 127.0.0.1 ]
}

members() { [ "$(remote_root ss -Hlun "sport = :5353" | wc -l)" = "$1" ]; }

# 224.0.0.0/24 and ff02::/16 are for one link only, as the guest's is not
groups='239.1.1.1 224.0.0.251 ff15::77 ff02::fb'

@test "several members of a group answer one question, which has its TTL" {
	pasta_start
	for group in $groups; do
		peer remote member $group 5353 one eth0
		start remote udp_peer member $group 5353 two eth0
		peers+=("$STARTED")
		eventually members 2
		for ttl in 1 7 64 255; do
			[ "$(guest udp_peer group $group 5353 $ttl 2)" = \
				"one/$ttl two/$ttl" ]
		done
		peers_kill
	done
}

@test "members of a group take their time" {
	pasta_start
	for group in 239.1.1.1 ff15::77; do
		peer remote member $group 5353 late eth0 2
		[ "$(guest udp_peer group $group 5353 1 1)" = late/1 ]
		peers_kill
	done
}

@test "multicast DNS: a name is asked for, its bearer answers" {
	pasta_start
	peer remote responder 224.0.0.251 5353 who.local 192.0.2.7 eth0
	[ "$(guest udp_peer resolve 224.0.0.251 5353 who.local)" = 192.0.2.7 ]
	peers_kill
	peer remote responder ff02::fb 5353 who.local 2001:db8::7 eth0
	[ "$(guest udp_peer resolve ff02::fb 5353 who.local)" = 2001:db8::7 ]
	peers_kill
}

# A group is the host's business where a program there has joined it.
@test "a forwarded port hears the groups the host has joined" {
	pasta_start -u 5000
	for group in $groups; do
		peer guest member $group 5000 guest eth0
		start host udp_peer member $group 5999 host eth0
		eventually udp_bound host $group 5999
		[ "$(remote udp_peer group $group 5000 1 1)" = guest/255 ]
		peers_kill
	done
}

@test "what the guest sends to many does not come back to it" {
	pasta_start -u 5000
	for group in 239.1.1.1 ff15::77; do
		peer remote member $group 5000 one eth0
		start host udp_peer member $group 5999 two eth0
		eventually udp_bound host $group 5999
		for local in 5000 5001; do
			guest udp_peer alone $group 5000 $local
		done
		peers_kill
	done
	peer remote aside 0.0.0.0 5000
	for to in 255.255.255.255 10.77.0.255; do
		for local in 5000 5001; do
			guest udp_peer alone $to 5000 $local
		done
	done
}

@test "TTL and TOS are the guest's, and TOS of the answer is the answer's" {
	pasta_start
	for family in 4 6; do
		peer remote marks "${ANY[$family]}" 5000
		[ "$(guest udp_peer marked "${REMOTE[$family]}" 5000 17 72)" = \
			'17 72 40' ]
		[ "$(guest udp_peer marked "${REMOTE[$family]}" 5000 64 0)" = \
			'64 0 40' ]
		peers_kill
	done
}

@test "TTL is the guest's whatever the host's default, and forwarded or not" {
	host_root sysctl -qw net.ipv4.ip_default_ttl=128 \
		net.ipv6.conf.eth0.hop_limit=128
	pasta_start -u 5000
	for family in 4 6; do
		peer remote marks "${ANY[$family]}" 5001
		for local in 0 5000; do
			for ttl in 64 65 128; do
				[ "$(guest udp_peer marked \
					"${REMOTE[$family]}" 5001 $ttl 0 \
					$local)" = "$ttl 0 40" ]
			done
		done
		peers_kill
	done
}

@test "trains cut by the sender's kernel keep their boundaries" {
	local got=$BED/tmp/got

	pasta_start -u 5000
	for family in 4 6; do
		for path in tap_out tap_in; do
			dial $path $family
			start "$SERVER_AT" sh -c "exec udp_peer sizes \
				${ANY[$family]} 5000 60 >$got"
			eventually udp_bound "$SERVER_AT" "${ANY[$family]}" 5000
			$CLIENT udp_peer trains "$ADDR" 5000 1200 5 300 10
			eventually gone "$STARTED"
			[ "$(fold_by 6 <"$got")" = \
				'1200 1200 1200 1200 1200 300' ]
		done
	done
}

# 9000: longer than the host's link takes; 1400: than the path does, which the
# host knows, not the guest.
@test "trains that the host or the path refuses arrive one by one" {
	local got=$BED/tmp/got

	pasta_start
	for family in 4 6; do
		start remote sh -c "exec udp_peer sizes ${ANY[$family]} 5000 \
			60 >$got"
		eventually udp_bound remote "${ANY[$family]}" 5000
		guest udp_peer trains "${REMOTE[$family]}" 5000 9000 5 300 10 \
			dont
		eventually gone "$STARTED"
		[ "$(fold_by 6 <"$got")" = '9000 9000 9000 9000 9000 300' ]
	done
	far_peer echo "0.0.0.0" 5000
	guest udp_peer df "do" "$FAR4" 5000 1300
	guest_root ip route flush cache
	peers_kill
	ip netns exec far sh -c "exec udp_peer sizes 0.0.0.0 5000 60 >$got" 3>&- &
	disown
	track $!
	eventually udp_bound far "0.0.0.0" 5000
	guest udp_peer trains "$FAR4" 5000 1400 5 300 10 dont
	eventually gone "${tracked[-1]}"
	[ "$(fold_by 6 <"$got")" = '1400 1400 1400 1400 1400 300' ]
}

# So many words a line; lines that occur, once each
fold_by() { xargs -n "$1" | sort -u; }

# At so many datagrams a second of this size, on every path: those that do not
# arrive.
streams_arrive() {	# RATE SIZE [OPTION]...
	local port loss

	track "$(guest_root load userve -b 16777216 -d :: 5000 3>&-)"
	track "$(remote_root load userve -b 16777216 -d :: 5000 3>&-)"
	track "$(host_root load userve -b 16777216 -d :: 5001 3>&-)"
	for path in $PATHS; do
		for family in 4 6; do
			dial "$path" $family
			port=5000
			[ "$SERVER_AT" != host ] || port=5001
			loss=$(field loss "$($CLIENT load blast -r "$1" -s "$2" \
				-t 1 "${@:3}" "$ADDR" $port)")
			echo "$path IPv$family: $loss"
			[ "$loss" = 0.0000 ]
		done
	done
}

@test "streams as of a tunnel at MTU 1420 arrive, all of them" {
	pasta_start -m 1420 -u 5000 -U 5001
	streams_arrive 5000 1372
}

# As QUIC sends: trains of the sender's, one behind the other
@test "streams of trains arrive, all of them" {
	pasta_start -m 1500 -u 5000 -U 5001
	streams_arrive 20000 1252 -g
}

@test "20000 destinations of one port are one descriptor" {
	local before

	pasta_start
	for prefix in 10.78 fd78::; do
		case $prefix in *:*) any=:: ;; *) any=0.0.0.0 ;; esac
		before=$(daemon_fds)
		peer remote echo $any 5000
		guest udp_peer swarm $prefix 5000 20000
		[ "$(daemon_fds)" = $((before + 1)) ]
		peers_kill
	done
}

# By the guest, of both families
datagrams_sent() {
	guest_root cat /proc/net/snmp /proc/net/snmp6 |
		awk '$1 == "Udp:" { n = $5 } $1 == "Udp6OutDatagrams" { m = $2 }
		     END { print n + m }'
}
sent_beyond() { [ "$(datagrams_sent)" -ge "$1" ]; }

@test "3000 datagrams of the guest wait while the daemon does not run" {
	local sent blast

	pasta_start
	track "$(remote_root load userve -b 16777216 -d :: 5000 3>&-)"
	for family in 4 6; do
		guest load urr -t 0.1 "${REMOTE[$family]}" 5000
		sent=$(datagrams_sent)
		kill -STOP "$DAEMON"
		guest load blast -s 64 -r 3500 -t 1 "${REMOTE[$family]}" 5000 \
			>"$BED/tmp/blast" &
		blast=$!
		eventually sent_beyond $((sent + 3000))
		kill -CONT "$DAEMON"
		wait $blast
		cat "$BED/tmp/blast"
		[ "$(field ops "$(cat "$BED/tmp/blast")")" -ge 3000 ]
		[ "$(field loss "$(cat "$BED/tmp/blast")")" = 0.0000 ]
	done
}

@test "dig asks a resolver, also one that is the host's" {
	pasta_start
	for family in 4 6; do
		start remote_root udp_peer resolver "${REMOTE[$family]}" 53
		start host_root udp_peer resolver "${LOOPBACK[$family]}" 53
		eventually udp_bound remote "${REMOTE[$family]}" 53
		eventually udp_bound host "${LOOPBACK[$family]}" 53
		for server in "${REMOTE[$family]}" "${GATEWAY[$family]}"; do
			guest dig +time=5 +tries=1 @"$server" example.org |
				grep -q 'status: NOERROR'
		done
	done
}

@test "iperf3 sends datagrams both ways" {
	pasta_start
	for family in 4 6; do
		start remote iperf3 -s -1 -B "${REMOTE[$family]}" -p 5000
		eventually listening remote 5000
		guest iperf3 -c "${REMOTE[$family]}" -p 5000 -u -b 20M -l 1420 \
			-t 1 >/dev/null
		start remote iperf3 -s -1 -B "${REMOTE[$family]}" -p 5000
		eventually listening remote 5000
		guest iperf3 -c "${REMOTE[$family]}" -p 5000 -u -b 20M -l 1420 \
			-t 1 -R >/dev/null
	done
}

@test "a question and its answer cost at most six system calls" {
	local calls

	pasta_start
	track "$(remote load userve -d :: 5000 3>&-)"
	daemon_syscalls 4 >"$BED/tmp/calls" &
	calls=$!
	sleep 1
	guest load urr -t 1 -s 64 "${REMOTE[4]}" 5000 >"$BED/tmp/urr"
	wait $calls
	calls=$(cat "$BED/tmp/calls")
	ops=$(field ops "$(cat "$BED/tmp/urr")")
	echo "$calls calls for $ops answers"
	[ "$ops" -gt 100 ]
	[ "$calls" -le $((ops * 6 + 100)) ]
}

@test "datagrams for a guest's port that is closed do not keep anybody awake" {
	pasta_start -u 5000
	for _ in 1 2 3; do
		remote udp_peer knock "${HOST[4]}" 5000
		remote udp_peer knock "${HOST[6]}" 5000
	done
	settled daemon_sleeps
}
