# SPDX-License-Identifier: GPL-2.0-or-later
# Who hears what: standard error, the log file and the system logger, at each
# level, before and after start-up; a log file that is rotated while somebody
# reads it; disks and readers that do not take any more.

# shellcheck disable=SC2154

load lib

setup() {
	ERR=$BED/tmp/err LOG=$BED/tmp/log SYSLOG=$BED/tmp/syslog
	SOCKET=$BED/tmp/socket
	dev_private
	syslogd_start
}

teardown() {
	tracked_kill
	! mountpoint -q "$BED/tmp/full" || umount "$BED/tmp/full"
	umount -R -l /dev
	rm -rf "$BED/dev" "$BED/tmp/full" "$ERR" "$LOG"* "$SYSLOG" \
		"$SOCKET" "$SOCKET.pid" \
		"$BED/tmp/moved" "$BED/tmp/tail"
}

# "! CMD" fails no test.
not() { if "$@"; then return 1; fi; }

# A /dev of this test's own, so that there can be a system logger.
dev_private() {
	local d=$BED/dev n

	mkdir "$d"
	mount -t tmpfs -o mode=755 tmpfs "$d"
	for n in null zero full random urandom tty; do
		cp -a "/dev/$n" "$d"
	done
	mkdir "$d/net"
	mknod -m 666 "$d/net/tun" c 10 200
	ln -s /proc/self/fd "$d/fd"
	mount --move "$d" /dev
}

syslogd_start() {
	rm -f /dev/log
	socat -u UNIX-RECV:/dev/log,mode=666 \
		"OPEN:$SYSLOG,creat,append" 3>&- &
	SYSLOGD=$!
	track $SYSLOGD
	eventually test -S /dev/log
}

syslogd_stop() {
	kill "$SYSLOGD"
	eventually gone "$SYSLOGD"
}

# --- who hears what ---

# One message of each level from before the end of start-up, and from after it.
# Warnings are like errors: no level lies between them.
declare -gA SAYS=(
	[Bi]='(^|: |info:    )MAC:$'
	[Bd]='pass?ta? [^ ]+: .*, since 20'
	[Ai]='Client with PID [0-9]+ connected|guest.s MAC address is 2e:'
	[Ae]='out of step'
	[Ad]='Signal 15 from process|Client .* not there'
)

hears() {	# FILE WHAT
	grep -qE -- "${SAYS[$2]}" "$1" 2>/dev/null
}

# FILE has all of WORDS, and nothing else.
hears_only() {	# FILE WORDS
	local word

	for word in $2; do
		eventually hears "$1" "$word" ||
			{ echo "$1 lacks $word:"; cat "$1"; return 1; }
	done
	for word in "${!SAYS[@]}"; do
		[[ " $2 " == *" $word "* ]] || not hears "$1" "$word" ||
			{ echo "$1 has $word:"; cat "$1"; return 1; }
	done
}

stamped() { grep -qE '^[0-9]+\.[0-9]{4}: ' "$1"; }

# A client comes, breaks the rules, and the daemon is ended. In background its
# caller gets its stderr back: that is what "before" means.
client_speaks() {
	printf '\377\377\377\377' |
		host socat -t 10 - "UNIX-CONNECT:$SOCKET"
}

fresh() {
	rm -f "$ERR" "$LOG"
	install -m 644 /dev/null "$ERR"
	: >"$SYSLOG"
}

passt_says() {	# OPTION...
	start host passt -s "$SOCKET" -P "$SOCKET.pid" "$@" 2>"$ERR"
	eventually test -s "$SOCKET.pid"
	DAEMON=$(cat "$SOCKET.pid")
	track "$DAEMON"
	eventually client_speaks 2>/dev/null
	kill "$DAEMON"
	eventually gone "$DAEMON"
	rm "$SOCKET.pid"
}

# Its command changes its MAC address, and is heard of.
pasta_says() {	# OPTION...
	host timeout 60 pasta --config-net "$@" -- sh -c '
		ip link set eth0 down
		ip link set eth0 address 2e:00:00:00:00:01
		ip link set eth0 up
		ip route add default dev eth0
		ping -c 1 -W 1 192.0.2.1 >/dev/null
		true' 2>"$ERR" 3>&-
}

