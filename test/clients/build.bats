#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# build.bats - images: built with what the network gives, pushed, pulled

load lib

teardown() { clients_end; }

recipe() {
	cat <<-END
	FROM $IMAGE
	RUN curl -sSo /page http://remote.corp.example/
	RUN curl -sS6o /large http://remote/large && ip -br addr show eth0 >/addr
	END
}

@test "podman build fetches what its steps need, and leaves no daemon" {
	recipe | podman build -q -t built - 3>&-
	[ "$(podman run --rm built cat /page)" = 'a page' ]
	podman run --rm built grep -q 10.77.0.1/24 /addr
	[ "$(podman run --rm built sha256sum </dev/null /large |
		cut -d' ' -f1)" = \
		"$(sha256sum <"$BED/tmp/web/large" | cut -d' ' -f1)" ]
	podman rmi -f built
	eventually no_pastas
}

@test "options for pasta reach the steps of a build" {
	printf 'FROM %s\nRUN ip link >/links\n' "$IMAGE" |
		podman build -q -t built --network=pasta:-I,uplink0,-m,1400 - \
		3>&-
	podman run --rm built grep -q 'uplink0: .*mtu 1400' /links
	podman rmi -f built
}

@test "buildah bud and run fetch what they need, and leave no daemon" {
	local id

	recipe | buildah bud -q -t built - 3>&-
	id=$(buildah from built)
	[ "$(buildah run "$id" cat /page)" = 'a page' ]
	[ "$(buildah run "$id" curl -sS http://remote/)" = 'a page' ]
	buildah rm "$id"
	buildah rmi -f built
	eventually no_pastas
}

# A registry in a container, with 20 MB of noise in an image.
registry() {
	printf '%s\n' 'version: 0.1' 'storage: {filesystem: {rootdirectory: /r}}' \
		'http: {addr: ":5000"}' >"$BED/tmp/registry.yml"
	chmod 644 "$BED/tmp/registry.yml"
	run_detached registry --network=pasta -p 5000:5000 --tmpfs /r \
		-v /usr/bin/docker-registry:/bin/docker-registry:ro \
		-v "$BED/tmp/registry.yml:/registry.yml:ro" \
		-- docker-registry serve /registry.yml
	eventually host curl -sSf http://127.0.0.1:5000/v2/
}

@test "images go to a registry in a container and come back the same" {
	local id at

	recipe | podman build -q -t built - 3>&-
	id=$(podman image inspect -f '{{.Id}}' built)
	registry
	for at in 127.0.0.1 10.77.0.1; do
		podman push -q "localhost/built" "$at:5000/image"
		podman rmi "localhost/built"
		podman pull -q "$at:5000/image"
		[ "$(podman image inspect -f '{{.Id}}' "$at:5000/image")" = \
			"$id" ]
		podman tag "$at:5000/image" localhost/built
		podman rmi "$at:5000/image"
	done
	[ "$(podman run --rm built cat /page)" = 'a page' ]
	podman rmi -f built
}
