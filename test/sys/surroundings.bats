# SPDX-License-Identifier: GPL-2.0-or-later
# Started where not everything is there, or allowed: containers, old kernels,
# security modules, small root filesystems. Whatever is optional is done without,
# and said at debug level; for the rest there is one line which names it.

# shellcheck disable=SC2016,SC2030,SC2031

load lib

NONE=(-t none -u none -T none -U none)
PORT=5010

# Modes of files are the same in all mount namespaces, other tests' included.
teardown() {
	tracked_kill
	chmod 666 /dev/net/tun
	chmod 644 "$BED/resolv.conf"
}

# A failure in which "!" would be is no failure to the shell.
not() { ! "$@"; }

# A command in the namespace: both families reach the world.
REACH='for a in 10.77.0.3 fd77::3; do
	socat -u OPEN:/dev/null "TCP:[$a]:'$PORT'" 2>/dev/null ||
	socat -u OPEN:/dev/null "TCP:$a:'$PORT'" || exit 9
done'

# What the program is started from: the host, with root's CHANGES to its mounts.
changed() {	# CHANGES
	FROM=(nsenter "--net=$BED_HOST" unshare -m sh -ec "$1; exec \"\$@\"" -
	      "${AS_USER[@]}")
}
setup() {
	rm -f "$BED"/tmp/surroundings.*
	changed true
}
from() { "${FROM[@]}" "$@"; }

# Whatever comes before the program's name, it works in all modes, in silence.
works() {	# CMD...
	works_somehow "$@" >"$BED/tmp/said" 2>&1 &&
		not grep -vE "nameserver|Couldn't (mount .proc|set ping_gr)" "$BED/tmp/said" ||
		{ echo "$*:"; cat "$BED/tmp/said"; return 1; }
}

works_somehow() {
	local pidfile=$BED/tmp/surroundings.pid

	listening remote $PORT || serve remote :: $PORT
	from "$@" pasta -q "${NONE[@]}" --config-net -- sh -c "$REACH" ||
		{ echo "spawned: $?"; return 1; }

	from "$@" pasta -q "${NONE[@]}" --config-net -P "$pidfile" "$GUEST" 3>&- ||
		{ echo "attached: $?"; return 1; }
	DAEMON=$(cat "$pidfile")
	track "$DAEMON"
	guest sh -c "$REACH" || { echo "attached, no traffic"; return 1; }
	kill "$DAEMON"
	eventually gone "$DAEMON"

	from "$@" passt -q -t none -u none -P "$pidfile" \
		-s "$BED/tmp/surroundings.socket" 3>&- ||
		{ echo "passt: $?"; return 1; }
	DAEMON=$(cat "$pidfile")
	track "$DAEMON"
	host socat -u OPEN:/dev/null \
		"UNIX-CONNECT:$BED/tmp/surroundings.socket" ||
		{ echo "passt does not listen"; return 1; }
	kill "$DAEMON"
	eventually gone "$DAEMON"
}

# One line, which says this, and status 1.
fails_saying() {	# TEXT CMD...
	local text=$1

	shift
	run from "$@"
	echo "$*: $status, $output"
	[ "$status" = 1 ] && [ "${#lines[@]}" = 1 ] && [[ "$output" == *"$text"* ]]
}

@test "calls of newer kernels are done without" {
	local call

	guest_new
	for call in close_range pidfd_open landlock_create_ruleset memfd_create \
		    clone3 faccessat2 epoll_pwait2 openat2 statx \
		    prctl:0=47 sendmmsg; do
		works deny ENOSYS $call --
	done
	works deny ENOSYS close_range pidfd_open landlock_create_ruleset \
		memfd_create clone3 faccessat2 epoll_pwait2 openat2 statx --
	works deny EPERM close_range pidfd_open landlock_create_ruleset \
		memfd_create --
}

@test "descriptors of the caller are closed, also by older kernels" {
	local denied

	guest_new
	# ... which has /proc list them, or, no folders opened, tries all
	for denied in close_range "close_range openat:2&0x14000"; do
		# shellcheck disable=SC2086
		host deny ENOSYS $denied -- pasta -q "${NONE[@]}" \
			-P "$BED/tmp/surroundings.pid" "$GUEST" \
			3>&- 7</etc/hosts 42</etc/hosts
		DAEMON=$(cat "$BED/tmp/surroundings.pid")
		track "$DAEMON"
		for p in $(daemon_tree); do
			not grep -q hosts <<<"$(readlink "/proc/$p"/fd/*)"
		done
		tracked_kill
		guest_new
	done
}

