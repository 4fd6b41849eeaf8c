#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# bridge.bats - containers on bridges, behind one pasta for all of a user's:
# Podman's "rootless netns"

load lib

setup() { podman network create net >/dev/null; }
teardown() {
	clients_end
	podman network prune -f >/dev/null
}

CONN=/run/user/$BED_UID/containers/networks/rootless-netns/rootless-netns-conn.pid

@test "containers on a bridge reach the network, by name and address" {
	run_detached c --network=net -- sleep infinity
	[ "$(inside c curl -sS http://remote.corp.example/)" = 'a page' ]
	[ "$(inside c curl -sS http://10.77.0.3/)" = 'a page' ]
	for proto in tcp udp; do
		[ "$(ask_inside $proto c 10.77.0.3 7)" = 10.77.0.1 ]
	done
	inside c ping -c 1 -W 5 10.77.0.3
}

@test "with IPv6 on the bridge it is the same" {
	podman network create --ipv6 net6
	run_detached c --network=net6 -- sleep infinity
	[ "$(inside c curl -sS -6 http://remote.corp.example/)" = 'a page' ]
	for proto in tcp udp; do
		[ "$(ask_inside $proto c fd77::3 7)" = "$(as_seen fd77::1)" ]
	done
	inside c ping -6 -c 1 -W 5 remote.corp.example
}

@test "containers find each other by name" {
	run_detached a --network=net -- tell-caller 7
	run_detached b --network=net -- sleep infinity
	eventually ask_inside tcp b a 7
	eventually ask_inside udp b a 7
}

@test "published ports reach containers on a bridge" {
	run_detached c --network=net -p 8080:7 -p 8080:7/udp -- tell-caller 7
	for proto in tcp udp; do
		ask_soon $proto host 127.0.0.1 8080
		ask_soon $proto remote 10.77.0.1 8080
	done
}

@test "the host is reached from a bridge by the name Podman documents" {
	tell_callers host 6000
	run_detached c --network=net -- sleep infinity
	eventually ask tcp host 10.77.0.1 6000
	inside c grep -E "^$MAP_GUEST[[:space:]]+host.containers.internal" \
		/etc/hosts
	for proto in tcp udp; do
		[ "$(ask_inside $proto c host.containers.internal 6000)" = \
			10.77.0.1 ]
	done
}

@test "one daemon serves all bridges, and ends with the last container" {
	podman network create other
	run_detached a --network=net -- sleep infinity
	run_detached b --network=other -- sleep infinity
	[ "$(pgrep -u "$BED_UID" -fc "pid $CONN")" = \
		"$(pgrep -u "$BED_UID" -c '^(pas(ta|st)|resolv-reader)')" ]
	[ "$(inside b curl -sS http://remote.corp.example/)" = 'a page' ]
	podman rm -f -t 0 a
	[ "$(inside b curl -sS http://remote.corp.example/)" = 'a page' ]
	podman rm -f -t 0 b
	eventually no_pastas
}

@test "a daemon that was killed is started again on the same namespace" {
	run_detached a --network=net -- sleep infinity
	kill -KILL "$(cat "$CONN")"
	eventually no_pastas
	run_detached b --network=net -- sleep infinity
	for c in a b; do
		[ "$(inside $c curl -sS http://remote.corp.example/)" = 'a page' ]
	done
}

@test "podman unshare --rootless-netns has the network too" {
	[ "$(podman unshare --rootless-netns curl -sS http://10.77.0.3/)" = \
		'a page' ]
	eventually no_pastas
}

@test "when the daemon cannot start podman says so, and can start later" {
	local fake=$BED/tmp/fake

	mkdir -m 755 "$fake"
	printf '#!/bin/sh\necho no such luck >&2\nexit 1\n' >"$fake/pasta"
	chmod 755 "$fake/pasta"
	run host env CONTAINERS_HELPER_BINARY_DIR="$fake" \
		podman unshare --rootless-netns true
	[ "$status" = 125 ]
	[[ "$output" == *'pasta failed with exit code 1'* ]]
	podman unshare --rootless-netns true
}

@test "a container is connected to a second bridge as it runs" {
	podman network create other
	run_detached c --network=net -- sleep infinity
	podman network connect other c
	inside c ip -br addr show eth1 | grep -q '10\.89\.'
	[ "$(inside c curl -sS http://remote.corp.example/)" = 'a page' ]
}