table() {	# COMMAND; rows on standard input
	local -a row

	while IFS='|' read -r -a row; do
		echo "$1 ${row[0]}:"
		fresh
		# shellcheck disable=SC2086
		"$1" ${row[0]}
		[ -e "$LOG" ] || touch "$LOG"
		hears_only "$ERR" "${row[1]}"
		hears_only "$LOG" "${row[2]}"
		hears_only "$SYSLOG" "${row[3]}"
		if [ "${row[4]:-}" = stamp ]; then
			stamped "$ERR"
		else
			not stamped "$ERR"
		fi
	done
}

# Options | standard error | file | system logger | stamps on standard error
@test "each sink hears what its situation says: virtual machines" {
	table passt_says <<-TABLE
		-4|Bi||Bi Ai Ae|
		-q|||Ae|
		-f|Bi Ai Ae||Bi Ai Ae|
		-f -q|Ae||Ae|
		-l $LOG|Bi|Bd Bi Ai Ae||
		-l $LOG -q||Bd Ae||
		-l $LOG -f|Bi Ai Ae|Bd Bi Ai Ae||
		-l $LOG -f -q|Ae|Bd Ae||
		-d|Bd Bi||Bd Bi Ai Ae Ad|stamp
		-d -f|Bd Bi Ai Ae Ad|||stamp
		-d -l $LOG|Bi|Bd Bi Ai Ae Ad||
		-d -l $LOG -f|Bi Ai Ae Ad|Bd Bi Ai Ae Ad||
		--trace -f|Bd Bi Ai Ae Ad|||stamp
	TABLE
}

@test "each sink hears what its situation says: a command and its network" {
	table pasta_says <<-TABLE
		-4|||Ai|
		-q||||
		-l $LOG||Bd Ai||
		-l $LOG -q||Bd||
		-d|Bd Bi Ai|||stamp
		-d -l $LOG|Bi|Bd Bi Ai||
	TABLE
}

# --- contents ---

