# SPDX-License-Identifier: GPL-2.0-or-later
# The sandbox, looked at from outside: what each of our processes has left, in
# every mode, and where the surroundings deny a step. What is tried from inside:
# test/unit/sandbox_barred.c.

setup() { load lib.bash; }
teardown() {
	tracked_kill
	rm -f "$BED"/tmp/*.pid "$BED"/tmp/*.sock
}

not() { ! "$@"; }

field_of() {	# FIELD PID
	awk -v f="$1:" '$1 == f { print $2 }' "/proc/$2/status" 2>/dev/null
}
has() { [ "$(field_of "$1" "$3")" = "$2" ]; }	# FIELD VALUE PID

NOTHING=0000000000000000
LOW_PORTS=0000000000000400

# No capability but CAP, none to come, only the system calls it needs.
closed() {	# PID [CAP]
	local cap=${2:-$NOTHING} f

	eventually has Seccomp 2 "$1"
	has NoNewPrivs 1 "$1"
	for f in CapInh CapBnd CapAmb; do
		has "$f" "$NOTHING" "$1"
	done
	has CapPrm "$cap" "$1"
	has CapEff "$cap" "$1"
	grep -q '^Max core file size *0 *0' "/proc/$1/limits"
	grep -q '^Max processes *0 *0' "/proc/$1/limits"
}

no_files() {	# PID
	[ -z "$(ls -A "/proc/$1/root/")" ]
	[ "$(stat -fc %T "/proc/$1/root/")" = tmpfs ]
	not touch "/proc/$1/root/x" 2>/dev/null
	# One mount, and no way to make use of it.
	[ "$(awk '{ print $5, $6 }' "/proc/$1/mountinfo")" = \
	  "/ ro,nosuid,nodev,noexec,relatime" ]
}

# Not those of the host.
own_namespaces() {	# PID KIND...
	local pid=$1 kind

	for kind in "${@:2}"; do
		[ "$(readlink "/proc/$pid/ns/$kind")" != \
		  "$(readlink "/proc/1/ns/$kind")" ] ||
			{ echo "$kind of the host" >&2; return 1; }
	done
}

# The daemon's other processes, by name.
helper() {	# NAME
	local p

	for p in $(daemon_tree); do
		if [ "$(cat "/proc/$p/comm")" = "$1" ]; then
			echo "$p"
			return
		fi
	done
	return 1
}

# PID FILE: a daemon wrote it.
daemon_of() {
	eventually [ -s "$1" ]
	DAEMON=$(cat "$1")
	track "$DAEMON"
}

passt_start() {	# OPTION...
	rm -f "$BED/tmp/passt.pid"
	host passt -q -P "$BED/tmp/passt.pid" -s "$BED/tmp/passt.sock" "$@" 3>&-
	daemon_of "$BED/tmp/passt.pid"
}

# In the background, the first process of a PID namespace: it sees no other.
alone() {	# PID
	own_namespaces "$1" pid
	[ "$(awk '$1 == "NSpid:" { print $NF }' "/proc/$1/status")" = 1 ]
}

@test "passt in the background has nothing left" {
	passt_start
	closed "$DAEMON"
	no_files "$DAEMON"
	own_namespaces "$DAEMON" user mnt ipc uts
	alone "$DAEMON"
	[ "$(field_of Uid "$DAEMON")" = "$BED_UID" ]
}

@test "passt in the foreground has nothing left" {
	start host passt -f -q -P "$BED/tmp/fg.pid" -s "$BED/tmp/fg.sock"
	daemon_of "$BED/tmp/fg.pid"
	closed "$DAEMON"
	no_files "$DAEMON"
	own_namespaces "$DAEMON" user mnt ipc uts
}

@test "pasta attached has nothing left, its agent low ports" {
	guest_new
	pasta_start
	closed "$DAEMON"
	no_files "$DAEMON"
	own_namespaces "$DAEMON" user mnt ipc uts
	alone "$DAEMON"
	agent=$(helper pasta-agent)
	closed "$agent" $LOW_PORTS
	no_files "$agent"
	own_namespaces "$agent" user mnt ipc uts net pid
	[ "$(find "/proc/$agent/fd" -lname 'socket:*' | wc -l)" = 1 ]
	[ "$(find "/proc/$agent/fd" -mindepth 1 | wc -l)" = 4 ]
}

@test "pasta with a command has nothing left, the command all it may have" {
	start host pasta -q -P "$BED/tmp/spawn.pid" -t none -u none -T none \
		-U none -- sleep 60
	daemon_of "$BED/tmp/spawn.pid"
	closed "$DAEMON"
	no_files "$DAEMON"
	own_namespaces "$DAEMON" user mnt ipc uts
	closed "$(helper pasta-agent)" $LOW_PORTS
	eventually helper sleep
	command=$(helper sleep)
	has Seccomp 0 "$command"
	not has CapEff $NOTHING "$command"
	not has CapBnd $NOTHING "$command"
	[ -n "$(ls -A "/proc/$command/root/")" ]
	grep -q '^Max processes *[1-9u]' "/proc/$command/limits"
}

@test "root with --runas, and without a user namespace, has nothing left" {
	ip netns add runas
	host_root pasta -q -P "$BED/tmp/runas.pid" --config-net --runas "$BED_UID" \
		-t none -u none -T none -U none --netns-only \
		--netns /run/netns/runas 3>&-
	daemon_of "$BED/tmp/runas.pid"
	closed "$DAEMON"
	no_files "$DAEMON"
	own_namespaces "$DAEMON" mnt ipc uts
	alone "$DAEMON"
	[ "$(field_of Uid "$DAEMON")" = "$BED_UID" ]
	[ "$(field_of Gid "$DAEMON")" = "$BED_UID" ]
	closed "$(helper pasta-agent)" $LOW_PORTS
	ip netns del runas
	eventually gone "$DAEMON"
}

@test "root becomes nobody, with nothing left" {
	host_root passt -q -P "$BED/tmp/root.pid" -s "$BED/tmp/root.sock" 3>&- \
		2>"$BED/tmp/root.err"
	daemon_of "$BED/tmp/root.pid"
	closed "$DAEMON"
	no_files "$DAEMON"
	alone "$DAEMON"
	not has Uid 0 "$DAEMON"
}

# Where no user namespace can be made, nothing can be mounted either.
no_namespaces() {
	# shellcheck disable=SC2016
	host_root unshare -U --map-root-user sh -c '
		echo 0 >/proc/sys/user/max_user_namespaces
		exec setpriv --bounding-set=-all --inh-caps=-all "$@"' sh "$@"
}

@test "without namespaces Landlock and the filter remain, and it says so" {
	run no_namespaces passt -P "$BED/tmp/none.pid" -s "$BED/tmp/none.sock" \
		3>&-
	echo "$output"
	[[ $output == *"Sandbox: closed, but without: user namespace"* ]]
	[[ $output != *Landlock* ]]
	daemon_of "$BED/tmp/none.pid"
	eventually has Seccomp 2 "$DAEMON"
	has NoNewPrivs 1 "$DAEMON"
	has CapEff $NOTHING "$DAEMON"
	[ "$(readlink "/proc/$DAEMON/ns/mnt")" = "$(readlink /proc/self/ns/mnt)" ]
}

@test "in a chroot Landlock and the filter remain, and it says so" {
	mkdir -p "$BED/jail/tmp" "$BED/jail/proc" "$BED/jail/dev" \
		"$BED/jail/etc"
	cp "$(command -v passt)" "$BED/jail"
	mknod "$BED/jail/dev/null" c 1 3
	chmod 666 "$BED/jail/dev/null"
	chmod 1777 "$BED/jail/tmp"
	for lib in $(ldd "$(command -v passt)" 2>/dev/null | grep -o '/[^ ]*'); do
		mkdir -p "$BED/jail/${lib%/*}"
		cp "$lib" "$BED/jail/$lib"
	done
	run host_root chroot --userspec "$BED_UID:$BED_UID" "$BED/jail" /passt \
		-P /tmp/pid -s /tmp/sock 3>&-
	echo "$output"
	[[ $output == *"Sandbox: closed, but without: user namespace"* ]]
	daemon_of "$BED/jail/tmp/pid"
	closed_but_bounds "$DAEMON"
}

# Whoever had no capability cannot give up the bounds of it either.
closed_but_bounds() {
	eventually has Seccomp 2 "$1"
	has NoNewPrivs 1 "$1"
	has CapEff $NOTHING "$1"
	has CapPrm $NOTHING "$1"
}

@test "files grow only where we write one" {
	passt_start
	grep -q '^Max file size *0 *0' "/proc/$DAEMON/limits"
	tracked_kill
	passt_start -l "$BED/tmp/limits.log"
	not grep -q '^Max file size *0 *0' "/proc/$DAEMON/limits"
}

# Its filter would let it see nothing of what it looks at: the others are there.
@test "it runs under valgrind, at debug level" {
	command -v valgrind || skip "no valgrind"
	# shellcheck disable=SC2016
	start host sh -c '"$@"; echo $? >"$0"' "$BED/tmp/vg.status" valgrind -q \
		--error-exitcode=9 --log-file="$BED/tmp/vg.log" \
		"$(command -v passt)" -f -d -P "$BED/tmp/vg.pid" \
		-s "$BED/tmp/vg.sock" 2>"$BED/tmp/vg.err"
	eventually [ -s "$BED/tmp/vg.pid" ]
	eventually grep 'Sandbox: closed' "$BED/tmp/vg.err"
	kill -TERM "$(cat "$BED/tmp/vg.pid")"
	eventually test -s "$BED/tmp/vg.status"
	cat "$BED/tmp/vg.log"
	[ "$(cat "$BED/tmp/vg.status")" = 0 ]
	not grep -E 'Invalid|uninitialised' "$BED/tmp/vg.log"
}

@test "at debug level it says when nothing is missing" {
	run host pasta -d -t none -u none -T none -U none -- true
	[[ $output == *"Sandbox: closed, nothing missing"* ]]
}
