# SPDX-License-Identifier: GPL-2.0-or-later
# Namespaces and processes: what a command finds, how everybody learns of
# everybody's end, what is left afterwards.

# shellcheck disable=SC2016,SC2030,SC2031

load lib

NONE=(-q -t none -u none -T none -U none)

# What `host` runs, but for "&": the process started is then its $!
AT_HOST=(nsenter --net="$BED_HOST" "${AS_USER[@]}")

setup() {
	PIDFILE=$BED/tmp/namespaces.pid
	rm -f "$PIDFILE" "$PIDFILE".*
}
teardown() { tracked_kill; }

# pasta in the background, running CMD; sets PASTA_PID, COMMAND, AGENT
spawn() {	# CMD...
	"${AT_HOST[@]}" pasta "${NONE[@]}" --config-net -- "$@" 3>&- &
	PASTA_PID=$!
	track "$PASTA_PID"
	eventually spawned "$1"
	track "$COMMAND" "$AGENT"
}

spawned() {
	AGENT=$(pgrep -x -P "$PASTA_PID" pasta-agent) &&
		COMMAND=$(pgrep -x -P "$PASTA_PID" "$1")
}

# The daemon attached to GUEST, of one process more
attach() {	# [OPTION]...
	host pasta "${NONE[@]}" --config-net -P "$PIDFILE" "$@" 3>&-
	DAEMON=$(cat "$PIDFILE")
	AGENT=$(pgrep -x -P "$DAEMON" pasta-agent)
	track "$DAEMON" "$AGENT"
}

status_of() {	# CMD...: its exit status
	"$@" && echo 0 || echo $?
}

ends_with() {	# PID STATUS: a child of ours
	local status=0

	wait "$1" || status=$?
	[ $status = "$2" ] || { echo "ended with $status"; return 1; }
}

# By field of /proc/PID/status
proc_status() { awk -v f="$2:" '$1 == f { print $2 }' "/proc/$1/status"; }

# A failure in which "!" would be is no failure to the shell.
not() { ! "$@"; }

now_ms() { date +%s%3N; }

# Milliseconds until the process is no more
ms_until_gone() {	# PID
	local start

	start=$(now_ms)
	eventually gone "$1"
	echo $(($(now_ms) - start))
}

# --- exit status ---

@test "the exit status is the command's" {
	for n in 0 1 2 77 255; do
		[ "$(status_of host pasta "${NONE[@]}" -- sh -c "exit $n")" = $n ]
	done
}

# First of its PID namespace, it is immune to most signals sent from outside.
@test "a command killed by a signal gives 128 and the signal" {
	spawn sleep 60
	kill -KILL "$COMMAND"
	ends_with "$PASTA_PID" 137
	[ "$(status_of host pasta "${NONE[@]}" -- python3 -c \
		'import ctypes; ctypes.string_at(0)')" = 139 ]
}

@test "a command that cannot be executed gives 1 and the reason" {
	run host pasta "${NONE[@]}" -- /no/such/program
	[ "$status" = 1 ]
	[[ "$output" == *"/no/such/program: No such file or directory"* ]]
	run host pasta "${NONE[@]}" -- /etc/passwd
	[ "$status" = 1 ]
	[[ "$output" == *"/etc/passwd: Permission denied"* ]]
}

@test "set-up that fails gives 1, one line, and no PID file" {
	guest_new
	for fg in '' -f; do
		for wrong in --userns=/no/such --netns=/no/such --netns=no-such \
			     "-I lo $GUEST" "--runas 0 $GUEST" 4194304; do
			# shellcheck disable=SC2086
			run host pasta "${NONE[@]}" -P "$PIDFILE" $fg $wrong
			echo "$fg $wrong: $status, $output"
			[ "$status" = 1 ]
			[ "${#lines[@]}" = 1 ]
			[ ! -e "$PIDFILE" ]
		done
	done
}

@test "a start that fails leaves an existing PID file as it was" {
	echo 'not a pid' >"$PIDFILE"
	chown "$BED_USER" "$PIDFILE"
	[ "$(status_of host pasta "${NONE[@]}" -P "$PIDFILE" --netns=/no/such)" = 1 ]
	[ "$(cat "$PIDFILE")" = 'not a pid' ]
}

@test "a PID file that cannot be opened is an error that names it" {
	run host pasta "${NONE[@]}" -P /no/such/file -- true
	[ "$status" = 1 ]
	[[ "$output" == *"/no/such/file: No such file or directory"* ]]
}

# --- background ---