@test "tracing is a line for each packet, both ways, with what is in it" {
	local family dst ping

	start host pasta --trace -f --config-net -t none 2>"$ERR" -- \
		sh -c "ping -c 1 ${REMOTE[4]}; ping -c 1 ${REMOTE[6]}
		for a in ${REMOTE[4]} ${REMOTE[6]}; do
			echo | timeout 5 bash -c \"cat >/dev/tcp/\$a/5\"
			echo | socat -u - UDP:\$(test \${a#*:} = \$a &&
				echo \$a || echo [\$a]):7
		done"
	eventually gone "$STARTED"
	for family in 4 6; do
		dst="\[${REMOTE[$family]}\]"
		ping=$([ $family = 4 ] && echo 'ICMP' || echo 'ICMPv6')
		grep -E "From guest, [0-9]+ bytes: $ping .* -> ${REMOTE[$family]} type [0-9]+ code 0 len 64$" "$ERR"
		grep -E "To guest, [0-9]+ bytes: $ping ${REMOTE[$family]} -> .* type [0-9]+ code 0 len 64$" "$ERR"
		grep -E "From guest, [0-9]+ bytes: TCP .* -> $dst:5 S seq [0-9]+ ack 0 win [0-9]+ len 0$" "$ERR"
		grep -E "To guest, [0-9]+ bytes: TCP $dst:5 -> .* R\. seq" "$ERR"
		grep -E "From guest, [0-9]+ bytes: UDP .* -> $dst:7 len 1$" "$ERR"
	done
	# Debug messages of flows say whose they are.
	grep -A1 'Flow .*(TCP connection): CLOSED -> CONNECTING' "$ERR" |
		grep -E '    TAP \[[0-9.]+\]:[0-9]+ -> \[[0-9.]+\]:5 => HOST'
}

# --- the file ---

# Everything was heard on standard error as well. For tail(1) rotation is the
# file being truncated: it prints all of it again, first line first, and what
# was known already is a repetition of the end of what it had.
tail_saw_all() {	# TAIL-OUTPUT STDERR
	python3 - "$@" <<-'PYTHON'
		import re, sys
		def text(line):
		    m = re.match(r"\d+\.\d{4}: (?:ERROR:   |WARNING: |info:    | {9})(.*)$", line)
		    assert m, "no whole line: %r" % line
		    return m.group(1), line
		seen, rotations, parts = [], 0, [[]]
		for line in open(sys.argv[1]).read().splitlines():
		    if line.startswith("pasta "):
		        parts.append([])
		        rotations += "log truncated at" in line
		    else:
		        parts[-1].append(text(line)[1])
		for part in parts:
		    n = min(len(part), len(seen))
		    while n and seen[-n:] != part[:n]:
		        n -= 1
		    seen += part[n:]
		want = open(sys.argv[2]).read().splitlines()
		have = [text(l)[0] for l in seen]
		assert rotations >= 5, rotations
		stamps = [float(l.split(":")[0]) for l in seen]
		assert stamps == sorted(stamps)
		# All but what was said before there was a file.
		assert 0 <= len(want) - len(have) < 3, (len(want), len(have))
		want = want[-len(have):]
		for i, (w, h) in enumerate(zip(want, have)):
		    assert w == h, "line %d of %d: %r became %r" % (
		        i, len(want), w, h)
	PYTHON
}

rotate_under_tail() {	# DIRECTORY
	local pid size least=999999 most=0

	chmod 777 "$1"
	# The interval is for filesystems where it has to look itself.
	start host tail -s 0.01 -n +1 -F "$1/log" >"$BED/tmp/tail" 2>/dev/null
	guest_new
	start host pasta --trace -f -P "$1/pid" --config-net -l "$1/log" \
		--log-size 40960 $(ports_none) "$GUEST" 2>"$ERR"
	pid=$STARTED
	eventually test -s "$1/pid"
	DAEMON=$(cat "$1/pid")
	start guest_root ping -q -i 0.003 "${REMOTE[4]}" >/dev/null
	for _ in $(seq 100); do
		size=$(stat -c %s "$1/log")
		[ "$size" -lt 20480 ] && [ $most -lt 30000 ] || {
			[ "$size" -gt "$least" ] || least=$size
			[ "$size" -lt "$most" ] || most=$size
		}
		sleep 0.03
	done
	kill "${tracked[-1]}"
	eventually gone "${tracked[-1]}"
	kill "$DAEMON"
	eventually gone "$pid"
	echo "size from $least to $most"
	[ "$least" -ge 20480 ]
	[ "$most" -le 40960 ]
	eventually cmp <(tail -n 1 "$1/log") <(tail -n 1 "$BED/tmp/tail")
	tail_saw_all "$BED/tmp/tail" "$ERR"
}

@test "who reads a file that is rotated misses nothing: moving lines" {
	mkdir -p "$BED/tmp/moved"
	rotate_under_tail "$BED/tmp/moved"
}

@test "who reads a file that is rotated misses nothing: dropping blocks" {
	local dir

	dir=$(mktemp -d /var/tmp/log.XXXXXX)
	head -c 65536 /dev/zero >"$dir/try"
	if ! fallocate -c -l 4096 "$dir/try" 2>/dev/null; then
		rm -r "$dir"
		skip 'no FALLOC_FL_COLLAPSE_RANGE in /var/tmp'
	fi
	rotate_under_tail "$dir" || { rm -r "$dir"; return 1; }
	rm -r "$dir"
}

@test "a disk that is full costs messages, which are counted" {
	mkdir "$BED/tmp/full"
	mount -t tmpfs -o mode=1777,size=64k tmpfs "$BED/tmp/full"
	LOG=$BED/tmp/full/log
	head -c 57344 /dev/zero >"$BED/tmp/full/ballast"
	guest_new
	pasta_start -d --trace -l "$LOG"
	guest_root ping -qf -c 500 "${REMOTE[4]}"
	[ "$(tail -c 1 "$LOG" | od -An -c | tr -d ' ')" = '\n' ]
	rm "$BED/tmp/full/ballast"
	guest_root ping -q -c 1 "${REMOTE[4]}"
	grep -E 'WARNING: Messages lost before this one: [0-9]+$' "$LOG"
	! gone "$DAEMON"
}
