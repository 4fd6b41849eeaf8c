# SPDX-License-Identifier: GPL-2.0-or-later
# What the guest is told about its network, by DHCP, DHCPv6, router
# advertisements, ARP and neighbour discovery; to clients as distributions have
# them, over the tap and over the socket of a virtual machine.

# shellcheck disable=SC2154

load lib

NAMES=(-H guesthost --fqdn guest.lab.example)
MAC=9a:55:9a:55:9a:55

setup() {
	cp "$BED/resolv.conf" "$BED/tmp/resolv.saved"
	cat >"$BED/resolv.conf" <<-RESOLV
		nameserver ${REMOTE[4]}
		nameserver ${REMOTE[6]}
		search lab.example corp.example
	RESOLV
	LOG=$BED/tmp/log
	guest_new
	guest_root sysctl -qw net.ipv6.conf.default.router_solicitations=-1 \
		net.ipv6.conf.default.accept_dad=0
	hook >"$BED/tmp/hook"
	chmod 755 "$BED/tmp/hook"
}

teardown() {
	tracked_kill
	cat "$BED/tmp/resolv.saved" >"$BED/resolv.conf"
	rm -rf "$LOG" "$BED/tmp/told" "$BED"/tmp/lease.* "$BED/tmp/hook" \
		"$BED/tmp/resolv.saved"
}

# --- the daemon ---

# As pasta_start, but the interface is left to the guest.
bare_start() {	# OPTION...
	local pidfile

	pidfile=$(mktemp -u "$BED/tmp/pid.XXXXXX")
	# shellcheck disable=SC2046
	host pasta -P "$pidfile" -l "$LOG" "$@" $(ports_none "$@") \
		"$GUEST" 3>&-
	DAEMON=$(cat "$pidfile")
	track "$DAEMON"
	link_up
}

# Clients give up if they find no address to speak from.
link_up() {
	guest ip link set eth0 up
	eventually has_link_local
}

has_link_local() {
	guest ip -6 addr show dev eth0 scope link -tentative | grep -q inet6
}

told_start() { bare_start --dhcp-dns --dhcp-search "${NAMES[@]}" "$@"; }

daemon_end() {
	kill "$DAEMON"
	eventually gone "$DAEMON"
	rm "$LOG"
}

# A virtual machine whose network card is eth0 of the guest namespace.
vm_start() {	# OPTION...
	local socket

	socket=$(mktemp -u "$BED/tmp/socket.XXXXXX")
	host passt -P "$socket.pid" -l "$LOG" -s "$socket" "$@" 3>&-
	DAEMON=$(cat "$socket.pid")
	track "$DAEMON"
	start guest_root "$BATS_TEST_DIRNAME/tapbridge" eth0 "$socket"
	eventually guest ip link show eth0
	link_up
}

# "! CMD" fails no test.
not() { if "$@"; then return 1; fi; }

logged() { grep -q "$1" "$LOG"; }

# --- clients ---

# What clients run when they have heard something: notes it, and adds the
# address, where the client leaves that to others.
hook() {
	cat <<-HOOK
		#!/bin/sh
		env >>"$BED/tmp/told"
		[ -z "\${new_ip_address:-}" ] || ip addr replace dev eth0 \\
			"\$new_ip_address/\$new_subnet_mask"
		[ -z "\${new_ip6_address:-}" ] || ip addr replace dev eth0 \\
			"\$new_ip6_address/\$new_ip6_prefixlen"
		[ -z "\${ip:-}" ] || ip addr replace dev eth0 "\$ip/\$mask"
		exit 0
	HOOK
}

told() { grep -qx -- "$1" "$BED/tmp/told"; }

dhclient_once() {	# FAMILY [OPTION]...
	start guest dhclient "-$1" -1 -d -lf "$BED/tmp/lease.$1" \
		-pf "$BED/tmp/lease.pid" -sf "$BED/tmp/hook" "${@:2}" eth0
}

