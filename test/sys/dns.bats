# SPDX-License-Identifier: GPL-2.0-or-later
# Names: queries to the forwarding address reach the host's resolver, whichever
# that is at the moment, if there is one that answers at all.
#
# Resolvers are told apart by what they answer for who.test: number N says
# 192.0.2.N and 2001:db8::N.

load lib

# What resolv.conf may name, by number and family
declare -gA NS4=([1]=127.0.0.2 [2]=10.77.9.1 [3]=10.77.0.3 [4]=10.77.0.2)
declare -gA NS6=([1]=::1 [2]=fd77:9::1 [3]=fd77::3 [4]=fd77::2)
declare -gA FORWARD=([4]=198.51.100.53 [6]=2001:db8:53::53)
FORWARDING=(--dns-forward "${FORWARD[4]}" --dns-forward "${FORWARD[6]}")

# Ours for the time being, with a resolv.conf that can be replaced.
setup_file() {
	mkdir "$BED/etc"
	cp -a /etc/. "$BED/etc"
	mount --bind "$BED/etc" /etc
	rm -f /etc/resolv.conf
}
teardown_file() { umount /etc; }

setup() { guest_new; }
teardown() {
	tracked_kill
	remote_root nft delete table inet dns 2>/dev/null || :
	umount /etc/resolv.conf 2>/dev/null || :
}

resolv_conf() {	# NUMBER...
	local n

	for n; do
		echo "nameserver ${NS4[$n]}"
		echo "nameserver ${NS6[$n]}"
	done >"$BED/etc/resolv.conf.new"
	mv "$BED/etc/resolv.conf.new" /etc/resolv.conf
}

resolver() {	# NUMBER
	local place=host

	[ "$1" -lt 3 ] || place=remote
	start ${place}_root dnsmasq -k -u root -g root -C /dev/null -R -h -x '' \
		--bind-interfaces -a "${NS4[$1]}" -a "${NS6[$1]}" \
		--host-record="who.test,192.0.2.$1,2001:db8::$1"
	eventually answers "$place" "${NS4[$1]}" 192.0.2."$1"
}

ask() {	# PLACE ADDRESS [OPTION]...
	"$1" dig +time=1 +tries=1 +short "@$2" "${@:3}" who.test a
}
answers() {	# PLACE ADDRESS WHAT [OPTION]...
	[ "$(ask "$1" "$2" "${@:4}")" = "$3" ]
}

# Both families, both protocols
guest_asks() {	# NUMBER
	local fam

	for fam in 4 6; do
		answers guest "${FORWARD[$fam]}" "192.0.2.$1" +notcp
		answers guest "${FORWARD[$fam]}" "192.0.2.$1" +tcp
	done
}
guest_comes_to_ask() {	# NUMBER
	local fam

	for fam in 4 6; do
		eventually answers guest "${FORWARD[$fam]}" "192.0.2.$1" +notcp
		answers guest "${FORWARD[$fam]}" "192.0.2.$1" +tcp
	done
}

echo_853() {	# PLACE ADDRESS
	local b

	b=$(bracketed "$2")
	start "$1_root" socat "TCP${3:-4}-LISTEN:853,bind=$b,fork,reuseaddr" PIPE
	start "$1_root" socat "UDP${3:-4}-RECVFROM:853,bind=$b,fork" PIPE
	eventually listening "$1" 853
}

echoed() {	# PROTOCOL ADDRESS
	[ "$(echo hello | guest socat -t 1 - "$1:$(bracketed "$2"):853")" = \
		hello ]
}

# --- where to ---

@test "queries to the forwarding address reach a resolver on loopback" {
	resolv_conf 1
	resolver 1
	pasta_start "${FORWARDING[@]}" --no-map-gw
	guest_asks 1
}

@test "queries to the forwarding address reach a resolver on the network" {
	resolv_conf 3
	resolver 3
	pasta_start "${FORWARDING[@]}"
	guest_asks 3
}

