#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# docker.bats - Docker's engine, rootless, as its own script starts it

# shellcheck disable=SC2154

load lib

setup() {
	STATE=/run/user/$BED_UID
	LOG=$BED/tmp/docker.log
	engine_start
}

teardown() {
	engine_end
	clients_end
	grep -E "level=(error|fatal)" "$LOG" || :
}

teardown_file() { rm -rf "/home/$BED_USER/.local/share/docker"; }

# vfs: a file system in memory is no place for overlays.
engine_start() {
	place host
	"${WORDS[@]}" env DOCKERD_ROOTLESS_ROOTLESSKIT_NET=pasta \
		DOCKERD_ROOTLESS_ROOTLESSKIT_PORT_DRIVER=implicit \
		PATH=/usr/local/bin:/usr/sbin:/usr/bin \
		/usr/share/docker.io/contrib/dockerd-rootless.sh \
		--storage-driver=vfs >"$LOG" 2>&1 3>&- &
	ENGINE=$!
	disown
	track "$ENGINE"
	eventually docker version >/dev/null 2>&1
	image_import
}

engine_end() {
	[ ! -e "/proc/$ENGINE" ] || kill -TERM "$ENGINE"
	eventually gone "$ENGINE"
}

docker() { host docker -H "unix://$STATE/docker.sock" "$@"; }

image_import() {
	docker image inspect tiny >/dev/null 2>&1 ||
		tar -C "$BED/tmp/tiny" -c . | docker import - tiny >/dev/null
}

published() {	# NAME OPTION...
	docker run -d --name "$1" "${@:2}" tiny tell-caller 7777 >/dev/null
}

@test "a container fetches by address and by name" {
	[ "$(docker run --rm tiny curl -sS http://10.77.0.3/)" = 'a page' ]
	[ "$(docker run --rm tiny curl -sS http://remote.corp.example/)" = \
		'a page' ]
	docker run --rm tiny curl -sS http://10.77.0.3/large |
		cmp - "$BED/tmp/web/large"
}

@test "an image is built with something it fetches" {
	printf 'FROM tiny\nRUN curl -sS http://remote.corp.example/ >/page\n' |
		docker build -q -t built - >/dev/null
	[ "$(docker run --rm built cat /page)" = 'a page' ]
}

@test "published ports are reached, the caller's address with them" {
	published tell -p 7777:7777 -p 7777:7777/udp
	for proto in tcp udp; do
		[ "$(ask_soon $proto remote 10.77.0.1 7777)" = 10.77.0.3 ]
		ask_soon $proto host 127.0.0.1 7777
	done
	docker rm -f tell
	eventually not_listening host 7777
}

@test "a container restarts 20 times with its port published" {
	published tell -p 7778:7777
	for _ in {1..20}; do
		ask_soon tcp remote 10.77.0.1 7778 >/dev/null
		docker restart -t 0 tell >/dev/null
	done
	[ "$(ask_soon tcp remote 10.77.0.1 7778)" = 10.77.0.3 ]
}

@test "with the engine ends its pasta" {
	[ -n "$(pastas)" ]
	engine_end
	eventually no_pastas
}