# Clients that want to be the only ones on the machine: root's, with mounts of
# their own. Whatever is run beside them by client() is in the guest's network:
# these programs would gladly configure any other.
client_start() {	# CMD...
	start guest_root unshare -m --propagation private sh -ec '
		mount -t tmpfs tmpfs /run
		mount -t tmpfs tmpfs /var/lib
		mount -t sysfs -o ro sysfs /sys
		mkdir -p /var/lib/dhcpcd /run/systemd/network
		printf "[Match]\nName=eth0\n[Network]\nDHCP=yes\n" \
			>/run/systemd/network/eth0.network
		chmod -R a+rX /run
		exec "$@"' sh "$@"
	CLIENT_PID=$STARTED
}

client() { guest_root nsenter -t "$CLIENT_PID" -m "$@"; }

address() { guest ip -o addr show dev eth0 | grep -qw -- "$1"; }
route() { guest ip "-$1" route show default | grep -qw -- "via $2"; }
mtu() { guest ip -o link show eth0 | grep -qw "mtu $1"; }

# Ours on the link: whoever the guest sees as its router.
our_ll() {
	host ip -6 -o addr show dev eth0 scope link |
		sed -n 's/.*inet6 \([^/]*\).*/\1/p'
}

reaches_remote() {	# FAMILY
	guest timeout 5 bash -c "echo >/dev/tcp/${REMOTE[$1]}/5000"
}

gets_everywhere() {
	serve remote :: 5000
	for family in 4 6; do
		eventually reaches_remote $family
	done
}

# --- DHCP and DHCPv6 ---

dhclient_is_told() {
	dhclient_once 4
	eventually told 'reason=BOUND'
	told "new_ip_address=${HOST[4]}"
	told 'new_subnet_mask=255.255.255.0'
	told "new_routers=${GATEWAY[4]}"
	told "new_dhcp_server_identifier=${GATEWAY[4]}"
	told 'new_dhcp_lease_time=4294967295'
	told 'new_interface_mtu=1400'
	told "new_domain_name_servers=${REMOTE[4]}"
	told 'new_domain_search=lab.example. corp.example.'
	told 'new_host_name=guesthost'
	told 'new_fqdn_fqdn=guest.lab.example'
	dhclient_once 6
	eventually told 'reason=BOUND6'
	told "new_ip6_address=${HOST[6]}"
	told 'new_max_life=4294967295'
	told "new_dhcp6_name_servers=${REMOTE[6]}"
	told 'new_dhcp6_domain_search=lab.example. corp.example.'
	told 'new_fqdn_fqdn=guest.lab.example'
}

@test "dhclient is told everything in both families" {
	told_start -m 1400
	dhclient_is_told
}

@test "dhclient is told everything over the socket of a virtual machine" {
	vm_start "${NAMES[@]}" -m 1400
	dhclient_is_told
}

@test "pasta keeps resolvers to itself unless told otherwise" {
	bare_start
	dhclient_once 4
	eventually told 'reason=BOUND'
	dhclient_once 6
	eventually told 'reason=BOUND6'
	not grep -E '^new_.*(name_servers|domain_search|host_name|fqdn)' \
		"$BED/tmp/told"
}

@test "dhclient comes back and has its address confirmed" {
	told_start
	for _ in 1 2; do
		dhclient_once 4
		eventually told "new_ip_address=${HOST[4]}"
		dhclient_once 6
		eventually told "new_ip6_address=${HOST[6]}"
		rm "$BED/tmp/told"
		kill "${tracked[-1]}" "${tracked[-2]}"
		eventually gone "${tracked[-1]}"
		eventually gone "${tracked[-2]}"
	done
	[ "$(grep -c 'DHCP: DISCOVER' "$LOG")" = 1 ]
	[ "$(grep -c 'DHCPv6: SOLICIT' "$LOG")" = 1 ]
	logged 'DHCPv6: CONFIRM .* REPLY'
}