@test "the answer comes from the address asked; others are asked directly" {
	resolv_conf 1
	resolver 1
	resolver 3
	pasta_start "${FORWARDING[@]}"
	for fam in 4 6; do
		guest dig +time=1 +tries=1 "@${FORWARD[$fam]}" who.test |
			grep -F "SERVER: ${FORWARD[$fam]}#53"
		answers guest "${REMOTE[$fam]}" 192.0.2.3
	done
}

@test "--dns-host is asked, whatever resolv.conf says" {
	resolv_conf 1
	resolver 3
	pasta_start "${FORWARDING[@]}" --dns-host "${NS4[3]}" \
		--dns-host "${NS6[3]}"
	guest_asks 3
	resolv_conf 2
	guest_asks 3
}

@test "port 853 goes the same way as port 53" {
	resolv_conf 1
	echo_853 host "${NS4[1]}" 4
	echo_853 host "${NS6[1]}" 6
	pasta_start "${FORWARDING[@]}" --no-map-gw
	for fam in 4 6; do
		echoed "TCP$fam" "${FORWARD[$fam]}"
		echoed "UDP$fam" "${FORWARD[$fam]}"
	done
}

@test "a resolver with a link-local address is asked, over the interface" {
	local ll

	ll=$(remote ip -6 -o addr show dev eth0 scope link |
		sed -n 's/.*inet6 \([^/]*\).*/\1/p')
	echo "nameserver $ll%eth0" >/etc/resolv.conf
	start remote_root dnsmasq -k -u root -g root -C /dev/null -R -h -x '' \
		--bind-interfaces -a "$ll" --host-record=who.test,192.0.2.9
	pasta_start "${FORWARDING[@]}"
	for protocol in +notcp +tcp; do
		eventually answers guest "${FORWARD[6]}" 192.0.2.9 $protocol
	done
}

@test "a resolver on the host's loopback is asked at the gateway's address" {
	resolv_conf 1
	resolver 1
	pasta_start
	for fam in 4 6; do
		answers guest "${GATEWAY[$fam]}" 192.0.2.1 +notcp
		answers guest "${GATEWAY[$fam]}" 192.0.2.1 +tcp
	done
}

@test "a resolver whose address means the host is asked all the same" {
	resolv_conf 4
	resolver 4
	pasta_start
	for fam in 4 6; do
		answers guest "${GATEWAY[$fam]}" 192.0.2.4 +notcp
		answers guest "${GATEWAY[$fam]}" 192.0.2.4 +tcp
	done
}

@test "without a resolver of the family, its queries are not for our loopback" {
	echo "nameserver ${NS4[1]}" >/etc/resolv.conf
	resolver 1
	pasta_start "${FORWARDING[@]}"
	answers guest "${FORWARD[4]}" 192.0.2.1
	[[ $(ask guest "${FORWARD[6]}") != *192.0.2.* ]]
}

# --- resolv.conf changes ---

@test "resolv.conf replaced: new queries go to the new resolver" {
	resolv_conf 1
	resolver 1
	resolver 2
	resolver 3
	pasta_start "${FORWARDING[@]}"
	guest_asks 1
	for n in 2 3 1; do
		resolv_conf $n
		guest_comes_to_ask $n
	done
}

@test "resolv.conf written again in place: the same" {
	resolv_conf 1
	resolver 1
	resolver 3
	pasta_start "${FORWARDING[@]}"
	guest_asks 1
	printf 'nameserver %s\nnameserver %s\n' "${NS4[3]}" "${NS6[3]}" \
		>/etc/resolv.conf
	guest_comes_to_ask 3
}

@test "resolv.conf deleted and written anew: the same, and nothing between" {
	resolv_conf 1
	resolver 1
	resolver 3
	pasta_start "${FORWARDING[@]}"
	rm /etc/resolv.conf
	guest_asks 1
	: >/etc/resolv.conf
	sleep 0.3
	guest_asks 1
	resolv_conf 3
	guest_comes_to_ask 3
}

