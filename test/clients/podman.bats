#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# podman.bats - containers with a pasta of their own: --network=pasta

load lib

teardown() { clients_end; }

@test "podman info finds our program" {
	[ "$(podman info -f '{{.Host.Pasta.Executable}}')" = \
		/usr/local/bin/pasta ]
	[ "$(podman info -f '{{.Host.Pasta.Version}}' | head -n 1)" = \
		"$(host pasta --version | head -n 1)" ]
	[ "$(podman info -f '{{.Host.RootlessNetworkCmd}}')" = pasta ]
}

@test "the container has the host's interface, addresses, routes and MTU" {
	run_detached c --network=pasta -- sleep infinity
	inside c ip addr show eth0 >"$BED/tmp/out"
	cat "$BED/tmp/out"
	grep -q 'inet 10.77.0.1/24 ' "$BED/tmp/out"
	grep -q 'inet6 fd77::1/64 .*nodad' "$BED/tmp/out"
	grep -q 'mtu 65520' "$BED/tmp/out"
	inside c ip -4 route | grep -q '^default via 10.77.0.2 dev eth0'
	inside c ip -6 route | grep -q '^default via fd77::2 dev eth0'
}

@test "it is the default: no option is needed" {
	[ "$(podman run --rm "$IMAGE" ip -br -4 addr show eth0 |
		awk '{ print $3 }')" = 10.77.0.1/24 ]
}