@test "dhclient with an address of before is refused, and gets the new one" {
	bare_start -a 192.0.2.9 -g 192.0.2.1 -a 2001:db8::9
	dhclient_once 4
	eventually told 'new_ip_address=192.0.2.9'
	dhclient_once 6
	eventually told 'new_ip6_address=2001:db8::9'
	kill "${tracked[-1]}" "${tracked[-2]}"
	daemon_end

	bare_start -a 198.51.100.9 -g 198.51.100.1 -a 2001:db8:1::9
	dhclient_once 4
	eventually told 'new_ip_address=198.51.100.9'
	logged 'DHCP: REQUEST .* NAK'
	dhclient_once 6
	eventually told 'new_ip6_address=2001:db8:1::9'
	logged 'DHCPv6: CONFIRM .* not on link'
}

@test "dhclient gives its addresses back and need not repeat itself" {
	bare_start
	for family in 4 6; do
		dhclient_once $family
		eventually told "reason=BOUND$( [ $family = 4 ] || echo 6)"
		kill "${tracked[-1]}"
		eventually gone "${tracked[-1]}"
		dhclient_once $family -r
		eventually gone "${tracked[-1]}"
	done
	[ "$(grep -c 'DHCP: RELEASE' "$LOG")" = 1 ]
	[ "$(grep -c 'DHCPv6: RELEASE' "$LOG")" = 1 ]
}

@test "dhclient gets information without an address" {
	told_start
	dhclient_once 6 -S
	eventually told "new_dhcp6_name_servers=${REMOTE[6]}"
	logged 'DHCPv6: INFORMATION-REQUEST .* REPLY'
	not grep new_ip6_address "$BED/tmp/told"
}

udhcpc_is_told() {
	guest timeout "$DEADLINE_S" udhcpc -f -q -n -i eth0 \
		-s "$BED/tmp/hook" -O mtu -O search -O hostname
	told "ip=${HOST[4]}"
	told 'mask=24'
	told "router=${GATEWAY[4]}"
	told "serverid=${GATEWAY[4]}"
	told 'lease=4294967295'
	told 'mtu=1400'
	told "dns=${REMOTE[4]}"
	told 'search=lab.example corp.example'
	told 'hostname=guesthost'
}

@test "udhcpc is told everything" {
	told_start -m 1400
	udhcpc_is_told
}

@test "udhcpc is told everything over the socket of a virtual machine" {
	vm_start "${NAMES[@]}" -m 1400
	udhcpc_is_told
}

acks() { grep -c 'DHCP: REQUEST .* ACK' "$LOG"; }
acks_at_least() { [ "$(acks)" -ge "$1" ]; }

# It goes on after the first lease, and does what signals say.
udhcpc_renews_and_gives_back() {
	start guest udhcpc -f -i eth0 -s "$BED/tmp/hook"
	eventually told "ip=${HOST[4]}"
	rm "$BED/tmp/told"
	kill -USR1 "$STARTED"
	eventually told "ip=${HOST[4]}"
	[ "$(grep -c 'DHCP: DISCOVER' "$LOG")" = 1 ]
	[ "$(acks)" = 2 ]
	kill -USR2 "$STARTED"
	eventually logged 'DHCP: RELEASE'
}

@test "udhcpc renews and gives back" {
	bare_start
	udhcpc_renews_and_gives_back
}

@test "udhcpc renews and gives back over the socket of a virtual machine" {
	vm_start
	udhcpc_renews_and_gives_back
}

@test "a router off the network is told with a route to it" {
	bare_start -a 192.0.2.9/32 -g 198.51.100.1
	guest timeout "$DEADLINE_S" udhcpc -f -q -n -i eth0 -O staticroutes \
		-s "$BED/tmp/hook"
	told 'staticroutes=198.51.100.1/32 0.0.0.0 0.0.0.0/0 198.51.100.1'
}

dhcpcd_start() {
	client_start dhcpcd -B -f /dev/null -c "$BED/tmp/hook" \
		-o interface_mtu -o domain_search eth0
}

