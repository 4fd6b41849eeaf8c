# SPDX-License-Identifier: GPL-2.0-or-later
# setup_suite.bash - what is made once for all tests with clients: the user's
# settings, the image, servers in the network

# shellcheck shell=bash disable=SC2154

# shellcheck source=test/clients/lib.bash
source "${BASH_SOURCE[0]%/*}/lib.bash"

# No systemd here: no cgroups, no journal. Ours is found before the packaged one.
settings() {
	local dir=/home/$BED_USER/.config/containers

	host mkdir -p "$dir"
	host tee "$dir/containers.conf" >/dev/null <<-END
	[containers]
	cgroups = "disabled"
	[engine]
	cgroup_manager = "cgroupfs"
	events_logger = "none"
	helper_binaries_dir = ["/usr/local/bin", "/usr/lib/podman", "/usr/libexec/podman"]
	END
	host tee "$dir/registries.conf" >/dev/null <<-END
	[[registry]]
	location = "127.0.0.1:5000"
	insecure = true
	[[registry]]
	location = "10.77.0.1:5000"
	insecure = true
	END
	echo 'search corp.example' >>/etc/resolv.conf
}

# Programs with the libraries they are linked with, and busybox for the rest.
image() {
	local tree=$BED/tmp/tiny file

	mkdir -p "$tree"/{bin,dev,etc,lib64,proc,root,run,sys,tmp,usr/bin,var}
	cp /usr/bin/busybox "$tree/bin"
	for file in $(busybox --list | grep -vx busybox); do
		ln -sf busybox "$tree/bin/$file"
	done
	ln -sf bash "$tree/bin/sh"	# busybox prefers what it has itself
	for file in bash curl ip ping socat; do
		rm -f "$tree/bin/$file"
		cp "$(command -v $file)" "$tree/bin"
	done
	for file in $(ldd "$tree"/bin/{bash,curl,ip,ping,socat} \
			/usr/bin/docker-registry | grep -o '/[^ ]*\.so[^ ]*'); do
		mkdir -p "$tree${file%/*}"
		cp -L "$file" "$tree$file"
	done
	cp "${BASH_SOURCE[0]%/*}/tell-caller" "$tree/bin"
	echo 'root:x:0:0::/root:/bin/sh' >"$tree/etc/passwd"
	echo 'root:x:0:' >"$tree/etc/group"
	tar -C "$tree" -c . | podman import -q - "$IMAGE" >/dev/null
}

network() {
	local web=$BED/tmp/web

	mkdir "$web"
	echo 'a page' >"$web/index.html"
	head -c 20000000 /dev/urandom >"$web/large"
	start remote_root busybox httpd -f -p '[::]:80' -h "$web"
	start remote_root dnsmasq --keep-in-foreground --no-hosts --no-resolv \
		--user=root --pid-file= --bind-interfaces --interface=eth0 \
		--host-record=remote.corp.example,10.77.0.3,fd77::3
	tell_callers remote_root 7
}

setup_suite() {
	settings
	image
	network
}

# The pause process of Podman, too.
teardown_suite() {
	tellers_end
	tracked_kill
	podman system migrate
}