@test "optional files that may not be read, or are not there" {
	guest_new
	changed 'mount -t tmpfs -o mode=0 none /proc/sys'
	works
	changed 'mount -t tmpfs -o mode=0 none /sys'
	works
	changed 'umount -l /sys'
	works
	changed 'chmod 0 $BED/resolv.conf; mount --bind $BED/resolv.conf /etc/resolv.conf'
	works
	changed 'mount -t tmpfs none /etc'
	works
	changed 'mount -t tmpfs -o mode=0 none /run'
	works
}

# Joining is by path then, of a namespace that root has made.
@test "without /proc, all works that does not name a process" {
	local pidfile=$BED/tmp/surroundings.pid

	serve remote :: $PORT
	changed 'umount -l /proc'
	run from pasta -q "${NONE[@]}" --config-net -- sh -c "$REACH"
	echo "$output"
	[ "$status" = 0 ]

	ip netns add surroundings
	GUEST_AT=(ip netns exec surroundings)
	nsenter "--net=$BED_HOST" unshare -m sh -ec 'umount -l /proc
		exec "$@"' - pasta -q "${NONE[@]}" --config-net -P "$pidfile" \
		--netns surroundings 3>&-
	track "$(cat "$pidfile")"
	ip netns exec surroundings sh -c "$REACH"
	ip netns del surroundings
	eventually gone "$(cat "$pidfile")"
}

@test "no inotify, or no events at all: a file is watched by looking at it" {
	guest_new
	works deny EMFILE inotify_init1 --
	works deny ENOSPC inotify_add_watch --
	works deny EMFILE inotify_init1 EINVAL fcntl:1=1026 --
}

@test "no mounts, no namespaces but those asked for: still confined, and works" {
	local call

	guest_new
	for call in mount pivot_root umount2 'unshare:0&0x20000' \
		    'unshare:0&0x8000000' 'unshare:0&0x4000000' chroot; do
		works deny EPERM $call --
	done
	works deny EINVAL pivot_root --
	works deny ENOSYS landlock_create_ruleset EPERM mount --
}

@test "the kernel has no IPv6" {
	guest_new
	REACH=${REACH/ fd77::3/}
	works deny EAFNOSUPPORT socket:0=10 --
}

# Forwarding for both families becomes forwarding for the one there is.
@test "the kernel has no IPv6: ports are forwarded all the same" {
	local pidfile=$BED/tmp/surroundings.pid ports

	guest_new
	for ports in "-t $PORT -u $PORT -T 5011 -U 5011" \
		     "-t auto -u auto -T auto -U auto"; do
		# shellcheck disable=SC2086
		host deny EAFNOSUPPORT socket:0=10 -- pasta -q --config-net \
			$ports -P "$pidfile" "$GUEST" 3>&-
		DAEMON=$(cat "$pidfile")
		track "$DAEMON"
		serve guest 0.0.0.0 $PORT
		eventually remote socat -u OPEN:/dev/null TCP:10.77.0.1:$PORT
		kill "$DAEMON" "$SERVER"
		eventually gone "$DAEMON"
	done
}

@test "the kernel has no ping sockets, the user none" {
	guest_new
	works deny EACCES socket:1=2050,2=1 socket:1=526338,2=1 socket:1=2 --
}

# One step at a time: what is said is missing, in every mode in the background,
# and that the network works without.
@test "each step of the sandbox that is denied is done without, and said" {
	local bit name deny

	guest_new
	for bit in 0x20000000/PID 0x8000000/IPC 0x4000000/UTS; do
		name="${bit#*/} namespace"
		deny=(deny EPERM "unshare:0&${bit%/*}" --)
		works "${deny[@]}"
		says_missing "$name (Operation not permitted)" "${deny[@]}"
	done
	says_missing "empty root filesystem (Operation not permitted)" \
		deny EPERM 'unshare:0&0x20000' --
	says_missing "empty root filesystem (Permission denied)" \
		deny EACCES pivot_root --
	says_missing "Landlock (Operation not supported)" \
		deny EOPNOTSUPP landlock_create_ruleset --
	works deny EOPNOTSUPP landlock_create_ruleset --
}

says_missing() {	# WHAT CMD...
	local pidfile=$BED/tmp/surroundings.pid

	from "${@:2}" pasta "${NONE[@]}" --config-net -P "$pidfile" "$GUEST" \
		>"$BED/tmp/said" 2>&1 3>&-
	DAEMON=$(cat "$pidfile")
	track "$DAEMON"
	grep -F "Sandbox: closed, but without: $1" "$BED/tmp/said" ||
		{ echo "$*:"; cat "$BED/tmp/said"; return 1; }
	[ "$(awk '$1 == "Seccomp:" { print $2 }' "/proc/$DAEMON/status")" = 2 ]
	kill "$DAEMON"
	eventually gone "$DAEMON"
	rm -f "$pidfile"
}