@test "resolv.conf is not there at the start: it is read once it is" {
	rm -f /etc/resolv.conf
	resolver 1
	pasta_start "${FORWARDING[@]}"
	[[ $(ask guest "${FORWARD[4]}") != *192.0.2.* ]]
	resolv_conf 1
	guest_comes_to_ask 1
}

@test "resolv.conf a link: the file it leads to is followed" {
	mkdir -p "$BED/etc/run"
	resolv_conf 1
	mv /etc/resolv.conf /etc/run/stub.conf
	ln -s run/stub.conf /etc/resolv.conf
	resolver 1
	resolver 3
	pasta_start "${FORWARDING[@]}"
	guest_asks 1
	printf 'nameserver %s\nnameserver %s\n' "${NS4[3]}" "${NS6[3]}" \
		>/etc/run/new
	mv /etc/run/new /etc/run/stub.conf
	guest_comes_to_ask 3
	rm /etc/resolv.conf
}

@test "resolv.conf a mount: it is followed when written to" {
	resolv_conf 1
	cp /etc/resolv.conf "$BED/tmp/mounted"
	mount --bind "$BED/tmp/mounted" /etc/resolv.conf
	resolver 1
	resolver 3
	pasta_start "${FORWARDING[@]}"
	guest_asks 1
	printf 'nameserver %s\nnameserver %s\n' "${NS4[3]}" "${NS6[3]}" \
		>/etc/resolv.conf
	guest_comes_to_ask 3
}

# --- resolvers fail ---

@test "the first resolver is not there: the second answers" {
	resolv_conf 3 1
	resolver 1
	pasta_start "${FORWARDING[@]}"
	guest_comes_to_ask 1
}

# One query after the other from one port: that of stub resolvers, too.
@test "the first resolver is a black hole: a repeated query is answered" {
	local -A any=([4]=0.0.0.0 [6]=::)

	resolv_conf 3 1
	resolver 1
	resolver 3
	pasta_start "${FORWARDING[@]}"
	guest_asks 3
	remote_root nft 'table inet dns { chain in {
		type filter hook input priority 0;
		meta l4proto { tcp, udp } th dport 53 drop; }; }'
	for fam in 4 6; do
		guest dig +time=1 +tries=6 -b "${any[$fam]}#5300" \
			"@${FORWARD[$fam]}" who.test | tee "$BED/tmp/dig"
		grep 192.0.2.1 "$BED/tmp/dig"
	done
	guest_asks 1
}

@test "the first resolver is a black hole: so it is for connections" {
	resolv_conf 3 1
	resolver 1
	remote_root nft 'table inet dns { chain in {
		type filter hook input priority 0;
		meta l4proto { tcp, udp } th dport 53 drop; }; }'
	pasta_start "${FORWARDING[@]}"
	for fam in 4 6; do
		eventually answers guest "${FORWARD[$fam]}" 192.0.2.1 +tcp
	done
}

@test "the first resolver comes back: it is asked again, in time" {
	resolv_conf 3 1
	resolver 1
	pasta_start "${FORWARDING[@]}"
	guest_comes_to_ask 1
	resolver 3
	DEADLINE_S=$((20 * BED_DEADLINE)) guest_comes_to_ask 3
}

# Directories and files a process has open, but for devices.
files_open() {	# PID
	find "/proc/$1/fd" -mindepth 1 -printf '%l\n' |
		grep ^/ | grep -v '^/dev/' || :
}

@test "the directory of resolv.conf is open in the process that reads it, alone" {
	resolv_conf 1
	pasta_start "${FORWARDING[@]}"
	[ -z "$(files_open "$DAEMON")" ]
	for p in $(daemon_tree); do
		[ "$(cat "/proc/$p/comm")" != resolv-reader ] || reader=$p
	done
	dirs=$(files_open "$reader")
	echo "$dirs"
	[ "$dirs" = /etc ] || [ "$dirs" = / ]
}