@test "the PID file holds the daemon's process ID, and is private" {
	guest_new
	attach "$GUEST"
	[ "$(stat -c '%a %s' "$PIDFILE")" = "600 $((${#DAEMON} + 1))" ]
	[ "$(cat /proc/"$DAEMON"/comm)" = pasta ]
}

@test "a PID file may be a pipe, and what is written there means ready" {
	guest_new
	local fifo=$BED/tmp/namespaces.pid.fifo

	mkfifo -m 666 "$fifo"
	"${AT_HOST[@]}" pasta "${NONE[@]}" --config-net -f -P "$fifo" \
		"$GUEST" 3>&- &
	DAEMON=$!
	track "$DAEMON"
	read -r pid <"$fifo"
	[ "$pid" = "$DAEMON" ]
	guest ip link show up | grep -q eth0
}

@test "the daemon keeps neither the terminal nor the pipes of its caller" {
	guest_new
	[ -z "$(timeout 10 "${AT_HOST[@]}" pasta "${NONE[@]}" -P "$PIDFILE" "$GUEST" \
		2>&1 3>&- | cat)" ]
	DAEMON=$(cat "$PIDFILE")
	track "$DAEMON"
	for p in $(daemon_tree); do
		for fd in 0 1 2; do
			[ "$(readlink "/proc/$p/fd/$fd")" = /dev/null ]
		done
		[ "$(ps -o sid= -p "$p" | tr -d ' ')" = "$p" ]
	done
}

@test "descriptors inherited from the caller are closed, in all processes" {
	guest_new
	host pasta "${NONE[@]}" -P "$PIDFILE" "$GUEST" 3>&- 7</etc/hosts 42</etc/hosts
	DAEMON=$(cat "$PIDFILE")
	track "$DAEMON"
	for p in $(daemon_tree); do
		not grep -q hosts <<<"$(readlink "/proc/$p"/fd/*)"
	done
}

@test "it starts with any of its stdio closed" {
	local closed status fd

	for closed in '<&-' '>&-' '2>&-' '<&- >&-' '<&- 2>&-' '>&- 2>&-' \
		      '<&- >&- 2>&-'; do
		guest_new
		eval "host pasta ${NONE[*]} -P $PIDFILE $GUEST 3>&- $closed"
		DAEMON=$(cat "$PIDFILE")
		track "$DAEMON"
		for fd in 0 1 2; do
			[ "$(readlink "/proc/$DAEMON/fd/$fd")" = /dev/null ]
		done
		status=0
		eval "host pasta ${NONE[*]} -- sh -c 'exit 7' 3>&- $closed" ||
			status=$?
		[ $status = 7 ]
		tracked_kill
		rm "$PIDFILE"
	done
}

# As a sandbox does that has but descriptors to name things by.
@test "namespaces and the PID file may be descriptors of the caller" {
	guest_new
	host python3 - "$GUEST" "${NONE[@]}" 3>&- <<-'END'
		import os, subprocess, sys

		pid, none = sys.argv[1], sys.argv[2:]
		user = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY)
		net = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
		for form in (["--userns", f"/proc/{os.getpid()}/fd/{user}", pid],
		             ["--netns", "/proc/self/fd/0",
		              "--userns", "/proc/self/fd/1"]):
		    ready, writer = os.pipe()
		    p = subprocess.Popen(
		        ["pasta", *none, "--config-net", "--foreground", "--pid",
		         f"/proc/{os.getpid()}/fd/{writer}", *form],
		        stdin=net, stdout=user)
		    assert os.read(ready, 100) == b"%d\n" % p.pid
		    subprocess.run(["nsenter", "-t", pid, "-U", "-n",
		                    "--preserve-credentials", "ip", "link", "show",
		                    "up", "eth0"], check=True)
		    p.terminate()
		    assert p.wait() == 0
	END
}

@test "pipes of a spawned command end with the command" {
	[ "$(timeout 10 "${AT_HOST[@]}" pasta "${NONE[@]}" --config-net -- \
		sh -c 'echo out; echo err >&2' 2>&1 3>&- | sort)" = \
	  $'err\nout' ]
}

# --- what the command finds ---