dhcpcd_configures_all() {
	dhcpcd_start
	eventually address "${HOST[4]}/24"
	eventually route 4 "${GATEWAY[4]}"
	eventually address "${HOST[6]}/128"
	eventually route 6 "$(our_ll)"
	eventually told "new_dhcp6_name_servers=${REMOTE[6]}"
	told "new_domain_name_servers=${REMOTE[4]}"
	told "nd1_rdnss1_servers=${REMOTE[6]}"
	gets_everywhere
}

dhcpcd_renews_and_rebinds() {
	client dhcpcd -N eth0
	eventually logged 'DHCPv6: RENEW .* REPLY'
	[ "$(grep -c 'DHCP: DISCOVER' "$LOG")" = 1 ]
	[ "$(grep -c 'DHCP: REQUEST .* ACK' "$LOG")" = 2 ]
	client dhcpcd -n eth0
	eventually logged 'DHCPv6: \(CONFIRM\|REBIND\) .* REPLY'
}

@test "dhcpcd configures everything, renews and rebinds" {
	told_start
	dhcpcd_configures_all
	dhcpcd_renews_and_rebinds
}

@test "dhcpcd does so over the socket of a virtual machine" {
	vm_start "${NAMES[@]}"
	dhcpcd_configures_all
	dhcpcd_renews_and_rebinds
}

networkd_has_all() {
	eventually address "${HOST[4]}/24"
	eventually route 4 "${GATEWAY[4]}"
	eventually address "${HOST[6]}/128"
	eventually route 6 "$(our_ll)"
}

# A link that was down is another network, for all it knows.
networkd_configures_all_and_again() {
	local networkd=/lib/systemd/systemd-networkd acks

	[ -x $networkd ] || skip "no systemd-networkd here"
	client_start $networkd
	networkd_has_all
	gets_everywhere
	acks=$(acks)
	guest ip link set eth0 down
	guest ip link set eth0 up
	eventually acks_at_least $((acks + 1))
	networkd_has_all
	for family in 4 6; do
		eventually reaches_remote $family
	done
	[ "$(grep -c 'DHCP: .* NAK' "$LOG")" = 0 ]
	[ "$(grep -c 'not on link' "$LOG")" = 0 ]
}

@test "systemd-networkd configures everything, and again" {
	told_start
	networkd_configures_all_and_again
}

@test "systemd-networkd does so over the socket of a virtual machine" {
	vm_start "${NAMES[@]}"
	networkd_configures_all_and_again
}

# --- neighbour discovery, routers ---

# All that the kernel does by itself.
autoconfigures() {
	eventually route 6 "$(our_ll)"
	guest ip -6 -o addr show dev eth0 scope global | grep -q 'inet6 fd77::'
	serve remote :: 5000
	eventually reaches_remote 6
}

@test "a guest without any client configures IPv6 from advertisements" {
	bare_start -m 1400
	autoconfigures
	[ "$(guest cat /proc/sys/net/ipv6/conf/eth0/mtu)" = 1400 ]
}

@test "so does a virtual machine" {
	vm_start
	autoconfigures
}

@test "an advertisement is at once what was asked for, and all of it" {
	told_start -m 1400
	guest timeout "$DEADLINE_S" rdisc6 -1 -w 200 eth0 >"$BED/tmp/told"
	sed -i 's/[[:space:]]\+/ /g; s/ $//' "$BED/tmp/told"
	told 'Stateful address conf. : Yes'
	told 'Stateful other conf. : Yes'
	told 'Router lifetime : 65535 (0x0000ffff) seconds'
	told ' Prefix : fd77::/64'
	told ' On-link : Yes'
	told ' Autonomous address conf.: Yes'
	told ' Valid time : infinite (0xffffffff)'
	told ' Pref. time : infinite (0xffffffff)'
	told ' Source link-layer address: 9A:55:9A:55:9A:55'
	told ' MTU : 1400 bytes (valid)'
	told " Recursive DNS server : ${REMOTE[6]}"
	told ' DNS search list : lab.example corp.example'
	told " from $(our_ll)"
}