@test "what cannot be done without is named" {
	local pasta=(pasta -q "${NONE[@]}")

	fails_saying "create user namespace: Operation not permitted (user" \
		deny EPERM 'unshare:0&0x10000000' -- "${pasta[@]}" -- true
	fails_saying "create user namespace: No space left on device (as many" \
		deny ENOSPC 'unshare:0&0x10000000' -- "${pasta[@]}" -- true
	fails_saying "create network namespace: Operation not permitted" \
		deny EPERM 'unshare:0&0x40000000' -- "${pasta[@]}" -- true
	for bit in 0x20000000 0x20000 0x8000000 0x4000000; do
		fails_saying "PID, mount, IPC and UTS namespaces: Operation not" \
			deny EPERM "clone:0&$bit" -- "${pasta[@]}" -- true
	done
	guest_new
	fails_saying "enter user namespace /proc/$GUEST/ns/user: Operation not" \
		deny EPERM setns -- "${pasta[@]}" "$GUEST"
	fails_saying "enter network namespace /proc/$GUEST/ns/net: Operation not" \
		deny EPERM setns:1=0x40000000 -- "${pasta[@]}" "$GUEST"

	changed 'mkdir -p $BED/dev; mount --bind $BED/dev /dev/net'
	fails_saying "/dev/net/tun: No such file or directory (load the module tun, or" \
		"${pasta[@]}" -- true
	from "${pasta[@]}" --splice-only -- true
	changed 'chmod 600 /dev/net/tun'
	fails_saying "/dev/net/tun: Permission denied (it must be writable" \
		"${pasta[@]}" -- true
}

# --- containers, small roots ---

# Root of a user namespace, with mount and PID namespaces, as a container has.
@test "in a container, as its root: runs a command, and is attached" {
	serve remote :: $PORT
	from unshare -rUmpf --mount-proc env "REACH=$REACH" sh -ec '
		n="-q -t none -u none -T none -U none --config-net"
		pasta $n -- sh -c "$REACH"
		unshare -n sleep 1000 &
		until [ "$(cat /proc/$!/comm)" = sleep ]; do :; done
		pasta $n -P "$0.pid" $!
		nsenter -t $! -n sh -c "$REACH"
		pasta $n -f -P "$0.pid2" $! && exit 1	# busy
		touch "$0.netns"
		unshare -n mount --bind /proc/self/ns/net "$0.netns"
		pasta $n -P "$0.pid" --netns "$0.netns"
		nsenter --net="$0.netns" sh -c "$REACH"
	' "$BED/tmp/surroundings"
}

@test "in a container within a container, too" {
	serve remote :: $PORT
	from unshare -rUm unshare -rUm pasta -q "${NONE[@]}" --config-net -- \
		sh -c "$REACH"
}

# Nothing but the program and its libraries, and two devices.
small_root() {
	ROOT=$BED/root
	mkdir -p "$ROOT/dev/net" "$ROOT/bin"
	cp -L "$BED/bin/passt" "$ROOT/bin"
	ln -sf passt "$ROOT/bin/pasta"
	ldd "$BED/bin/passt" | grep -o '/[^ ]*' | while read -r lib; do
		mkdir -p "$ROOT${lib%/*}"
		cp -L "$lib" "$ROOT$lib"
	done
	[ -e "$ROOT/dev/null" ] || mknod -m 666 "$ROOT/dev/null" c 1 3
	[ -e "$ROOT/dev/net/tun" ] || mknod -m 666 "$ROOT/dev/net/tun" c 10 200
	mkdir -pm 1777 "$ROOT/tmp"
	INTO=(nsenter "--net=$BED_HOST" chroot)
}

@test "in a root file system with nothing in it: pasta on a namespace" {
	local pid

	small_root
	serve remote :: $PORT
	ip netns add surroundings
	touch "$ROOT/netns"
	mount --bind /run/netns/surroundings "$ROOT/netns"
	"${INTO[@]}" "$ROOT" pasta "${NONE[@]}" --runas 0 --config-net -q \
		-P /pid --netns /netns 3>&-
	pid=$(cat "$ROOT/pid")
	track "$pid"
	ip netns exec surroundings sh -c "$REACH"
	umount "$ROOT/netns"
	rm "$ROOT/netns"
	eventually gone "$pid"
	ip netns del surroundings
}