@test "the command is root, first of its PID namespace, and alone in five" {
	local own theirs

	theirs=$(host pasta "${NONE[@]}" -- sh -c 'id -u; id -g; echo $$
		cd /proc/self/ns && readlink user net pid mnt uts ipc')
	own=$(cd /proc/self/ns && readlink user net pid mnt uts ipc)
	[ "$(head -3 <<<"$theirs" | tr '\n' ' ')" = '0 0 1 ' ]
	for ns in $own; do
		not grep -qF "$ns" <<<"$theirs"
	done
}

@test "the command has every capability there, and may gain privileges" {
	local status

	status=$(host pasta "${NONE[@]}" -- cat /proc/self/status)
	[ "$(awk '/^Cap(Prm|Eff|Bnd)/ { print $2 }' <<<"$status" | sort -u)" = \
	  "$(unshare -rU awk '/^CapBnd/ { print $2 }' /proc/self/status)" ]
	grep -q '^NoNewPrivs:.0' <<<"$status"
}

@test "the command's signals are as the caller left them" {
	local mine theirs

	theirs=$(host pasta "${NONE[@]}" -- grep '^Sig[BI]' /proc/self/status)
	mine=$(host grep '^Sig[BI]' /proc/self/status)
	[ "$mine" = "$theirs" ]
	[ "$(host pasta "${NONE[@]}" -- sh -c 'yes | head -1')" = y ]

	theirs=$(trap '' PIPE HUP; host pasta "${NONE[@]}" -- \
		 grep '^SigI' /proc/self/status)
	mine=$(trap '' PIPE HUP; host grep '^SigI' /proc/self/status)
	[ "$mine" = "$theirs" ]
}

@test "the command has no descriptors but its stdio" {
	host pasta "${NONE[@]}" -- sh -c '
		for fd in $(seq 3 63); do
			! [ -e /proc/$$/fd/$fd ] || exit 1
		done' 7</etc/hosts 42</etc/hosts 3>&-
}

@test "folder, environment, session and process group are the caller's" {
	[ "$(cd /usr/lib && X=7 host pasta "${NONE[@]}" -- sh -c 'echo "$PWD $X"')" = \
	  '/usr/lib 7' ]
	spawn sleep 60
	[ "$(ps -o sid=,pgid= -p "$COMMAND")" = \
	  "$(ps -o sid=,pgid= -p "$PASTA_PID")" ]
	[ "$(ps -o sid= -p "$AGENT")" != "$(ps -o sid= -p "$PASTA_PID")" ]
}

@test "the command's host name, /proc, ping group and file limit are set" {
	[ "$(host pasta "${NONE[@]}" -- hostname)" = "pasta-$(hostname)" ]
	[ "$(host pasta "${NONE[@]}" -H other -- hostname)" = other ]
	[ "$(host pasta "${NONE[@]}" -H other -H '' -- hostname)" = \
	  "pasta-$(hostname)" ]
	[ "$(host pasta "${NONE[@]}" -- sh -c 'echo /proc/[0-9]*')" = /proc/1 ]
	[ "$(host pasta "${NONE[@]}" -- sysctl -n net.ipv4.ping_group_range)" = \
	  $'0\t0' ]
	[ "$(ulimit -Sn 100; host pasta "${NONE[@]}" -- sh -c 'ulimit -n')" = \
	  "$(ulimit -Hn)" ]
}

@test "without a command, a login shell" {
	[ "$(echo 'echo "$0"' | SHELL=/bin/bash host pasta "${NONE[@]}")" = -/bin/bash ]
	[ "$(echo 'echo "$0"; exit 3' | env -u SHELL "${AT_HOST[@]}" \
		pasta "${NONE[@]}"; echo $?)" = $'-/bin/sh\n3' ]
}

@test "the network is complete before the command starts" {
	for _ in 1 2 3 4 5; do
		host pasta "${NONE[@]}" --config-net -- sh -c '
			ip -4 route show default | grep -q 10.77.0.2 &&
			ip -6 route show default | grep -q fd77::2 &&
			ip -4 addr show dev eth0 | grep -q 10.77.0.1/24 &&
			ip link show up dev eth0 | grep -q "mtu 65520" &&
			ip link show up dev lo | grep -q LOOPBACK'
	done
}

# --- signals ---

@test "SIGTERM and SIGQUIT end the daemon with 0, and leave the command" {
	for signal in TERM QUIT; do
		spawn sleep 60
		kill -$signal "$PASTA_PID"
		ends_with "$PASTA_PID" 0
		eventually gone "$AGENT"
		not gone "$COMMAND"
	done
	guest_new
	attach "$GUEST"
	kill "$DAEMON"
	eventually gone "$DAEMON"
	eventually gone "$AGENT"
}

@test "a daemon in the background does not hear SIGINT and SIGHUP" {
	guest_new
	attach "$GUEST"
	kill -INT "$DAEMON"
	kill -HUP "$DAEMON"
	guest ip link show eth0	# ... it would be gone
	not gone "$DAEMON"
	[ $((0x$(proc_status "$DAEMON" SigIgn) & 3)) = 3 ]
}

@test "interrupts from the terminal are for the job in its foreground" {
	host python3 - <<-'END'
		import os, pty, select, sys, time

		pid, tty = pty.fork()
		if not pid:
		    os.execlp("pasta", *"pasta -q -t none -u none -T none -U "
		              "none -- bash --norc --noprofile -i".split())

		seen = b""
		def until(text):
		    global seen
		    end = time.monotonic() + 10
		    while text not in seen:
		        left = end - time.monotonic()
		        assert left > 0 and select.select([tty], [], [], left)[0], seen
		        seen += os.read(tty, 4096)
		    seen = seen.partition(text)[2]

		def job(command):
		    os.write(tty, command)
		    end = time.monotonic() + 10
		    while True:		# in the foreground, and executed
		        group = os.tcgetpgrp(tty)
		        with open(f"/proc/{group}/comm") as f:
		            if group != shell and f.read() != "bash\n":
		                break
		        assert time.monotonic() < end, command
		        time.sleep(0.01)

		os.write(tty, b"PS1=rea; PS1=${PS1}dy\n")
		until(b"ready")
		shell = os.tcgetpgrp(tty)
		assert shell != pid
		job(b"sleep 1000\n")
		os.write(tty, b"\x03")
		until(b"ready")
		os.write(tty, b"echo inter$?rupted\n")
		until(b"inter130rupted")
		until(b"ready")
		job(b"sleep 1000\n")
		os.write(tty, b"\x1a")
		until(b"Stopped")
		until(b"ready")
		job(b"fg\n")
		os.write(tty, b"\x03")
		until(b"ready")
		os.write(tty, b"exit 7\n")
		assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
	END
}

# --- orphans ---

@test "an end by SIGKILL takes the agent along, and leaves the command" {
	spawn sleep 60
	kill -KILL "$PASTA_PID"
	eventually gone "$PASTA_PID"
	eventually gone "$AGENT"
	not gone "$COMMAND"
	no_tap() { ! nsenter -n -t "$COMMAND" ip link show eth0 2>/dev/null; }
	eventually no_tap
}

@test "without its agent the daemon ends with 1, and the command stays" {
	spawn sleep 60
	kill -KILL "$AGENT"
	ends_with "$PASTA_PID" 1
	not gone "$COMMAND"
}

@test "the namespace is gone once command and daemon are" {
	local net

	spawn sleep 60
	net=$(readlink "/proc/$COMMAND/ns/net")
	kill -KILL "$COMMAND"
	eventually gone "$PASTA_PID"
	eventually gone "$AGENT"
	not grep -qF "$net" <<<"$(readlink /proc/*/ns/net)"
}

@test "a caller killed during start-up leaves nothing" {
	guest_new
	for delay in 0 0.002 0.005 0.01 0.02; do
		"${AT_HOST[@]}" pasta "${NONE[@]}" --config-net \
			-P "$PIDFILE" "$GUEST" 3>&- &
		sleep $delay
		kill -KILL $! || :
		wait $! || :
		none_or_ready() {
			# Too late to kill, or all gone
			[ -s "$PIDFILE" ] || ! pgrep -x -u "$BED_USER" pasta
		}
		eventually none_or_ready
		[ ! -s "$PIDFILE" ] || kill "$(cat "$PIDFILE")"
		no_daemon() { ! pgrep -x -u "$BED_USER" 'pasta|pasta-agent'; }
		eventually no_daemon
		rm -f "$PIDFILE"
	done
}

# --- the end of a namespace that was joined ---

@test "the daemon ends within 100 ms of the process that names the namespace" {
	guest_new
	attach "$GUEST"
	kill -KILL "$GUEST"
	[ "$(ms_until_gone "$DAEMON")" -lt 100 ]
	guest_new
	attach --userns "/proc/$GUEST/ns/user" --netns "/proc/$GUEST/ns/net"
	kill -KILL "$GUEST"
	[ "$(ms_until_gone "$DAEMON")" -lt 100 ]
}

# A namespace as a file, in GUEST's user and a mount namespace: as container
# engines have it. Sets HOLDER, a process in there.
file_namespace() {
	local dir=$BED/tmp/netns-file.$BATS_TEST_NUMBER

	"${AS_USER[@]}" mkdir -p "$dir"
	NETNS_FILE=$dir/it
	"${AT_HOST[@]}" unshare -rUm --propagation private sh -c "
		mount -t tmpfs tmpfs $dir && touch $NETNS_FILE &&
		unshare -n mount --bind /proc/self/ns/net $NETNS_FILE &&
		touch $dir/made && exec sleep infinity" 3>&- &
	HOLDER=$!
	track "$HOLDER"
	made() { [ -e "/proc/$HOLDER/root$dir/made" ]; }
	eventually made
	IN_THERE=(nsenter -t "$HOLDER" -U -m --preserve-credentials)
}

UNDER=()
inside() { host "${IN_THERE[@]}" "$@"; }

attach_file() {	# [OPTION]...
	inside "${UNDER[@]}" pasta "${NONE[@]}" --config-net -P "$NETNS_FILE.pid" \
		--netns "$NETNS_FILE" "$@" 3>&-
	DAEMON=$(inside cat "$NETNS_FILE.pid")
	track "$DAEMON"
}

remove_file() { inside umount -l "$NETNS_FILE" && inside rm "$NETNS_FILE"; }

@test "the daemon ends within 100 ms of the file that names the namespace" {
	file_namespace
	attach_file
	inside touch "$NETNS_FILE.other"
	inside rm "$NETNS_FILE.other"
	not gone "$DAEMON"
	remove_file
	[ "$(ms_until_gone "$DAEMON")" -lt 100 ]
}

# As on a desktop with many containers; then under a kernel without either.
@test "the same without inotify(7), of which users run out" {
	local how ways='umount -l $it; rm $it
		umount -l $it; mv $it $it.old
		touch $it.new; umount -l $it; mv $it.new $it'

	UNDER=(deny EMFILE inotify_init1 --)
	while read -r how; do
		file_namespace
		attach_file
		inside touch "$NETNS_FILE.other"
		inside rm "$NETNS_FILE.other"
		not gone "$DAEMON"
		inside env "it=$NETNS_FILE" sh -c "$how"
		[ "$(ms_until_gone "$DAEMON")" -lt 100 ]
		tracked_kill
	done <<<"$ways"
	UNDER=(deny EMFILE inotify_init1 EINVAL fcntl:1=1026 --)
	file_namespace
	attach_file
	remove_file
	[ "$(ms_until_gone "$DAEMON")" -lt 1500 ]
}

@test "renamed, replaced, unmounted or unknown to all, the file counts as gone" {
	# How, and milliseconds until that is noticed
	local how='100 umount -l $it; mv $it $it.old
		100 touch $it.new; umount -l $it; mv $it.new $it
		2500 umount -l $it
		2500 umount -l ${it%/it}'
	local limit words

	while read -r limit words; do
		file_namespace
		attach_file
		inside env "it=$NETNS_FILE" sh -c "$words"
		[ "$(ms_until_gone "$DAEMON")" -lt "$limit" ]
		tracked_kill
	done <<<"$how"

	file_namespace
	attach_file
	kill -KILL "$HOLDER"	# ... and with it, the mount namespace
	[ "$(ms_until_gone "$DAEMON")" -lt 2500 ]
}

@test "other files in that folder, and its own new name, do not matter" {
	file_namespace
	attach_file
	inside sh -c "cd ${NETNS_FILE%/it}; touch its; mv its it2; rm it2; mkdir d"
	sleep 2.2		# for it to look
	not gone "$DAEMON"
}

@test "a link to a namespace is as good as the namespace" {
	file_namespace
	inside ln -s "$NETNS_FILE" "$NETNS_FILE.link"
	inside pasta "${NONE[@]}" -P "$NETNS_FILE.pid" --netns 		"$NETNS_FILE.link" 3>&-
	DAEMON=$(inside cat "$NETNS_FILE.pid")
	track "$DAEMON"
	sleep 2.2		# for it to look
	not gone "$DAEMON"
	inside rm "$NETNS_FILE.link"
	[ "$(ms_until_gone "$DAEMON")" -lt 100 ]
}

@test "with --no-netns-quit the daemon outlives the namespace's names" {
	guest_new
	attach --no-netns-quit "$GUEST"
	kill -KILL "$GUEST"
	eventually gone "$GUEST"
	sleep 0.3
	not gone "$DAEMON"
}

@test "a namespace can be served again as soon as its daemon is gone" {
	guest_new
	for _ in 1 2 3 4 5; do
		attach "$GUEST"
		run host pasta "${NONE[@]}" --config-net "$GUEST"
		[ "$status" = 1 ]
		[[ "$output" == *'usy (another process provides it)' ]]
		kill -KILL "$DAEMON"
		eventually gone "$DAEMON"
	done
}

# --- what is given up ---

@test "the daemon has no capability, no files, and its own namespaces" {
	guest_new
	attach "$GUEST"
	for set in Inh Prm Eff Bnd Amb; do
		[ $((0x$(proc_status "$DAEMON" Cap$set))) = 0 ]
	done
	[ "$(proc_status "$DAEMON" NoNewPrivs)" = 1 ]
	[ -z "$(ls -A "/proc/$DAEMON/root")" ]
	for ns in mnt uts ipc user; do
		[ "$(readlink "/proc/$DAEMON/ns/$ns")" != \
		  "$(readlink /proc/self/ns/$ns)" ]
	done
	[ "$(readlink "/proc/$DAEMON/ns/net")" = \
	  "$(host_root readlink /proc/self/ns/net)" ]
}

@test "the agent may bind low ports, nothing else, and holds one socket" {
	guest_new
	attach "$GUEST"
	for set in Prm Eff; do
		[ $((0x$(proc_status "$AGENT" Cap$set))) = $((1 << 10)) ]
	done
	for set in Inh Bnd Amb; do
		[ $((0x$(proc_status "$AGENT" Cap$set))) = 0 ]
	done
	[ "$(proc_status "$AGENT" NoNewPrivs)" = 1 ]
	[ -z "$(ls -A "/proc/$AGENT/root")" ]
	[ "$(find "/proc/$AGENT/fd" -mindepth 1 | wc -l)" = 4 ]
	[ "$(readlink "/proc/$AGENT/ns/net")" = \
	  "$(readlink "/proc/$GUEST/ns/net")" ]
}

@test "started as root, it works as nobody, and its files stay root's" {
	guest_new
	host_root pasta "${NONE[@]}" -P "$PIDFILE" "$GUEST" 3>&- 2>&1 |
		grep 'Started as root, will change to nobody'
	DAEMON=$(cat "$PIDFILE")
	track "$DAEMON"
	[ "$(proc_status "$DAEMON" Uid)" = 65534 ]
	[ "$(stat -c %U "$PIDFILE")" = root ]
	[ "$(host_root pasta "${NONE[@]}" --runas 0 -- cat /proc/self/uid_map |
	     tr -s ' ')" = ' 0 0 1' ]
	[ "$(host_root pasta "${NONE[@]}" -- cat /proc/self/uid_map 2>&1 |
	     tail -1 | tr -s ' ')" = ' 0 65534 1' ]
}

# --- start-up ---

# Turn by turn, so that both meet the same machine; the best of each.
@test "a command starts and ends within 4 times what unshare(1) takes" {
	host python3 - "${NONE[@]}" <<-'END'
		import subprocess, sys, time

		def ms(*command):
		    start = time.monotonic()
		    subprocess.run(command, check=True)
		    return 1000 * (time.monotonic() - start)

		bare, ours = [], []
		for _ in range(21):
		    bare.append(ms("unshare", "-rUn", "true"))
		    ours.append(ms("pasta", *sys.argv[1:], "--config-net", "--",
		                   "true"))
		print(f"unshare {min(bare):.1f} ms, pasta {min(ours):.1f} ms")
		assert min(ours) <= 4 * min(bare)
	END
}

# Of the least each takes, in turns, until the machine has let them be so fast.
@test "1,000 forwarded ports add at most 15 ms to a start, 10,000 150 ms" {
	[ "$(ulimit -Hn)" -ge 11000 ] || skip "11000 descriptors are not allowed"
	host python3 - <<-'END'
		import subprocess, time

		def ms(ports):
		    start = time.monotonic()
		    subprocess.run(["pasta", "-q", "--config-net", "-t", ports,
		                    *"-u none -T none -U none -- true".split()],
		                   check=True)
		    return 1000 * (time.monotonic() - start)

		least = {"none": 1e9, "2000-2999": 1e9, "2000-11999": 1e9}
		for _ in range(100):
		    for ports in least:
		        least[ports] = min(least[ports], ms(ports))
		    none, some, many = least.values()
		    if some - none <= 15 and many - none <= 150:
		        break
		print(f"{none:.1f} ms, {some - none:.1f} and "
		      f"{many - none:.1f} ms more")
		assert some - none <= 15 and many - none <= 150
	END
}
