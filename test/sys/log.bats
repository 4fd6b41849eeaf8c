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
		"$SOCKET" "$SOCKET.pid"
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
	printf '\377\377\377\377' | host socat -u - "UNIX-CONNECT:$SOCKET"
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