@test "containers reach the network, by name and address" {
	run_detached c --network=pasta -- sleep infinity
	for at in remote.corp.example remote 10.77.0.3 '[fd77::3]'; do
		[ "$(inside c curl -sS "http://$at/")" = 'a page' ]
	done
	for family in 4 6; do
		[ "$(inside c curl -sS -$family http://remote/)" = 'a page' ]
		for proto in tcp udp; do
			[ "$(ask_inside $proto c ${REMOTE[$family]} 7)" = \
				"$(as_seen ${HOST[$family]})" ]
		done
	done
}

@test "what is fetched is whole" {
	local sum

	sum=$(sha256sum <"$BED/tmp/web/large")
	[ "$(podman run --rm "$IMAGE" curl -sS http://remote/large |
		sha256sum)" = "$sum" ]
}

@test "names are resolved by the forwarder that Podman puts first" {
	run_detached c --network=pasta -- sleep infinity
	inside c cat /etc/resolv.conf
	[ "$(inside c awk '$1 == "nameserver" { print $2; exit }' \
		/etc/resolv.conf)" = "$DNS_FORWARD" ]
	inside c grep -qx 'search corp.example' /etc/resolv.conf
	inside c nslookup remote.corp.example "$DNS_FORWARD"
	inside c nslookup -type=aaaa remote.corp.example "$DNS_FORWARD" |
		grep -q fd77::3
	inside c getent hosts remote ||
		inside c ping -c 1 -W 5 remote
}

@test "ping goes out in both families, without privileges" {
	run_detached c --network=pasta -- sleep infinity
	for family in 4 6; do
		inside c ping -c 2 -i 0.2 -W 5 ${REMOTE[$family]}
		inside --user 1000 c ping -c 1 -W 5 ${REMOTE[$family]}
	done
	not inside c ping -c 1 -W 1 10.77.0.99
}

@test "published ports reach the container; who calls keeps its address" {
	run_detached c -p 8080:7 -p 8080:7/udp -- tell-caller 7
	for family in 4 6; do
		for proto in tcp udp; do
			echo "$family $proto"
			[ "$(ask_soon $proto remote ${HOST[$family]} 8080)" = \
				"$(as_seen ${REMOTE[$family]})" ]
		done
	done
}

@test "published ports answer on the host's own addresses and loopback" {
	run_detached c --network=pasta -p 8080:7 -p 8080:7/udp -- tell-caller 7
	for proto in tcp udp; do
		for family in 4 6; do
			ask_soon $proto host ${LOOPBACK[$family]} 8080
			ask_soon $proto host ${HOST[$family]} 8080
			ask_soon $proto host ${HOST_EXTRA[$family]} 8080
		done
		[ "$(ask $proto host 127.0.0.1 8080)" = 10.77.0.1 ]
		[ "$(ask $proto host ::1 8080)" = "$(as_seen fd77::1)" ]
		[ "$(ask $proto host 10.77.0.1 8080)" = $MAP_GUEST ]
	done
}

@test "a published port without a service behind it is refused" {
	run_detached c --network=pasta -p 8080:7 -- sleep infinity
	for family in 4 6; do
		not remote curl -s -m 5 \
			"http://$(bracketed ${HOST[$family]}):8080/"
		[ "$(remote curl -s -m 5 -o /dev/null -w '%{errormsg}' \
			"http://$(bracketed ${HOST[$family]}):8080/" |
			grep -ciE 'timed out')" = 0 ]
	done
}

@test "ranges are published" {
	run_detached c -p 8000-8004:7000-7004 -p 8000-8004:7000-7004/udp \
		-- tell-caller 7000 7001 7002 7003 7004
	for port in 8000 8002 8004; do
		for proto in tcp udp; do
			for family in 4 6; do
				ask_soon $proto remote ${HOST[$family]} $port
			done
		done
	done
	not listening host 7999
	not listening host 8005
}

@test "a port published at an address is there and nowhere else" {
	run_detached c -p 127.0.0.1:8080:7 -p '[::1]:8081:7' \
		-p 10.77.0.1:8082:7 -p '[fd77::1]:8083:7' \
		-p 10.77.0.1:8082:7/udp -p '[fd77::1]:8083:7/udp' -- tell-caller 7
	ask_soon tcp host 127.0.0.1 8080
	ask_soon tcp host ::1 8081
	for proto in tcp udp; do
		ask_soon $proto remote 10.77.0.1 8082
		ask_soon $proto remote fd77::1 8083
		not ask $proto remote fd77::1 8082
		not ask $proto remote 10.77.0.1 8083
	done
	not ask tcp remote 10.77.0.1 8080
	not ask tcp remote fd77::1 8081
	not ask tcp host 10.77.9.1 8080
}

@test "the host is reached by the names and addresses Podman documents" {
	tell_callers host 6000
	run_detached c --network=pasta -- sleep infinity
	eventually ask tcp host 10.77.0.1 6000
	inside c grep -E "^$MAP_GUEST[[:space:]]+host.containers.internal" \
		/etc/hosts
	for proto in tcp udp; do
		[ "$(ask_inside $proto c host.containers.internal 6000)" = \
			10.77.0.1 ]
		[ "$(ask_inside $proto c $MAP_GUEST 6000)" = 10.77.0.1 ]
	done
	inside c ping -c 1 -W 5 $MAP_GUEST
	for family in 4 6; do
		ask_inside tcp c ${HOST_EXTRA[$family]} 6000
	done
}

@test "services on the host's loopback are out of reach, unless asked for" {
	start host socat TCP4-LISTEN:6001,bind=127.0.0.1,fork,reuseaddr \
		'SYSTEM:read -r line; echo $SOCAT_PEERADDR'
	eventually listening host 6001
	run_detached none --network=pasta -- sleep infinity
	not ask_inside tcp none 127.0.0.1 6001
	not ask_inside tcp none 10.77.0.2 6001
	run_detached gw --network=pasta:--map-gw -- sleep infinity
	[ "$(ask_inside tcp gw 10.77.0.2 6001)" = 127.0.0.1 ]
	run_detached to --network=pasta:-T,6001 -- sleep infinity
	[ "$(ask_inside tcp to 127.0.0.1 6001)" = 127.0.0.1 ]
	run_detached map --network=pasta:--map-host-loopback=10.11.12.13 \
		-- sleep infinity
	[ "$(ask_inside tcp map 10.11.12.13 6001)" = 127.0.0.1 ]
}

@test "options for pasta after --network=pasta: are taken" {
	out() { podman run --rm "--network=pasta:$1" "$IMAGE" ip addr; }

	out -I,uplink0 | grep -q ': uplink0:'
	out -m,1280 | grep -q 'eth0: .*mtu 1280'
	out --mtu,1500 | grep -q 'eth0: .*mtu 1500'
	out -a,192.0.2.7,-n,24,-g,192.0.2.1 | grep -q 'inet 192.0.2.7/24 '
	out --ipv4-only >"$BED/tmp/out"
	grep -q 'inet 10.77.0.1/24' "$BED/tmp/out"
	not grep -q 'inet6 fd77' "$BED/tmp/out"
	out -6 >"$BED/tmp/out"
	grep -q 'inet6 fd77::1/64' "$BED/tmp/out"
	not grep -q 'inet 10.77' "$BED/tmp/out"
	out --ns-mac-addr,02:00:00:00:00:07 | grep -q 02:00:00:00:00:07
	out --ipv4-only,-a,10.0.2.0,-n,24,-g,10.0.2.2,--dns-forward,10.0.2.3,-m,1500,--no-ndp,--no-dhcpv6,--no-dhcp |
		grep -q 'inet 10.0.2.0/24 '
}

@test "with addresses of its own the network is reached all the same" {
	run_detached c -p 8080:7 -p 8080:7/udp \
		--network=pasta:-a,192.0.2.7,-n,24,-g,192.0.2.1,-a,fd99::7,-g,fd99::1 \
		-- tell-caller 7
	for family in 4 6; do
		for proto in tcp udp; do
			[ "$(ask_inside $proto c ${REMOTE[$family]} 7)" = \
				"$(as_seen ${HOST[$family]})" ]
			[ "$(ask_soon $proto remote ${HOST[$family]} 8080)" = \
				"$(as_seen ${REMOTE[$family]})" ]
		done
	done
}

@test "automatic ports are published as services come, and withdrawn" {
	run_detached c --network=pasta:-t,auto,-u,auto,-T,auto,-U,auto \
		-- sleep infinity
	inside -d c tell-caller 7777
	for family in 4 6; do
		for proto in tcp udp; do
			ask_soon $proto remote ${HOST[$family]} 7777
		done
	done
	inside c killall socat
	eventually not_listening host 7777
}

@test "options of containers.conf are taken" {
	local conf=$BED/tmp/conf

	printf '[network]\npasta_options = ["-I", "conf0", "--mtu", "1400"]\n' \
		>"$conf"
	host env CONTAINERS_CONF_OVERRIDE="$conf" podman run --rm \
		"$IMAGE" ip link | grep -q 'conf0: .*mtu 1400'
}

@test "a port that is taken makes podman fail with the port and the reason" {
	start host socat TCP6-LISTEN:8080,ipv6only=0,reuseaddr -
	eventually listening host 8080
	not podman run --rm -p 8080:80 "$IMAGE" true 2>"$BED/tmp/err"
	cat "$BED/tmp/err"
	grep -q 'pasta failed with exit code 1' "$BED/tmp/err"
	grep -q '8080.*Address already in use' "$BED/tmp/err"
}

@test "a privileged port makes podman fail with the port and the reason" {
	host_root sysctl -qw net.ipv4.ip_unprivileged_port_start=1024
	not podman run --rm -p 80:80 "$IMAGE" true 2>"$BED/tmp/err"
	cat "$BED/tmp/err"
	grep -q '80.*Permission denied' "$BED/tmp/err"
}

@test "an option unknown makes podman fail in the words it looks for" {
	not podman run --rm --network=pasta:--frobnicate "$IMAGE" true \
		2>"$BED/tmp/err"
	cat "$BED/tmp/err"
	grep -q "unrecognized option '--frobnicate'" "$BED/tmp/err"
}

@test "a pod's containers share addresses, ports and loopback" {
	podman pod create --network=pasta -p 8080:7 p
	podman run -d --pod p --name a "$IMAGE" tell-caller 7 3>&-
	podman run -d --pod p --name b "$IMAGE" sleep infinity 3>&-
	[ "$(ask_soon tcp remote 10.77.0.1 8080)" = 10.77.0.3 ]
	[ "$(ask_inside tcp b 127.0.0.1 7)" = 127.0.0.1 ]
	[ "$(ask_inside tcp b ::1 7)" = "$(as_seen ::1)" ]
	[ "$(inside b curl -sS http://remote/)" = 'a page' ]
	[ "$(pgrep -u "$BED_UID" -fc 'pasta --config-net')" -gt 0 ]
	podman pod rm -f -t 0 p
	eventually not_listening host 8080
}

@test "podman stop ends the daemon, and frees the port" {
	run_detached c -p 8080:7 -- tell-caller 7
	ask_soon tcp host 127.0.0.1 8080
	[ -n "$(pastas)" ]
	podman stop -t 0 c
	not listening host 8080
	eventually no_pastas
}

@test "containers that end by themselves leave no daemon" {
	podman run --rm -p 8080:7 "$IMAGE" true
	eventually no_pastas
	not listening host 8080
	[ -z "$(ls "/run/user/$BED_UID/netns" 2>/dev/null)" ]
}

@test "a container restarts 100 times without finding its port taken" {
	BATS_TEST_RETRIES=0
	run_detached c -p 8080:7 -p 8080:7/udp -- sleep infinity
	for i in $(seq 100); do
		podman restart -t 0 c >/dev/null || {
			echo "restart $i" >&2
			return 1
		}
	done
	inside -d c tell-caller 7
	ask_soon tcp remote 10.77.0.1 8080
}

@test "containers start on a host without a network, and reach each other's ports" {
	ip netns del offline 2>/dev/null || :
	ip netns add offline
	ip -n offline link set lo up
	BED_HOST=/run/netns/offline
	run_detached c -p 8080:7 -p 8080:7/udp -- tell-caller 7
	inside c ip -br -4 addr show tap0 | grep -q 169.254.2.1/16
	for proto in tcp udp; do
		ask_soon $proto host 127.0.0.1 8080
		ask_soon $proto host ::1 8080
	done
	clients_end
	ip netns del offline
}

@test "ten containers start at once" {
	for i in $(seq 10); do
		podman run --rm -p "$((8100 + i)):7" "$IMAGE" \
			curl -sS http://remote/ >"$BED/tmp/out.$i" 3>&- &
	done
	wait
	for i in $(seq 10); do
		[ "$(cat "$BED/tmp/out.$i")" = 'a page' ]
	done
}