@test "advertisements come though nobody asks" {
	guest_root sysctl -qw net.ipv6.conf.default.router_solicitations=0
	bare_start --no-dhcpv6
	start guest radvdump >"$BED/tmp/told"
	DEADLINE_S=$((25 * BED_DEADLINE)) eventually route 6 "$(our_ll)"
	eventually grep -q 'prefix fd77::/64' "$BED/tmp/told"
	grep -q 'AdvManagedFlag off' "$BED/tmp/told"
}

# Asked by the kernel, when there is something to be sent.
neighbour() {	# ADDRESS
	guest bash -c "echo >/dev/udp/$1/9" || :
	guest ip neigh show "$1" dev eth0 | grep -q "lladdr $MAC"
}

@test "whoever the guest looks for, it is us" {
	bare_start
	guest ip addr add "${HOST[4]}/24" dev eth0
	guest ip addr add "${HOST[6]}/64" dev eth0
	for target in "${GATEWAY[4]}" 10.77.0.200; do
		guest arping -c 1 -w 5 -I eth0 "$target" | grep -qi $MAC
		eventually neighbour "$target"
	done
	for target in "${GATEWAY[6]}" fd77::200; do
		eventually neighbour "$target"
	done
	guest ndisc6 -1 "$(our_ll)" eth0 | grep -qi $MAC
}

@test "the guest may take any address, but not ours" {
	bare_start
	guest arping -D -c 1 -w 1 -I eth0 "${HOST[4]}"
	guest arping -D -c 1 -w 1 -I eth0 10.77.0.200
	not guest arping -D -c 1 -w 1 -I eth0 "${GATEWAY[4]}"

	guest_root sysctl -qw net.ipv6.conf.eth0.accept_dad=1
	guest ip addr add "${HOST[6]}/64" dev eth0
	guest ip addr add fd77::200/64 dev eth0
	guest ip addr add "${GATEWAY[6]}/64" dev eth0
	eventually no_tentative_but_failed
	[ "$(guest ip -6 -o addr show dev eth0 dadfailed | wc -l)" = 1 ]
	guest ip -6 -o addr show dev eth0 dadfailed |
		grep -q "${GATEWAY[6]}/64"
}

no_tentative_but_failed() {
	! guest ip -6 -o addr show dev eth0 tentative |
		grep -v dadfailed | grep -q inet6
}

# --- switched off ---

silent4() {
	not guest timeout 10 udhcpc -f -q -n -t 2 -T 1 -i eth0 -s "$BED/tmp/hook"
}

silent6() {
	not guest timeout 3 dhclient -6 -1 -d -lf "$BED/tmp/lease.6" \
		-pf "$BED/tmp/lease.pid" -sf "$BED/tmp/hook" eth0
}

silent_router() { not guest rdisc6 -1 -r 2 -w 500 eth0; }

@test "what is switched off is silent, and the rest is not" {
	bare_start --no-dhcp --no-dhcpv6
	silent4
	silent6
	guest rdisc6 -1 eth0 | grep 'Stateful' >"$BED/tmp/told"
	[ "$(grep -c No "$BED/tmp/told")" = 2 ]
	rm "$BED/tmp/told"
	daemon_end

	bare_start --no-ra
	silent_router
	guest ndisc6 -1 "$(our_ll)" eth0
	guest timeout "$DEADLINE_S" udhcpc -f -q -n -i eth0 -s "$BED/tmp/hook"
	dhclient_once 6
	eventually told 'reason=BOUND6'
	daemon_end

	bare_start --no-ndp
	silent_router
	not guest ndisc6 -1 -r 1 -w 500 "$(our_ll)" eth0
}

@test "a family that is off is not served" {
	bare_start -4
	silent6
	silent_router
	guest timeout "$DEADLINE_S" udhcpc -f -q -n -i eth0 -s "$BED/tmp/hook"
	daemon_end
	bare_start -6
	silent4
	guest rdisc6 -1 eth0
}