@test "in a root file system with nothing in it: an ordinary user's passt" {
	small_root
	"${INTO[@]}" --userspec "$BED_UID:$BED_UID" "$ROOT" passt -q -t none \
		-u none -P /tmp/pid -s /tmp/socket 3>&-
	track "$(cat "$ROOT/tmp/pid")"
	socat -u OPEN:/dev/null "UNIX-CONNECT:$ROOT/tmp/socket"
}

@test "a user in a chroot is told why there is no namespace to be had" {
	small_root
	run "${INTO[@]}" --userspec "$BED_UID:$BED_UID" "$ROOT" pasta -q \
		"${NONE[@]}" -- true
	[ "$status" = 1 ]
	[[ "$output" == *"Couldn't create user namespace: Operation not"* ]]
	[[ "$output" == *"in a chroot"* ]]
}

# Another host, with nothing but loopback; and its network, when it comes.
offline() {
	ip netns del offline 2>/dev/null || :	# of a first try
	ip netns add offline
	ip -n offline link set lo up
	BED_HOST=/run/netns/offline
}
online() {
	ip -n offline link add eth7 type veth peer name eth7 netns remote
	ip -n offline addr add 10.99.0.1/24 dev eth7
	ip -n offline addr add fd99::1/64 dev eth7 nodad
	ip -n offline link set eth7 up
	ip -n remote link set eth7 up
	ip -n offline route add default via 10.99.0.2
	ip -n offline route add default via fd99::2
	ip -n remote addr add 10.99.0.2/24 dev eth7
	ip -n remote addr add fd99::2/64 dev eth7 nodad
}

@test "the host has no network yet: it starts, and finds the one that comes" {
	local a

	offline
	guest_new
	pasta_start -t $PORT
	guest ip -br -4 addr show tap0 | grep -q ' 169.254.2.1/16'
	guest ip -4 route show default | grep -q 'via 169.254.2.2 dev tap0'
	guest ip -6 route show default | grep -q 'via fe80::1 dev tap0'
	serve host :: $((PORT + 1))	# found at the gateway's addresses
	for a in 169.254.2.2 '[fe80::1%tap0]'; do
		guest socat -u OPEN:/dev/null "TCP:$a:$((PORT + 1))"
	done
	not guest socat -u OPEN:/dev/null TCP:10.99.0.2:$PORT

	serve guest :: $PORT
	online
	serve remote :: $((PORT + 2))
	for a in 10.99.0.2 '[fd99::2]'; do
		eventually guest socat -u OPEN:/dev/null "TCP:$a:$((PORT + 2))"
	done
	for a in 10.99.0.1 '[fd99::1]'; do
		remote socat -u OPEN:/dev/null "TCP:$a:$PORT"
	done
	ip netns del offline
}

@test "the namespace has no IPv6" {
	serve remote :: $PORT
	guest_new
	guest_root sysctl -qw net.ipv6.conf.all.disable_ipv6=1 \
		net.ipv6.conf.default.disable_ipv6=1
	pasta_start
	guest socat -u OPEN:/dev/null "TCP:10.77.0.3:$PORT"
	[ -z "$(guest ip -6 addr)" ]
}

# --- resource limits ---

@test "few descriptors are enough, or too few, but never a riddle" {
	local n what

	guest_new
	for n in 8 16 40 63; do
		fails_saying "No more than $n descriptors allowed (RLIMIT_NOFILE" \
			prlimit --nofile=$n pasta -q "${NONE[@]}" -- true
	done
	from() { prlimit --nofile=64 "${FROM[@]}" "$@"; }
	works
}

@test "a process too many is an error that says so, and leaves nothing" {
	local n file=$BED/tmp/surroundings.pid

	guest_new	# one process of this user
	for n in 1 2 3 4; do
		fails_saying "Resource temporarily unavailable (RLIMIT_NPROC" \
			prlimit --nproc=$n pasta -P "$file" -q "${NONE[@]}" -- \
			true || [ $n = 4 ]
		[ ! -e "$file" ]
	done
}

@test "a file that may not grow is an error that says so, and leaves none" {
	local file=$BED/tmp/surroundings.pid

	guest_new
	for fg in "" -f; do
		fails_saying "Couldn't write PID file $file: File too large" \
			prlimit --fsize=0 pasta -P "$file" $fg -q "${NONE[@]}" \
			"$GUEST"
		[ ! -e "$file" ]
	done
}
