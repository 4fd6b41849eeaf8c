#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# rootlesskit.bats - RootlessKit, as rootless Docker and nerdctl start it

load lib

setup() { STATE=$(host mktemp -d "/run/user/$BED_UID/rk.XXXXXX"); }
teardown() {
	[ -z "${KIT:-}" ] || ! [ -e "/proc/$KIT" ] || kill -TERM "$KIT"
	[ -z "${KIT:-}" ] || eventually gone "$KIT"
	clients_end
	rm -rf "$STATE"
}

OPTIONS=(--net=pasta --mtu=65520 --slirp4netns-sandbox=auto --copy-up=/etc
	 --propagation=rslave)

# RootlessKit in the background, its network complete: KIT, and CHILD in it.
kit_start() {	# [OPTION]...
	# shellcheck disable=SC2016	# for the shell in there
	start host rootlesskit "--state-dir=$STATE" "${OPTIONS[@]}" "$@" \
		sh -c 'touch "$1"; exec sleep infinity' sh "$STATE/ready"
	KIT=$STARTED
	eventually test -e "$STATE/ready"
	CHILD=$(cat "$STATE/child_pid")
}

# Its network. With --detach-netns, Docker's default, the namespace is a file in
# the child's mounts, and not the child's own.
eval "bed_$(declare -f place)"
place() {
	case $1 in
	kit) WORDS=("${AS_USER[@]}" nsenter -t "$CHILD" -U -n
		    --preserve-credentials) ;;
	detached) WORDS=(nsenter "--net=/proc/$CHILD/root$STATE/netns") ;;
	*) bed_place "$1" ;;
	esac
}
kit() { at kit "$@"; }
detached() { at detached "$@"; }

@test "a command gets its network, and its status is returned" {
	run host rootlesskit "${OPTIONS[@]}" --disable-host-loopback \
		sh -c 'ip -br addr show tap0; curl -sS http://10.77.0.3/; exit 3'
	echo "$output"
	[ "$status" = 3 ]
	[[ "$output" == *10.0.2.100/24* ]]
	[[ "$output" == *'a page'* ]]
	eventually no_pastas
}

@test "names are resolved by the forwarder at 10.0.2.3" {
	run host rootlesskit "${OPTIONS[@]}" \
		sh -c 'cat /etc/resolv.conf; curl -sS http://remote.corp.example/'
	echo "$output"
	[[ "$output" == *'nameserver 10.0.2.3'* ]]
	[[ "$output" == *'a page'* ]]
}

@test "implicit ports: what is listened on is published, and withdrawn" {
	kit_start --port-driver=implicit --disable-host-loopback
	tell_callers kit 7777
	for proto in tcp udp; do
		[ "$(ask_soon $proto remote 10.77.0.1 7777)" = 10.77.0.3 ]
		ask_soon $proto host 127.0.0.1 7777
	done
	tellers_end
	eventually not_listening host 7777
}

@test "a detached namespace: published, with the caller's address" {
	kit_start --detach-netns --port-driver=implicit --disable-host-loopback
	detached ip -br addr show tap0 | grep -q 10.0.2.100/24
	[ "$(detached curl -sS http://10.77.0.3/)" = 'a page' ]
	tell_callers detached 7777
	for proto in tcp udp; do
		[ "$(ask_soon $proto remote 10.77.0.1 7777)" = 10.77.0.3 ]
	done
	tellers_end
	eventually not_listening host 7777
}

@test "the host's loopback is out of reach unless it is wanted" {
	start host socat TCP4-LISTEN:6001,bind=127.0.0.1,fork,reuseaddr \
		'SYSTEM:read -r line; echo $SOCAT_PEERADDR'
	eventually listening host 6001
	kit_start
	[ "$(ask tcp kit 10.0.2.2 6001)" = 127.0.0.1 ]
	kill -TERM "$KIT"
	eventually gone "$KIT"
	eventually no_pastas
	rm -rf "$STATE"
	kit_start --disable-host-loopback
	not ask tcp kit 10.0.2.2 6001
}

@test "the daemon ends with RootlessKit, however that ends" {
	for signal in TERM KILL; do
		for detach in '' --detach-netns; do
			# shellcheck disable=SC2086
			kit_start $detach --port-driver=implicit
			[ -n "$(pastas)" ]
			kill -$signal "$KIT"
			eventually gone "$KIT"
			kill -KILL "$CHILD" 2>/dev/null || :
			[ "$signal$detach" != KILL--detach-netns ] ||
				umount_leftover
			eventually no_pastas
			rm -rf "$STATE"
		done
	done
}

# Killed, RootlessKit cannot remove the file; its owner's next start does.
umount_leftover() {
	umount "$STATE/netns" 2>/dev/null || :
	rm -f "$STATE/netns"
}
