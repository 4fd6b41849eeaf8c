# SPDX-License-Identifier: GPL-2.0-or-later
# Counters of a running process: printed when asked for, in step with what
# happens, and not at all when nothing does.

# shellcheck disable=SC2154

load lib

setup() { ERR=$BED/tmp/err PIDFILE=$BED/tmp/pid; }

teardown() {
	tracked_kill
	rm -f "$ERR" "$PIDFILE"
}

stats_start() {	# OPTION...
	guest_new
	# A guest that is idle is silent too.
	guest_root sysctl -qw net.ipv6.conf.default.router_solicitations=0
	# shellcheck disable=SC2046
	start host pasta -q -P "$PIDFILE" --config-net "$@" $(ports_none "$@") \
		"$GUEST" 2>"$ERR"
	eventually test -s "$PIDFILE"
	DAEMON=$(cat "$PIDFILE")
	eventually no_tentative
}

# Lines of counters, and a column of the last one by its name in the staircase.
counts() { grep -cE '^( +[0-9]+){10,}$' "$ERR"; }
counts_are() { [ "$(counts)" = "$1" ]; }

column() {	# NAME
	awk -v name="$1" '
		/[a-zP]$/ && !/:/ { at = length($0); sub(/^[ |]*/, "")
			edge[$0] = at - length($0) + 1 }
		/^( +[0-9]+)+$/ { line = $0 }
		END { print substr(line, 1, edge[name]) }' "$ERR" |
		awk '{ print $NF }'
}

column_is() { [ "$(column "$1")" = "$2" ]; }

@test "the order of options does not matter, and a command is as good as -f" {
	stats_start -f --stats 1
	eventually grep -q '      link$' "$ERR"
	tracked_kill
	rm "$ERR" "$PIDFILE"
	stats_start --stats 1 -f
	eventually grep -q '      link$' "$ERR"
	tracked_kill

	host pasta -q --config-net --stats 1 -- \
		ping -c 1 "${GATEWAY[4]}" 2>"$ERR" 3>&-
	[ "$(counts)" -ge 1 ]
	column_is 'ping' 1
}

@test "what is counted is what has happened" {
	local n

	stats_start -f --stats 1 -t 5000
	serve guest :: 5000
	serve remote :: 5000
	for family in 4 6; do
		guest timeout 10 load crr -c 1 "${REMOTE[$family]}" 5000
		remote timeout 10 load crr -c 1 "${HOST[$family]}" 5000
		guest ping -c 1 "${REMOTE[$family]}"
	done
	eventually column_is 'listening TCP' 2
	eventually column_is 'ping' 2
	[ "$(column 'connected TCP')" -ge 8 ]
	[ "$(column 'link')" -ge 20 ]
	[ "$(column 'listener open now')" -ge 1 ]
	eventually grep -qE '^  TCP: FINISHED 4|^  TCP: .*, FINISHED 4' "$ERR"
}

@test "an idle process prints nothing, and sleeps" {
	local before

	stats_start -f --stats 1 -4
	guest_root sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1
	eventually settled counts
	settled daemon_sleeps
	# What came last is told a second later.
	sleep 1.5
	before="$(counts) $(daemon_sleeps)"
	sleep 2.5
	echo "$before, then $(counts) $(daemon_sleeps)"
	[ "$(counts) $(daemon_sleeps)" = "$before" ]
}

@test "at debug level everything is told at exit" {
	stats_start -f -d -t none
	serve remote 0.0.0.0 5000
	start guest socat -u PIPE "TCP:${REMOTE[4]}:5000"
	eventually grep -q 'Flow .*ESTABLISHED' "$ERR"
	kill "$DAEMON"
	eventually gone "$DAEMON"
	grep -E 'Count: link: [1-9]' "$ERR"
	grep -E 'Count: drops: NDP, .*: [1-9]' "$ERR"
	grep -E 'Flow [0-9]+ \(TCP connection\): open at exit' "$ERR"
}
