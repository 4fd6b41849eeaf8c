# SPDX-License-Identifier: GPL-2.0-or-later
# What is forwarded can be shown and changed while running, by pesto and by other
# clients of the control socket, and nobody but the changed ports notices.

load lib

setup() {
	SOCK=$(mktemp -u "$BED/tmp/control.XXXXXX")
	guest_new
}
teardown() { tracked_kill; }

started() { pasta_start -c "$SOCK" "$@"; }

reached() { $1 load crr -c 1 "$2" "$3" >/dev/null; }
answered() { [ "$(field ops "$($1 load urr -t 0.1 "$2" "$3")")" -gt 0 ]; }
refused() { [[ $($1 load crr -c 1 "$2" "$3") == *refused=1* ]]; }
not() { if "$@"; then return 1; fi; }

rules() { host pesto "$SOCK"; }
rule_is() { rules | grep -qxF "    $1"; }
rule_count() { [ "$(rules | grep -c '=>')" = "$1" ]; }

# pesto must fail: status 1, one line, with these words in it.
fails() {	# WORDS OPTION...
	local err=$BED/tmp/err status=0 word words=$1

	shift
	host pesto "$@" "$SOCK" 2>"$err" || status=$?
	cat "$err"
	[ $status = 1 ]
	[ "$(wc -l <"$err")" = 1 ]
	for word in $words; do
		grep -qi -- "$word" "$err"
	done
}

client() { host "$BATS_TEST_DIRNAME/control_client.py" "$1" "$SOCK" "${@:2}"; }

# Stays connected in the background.
client_stays() {	# VERB
	local fifo=$BED/tmp/client

	mkfifo "$fifo"
	exec {said}<>"$fifo"
	rm "$fifo"
	start host "$BATS_TEST_DIRNAME/control_client.py" "$1" "$SOCK" >&$said
	read -rt "$DEADLINE_S" -u "$said"
	exec {said}<&-
}

@test "ports are added and deleted one at a time, in both families" {
	started
	serve guest -p 2 :: 5000
	host pesto --add -t 0.0.0.0/5000 -t '[::]/5000' "$SOCK"
	host pesto --add -t 127.0.0.1/5010:5001 "$SOCK"
	for family in 4 6; do
		reached remote "${HOST[$family]}" 5000
		reached host "${LOOPBACK[$family]}" 5000
	done
	reached host 127.0.0.1 5010
	rule_is 'TCP [0.0.0.0]:5000  =>  5000 '
	rule_is 'TCP [127.0.0.1]:5010  =>  5001 '

	host pesto --delete -t '[::]/5000' "$SOCK"
	reached remote "${HOST[4]}" 5000
	refused remote "${HOST[6]}" 5000
	host pesto -D -t 0.0.0.0/5000 -t 127.0.0.1/5010:5001 "$SOCK"
	refused remote "${HOST[4]}" 5000
	refused host 127.0.0.1 5010
	rule_count 0
}

# A container's addresses on a bridge within the namespace; both families.
@test "Podman's words: ports of a container behind a bridge" {
	local spec specs=() all=(
		0.0.0.0/5000:10.88.0.5/5001 '[::]/5000:fd88::5/5001'
		127.0.0.1/5010:10.88.0.5/5001 '[::1]/5010:fd88::5/5001'
		0.0.0.0/5020-5022:10.88.0.5/5001-5003
		'[::]/5020-5022:fd88::5/5001-5003')

	started
	guest_root ip addr add 10.88.0.5/32 dev lo
	guest_root ip addr add fd88::5/128 dev lo nodad
	serve guest -p 3 10.88.0.5 5001
	serve guest -p 3 fd88::5 5001
	for spec in "${all[@]}"; do
		specs+=(-t "$spec")
	done
	[ -z "$(host pesto --add "${specs[@]}" "$SOCK" 2>&1)" ]
	for family in 4 6; do
		reached remote "${HOST[$family]}" 5000
		reached host "${LOOPBACK[$family]}" 5000
		reached host "${LOOPBACK[$family]}" 5010
		refused remote "${HOST[$family]}" 5010
		reached remote "${HOST[$family]}" 5022
	done
	[ -z "$(host pesto --delete "${specs[@]}" "$SOCK" 2>&1)" ]
	rule_count 0
	refused remote "${HOST[4]}" 5000
}

@test "RootlessKit's words: = and a bare IPv6 address" {
	local spec

	started
	serve guest -p 2 :: 5000
	for spec in --tcp-ports=0.0.0.0/5030:5000 --tcp-ports=::/5031:5001 \
		    --tcp-ports=127.0.0.1/5032:5000 --udp-ports=0.0.0.0/5030:5000; do
		[ -z "$(host pesto -A "$spec" "$SOCK" 2>&1)" ]
	done
	reached remote "${HOST[4]}" 5030
	refused remote "${HOST[6]}" 5030
	reached remote "${HOST[6]}" 5031
	reached host 127.0.0.1 5032
	for spec in --udp-ports=0.0.0.0/5030:5000 --tcp-ports=::/5031:5001; do
		[ -z "$(host pesto -D "$spec" "$SOCK" 2>&1)" ]
	done
	refused remote "${HOST[6]}" 5031
	reached remote "${HOST[4]}" 5030
	rule_count 2
}

@test "success is silent, adding what is there succeeds" {
	started
	[ -z "$(host pesto --add --tcp-ports=5000-5009:6000-6009 "$SOCK" 2>&1)" ]
	[ -z "$(host pesto --add --tcp-ports=5000-5009:6000-6009 "$SOCK" 2>&1)" ]
	rule_count 1
}

@test "what is not there, or only in part, cannot be deleted" {
	started -t 5000-5009
	fails 'no.such.rule 5010' -D -t 5010
	fails 'no.such.rule 5003' -D -t 5003
	fails 'no.such.rule' -D -u 5000-5009
	fails 'conflict 5000-5009' -A -t 5003
	rule_is 'TCP [*]:5000-5009  =>  5000-5009 '
}

@test "a specification alone replaces the table, both protocols of it" {
	started -t 5000 -u 5001 -T 5002
	host pesto -t 5010 -t 5011 "$SOCK"
	rule_is 'TCP [*]:5010  =>  5010 '
	rule_is 'TCP [*]:5011  =>  5011 '
	rule_is 'TCP [*]%lo:5002  =>  5002 '
	rule_count 3
	not_listening host 5000
	host pesto -t none "$SOCK"
	rule_count 1
}

@test "options act in order: clear, replace, add, delete" {
	started -t 5000 -T 5002
	host pesto -C HOST -t 5001 -A -t 5003 -u 5003 -D -t 5001 "$SOCK"
	rule_is 'TCP [*]:5003  =>  5003 '
	rule_is 'UDP [*]:5003  =>  5003 '
	rule_count 3
	host pesto --clear SPLICE "$SOCK"
	rule_count 2
	fails 'no.table.TAP' -C TAP
	fails none -A -t none
	rule_count 2
}

@test "what is forwarded is shown, alone, and before and after" {
	started -t 5000:5001 -t 0.0.0.0/5002:192.0.2.1/80
	cat >"$BED/tmp/want" <<-WANT
		Current configuration ($SOCK)
		  HOST
		    TCP [*]:5000  =>  5001 
		    TCP [0.0.0.0]:5002  =>  192.0.2.1:80 
		  SPLICE
	WANT
	rules | diff "$BED/tmp/want" -
	host pesto "$SOCK" -s -A -U 53 >"$BED/tmp/shown"
	sed -i 's/^Current/Previous/' "$BED/tmp/want"
	sed 's/^Previous/Updated/' "$BED/tmp/want" >"$BED/tmp/after"
	echo '    UDP [*]%lo:53  =>  53 ' >>"$BED/tmp/after"
	cat "$BED/tmp/want" "$BED/tmp/after" | diff - "$BED/tmp/shown"
}

@test "the namespace's loopback, and datagrams, are forwarded as well" {
	started
	serve host :: 5060
	host pesto -A -T 5050:5060 "$SOCK"
	reached guest "${LOOPBACK[4]}" 5050
	reached guest "${LOOPBACK[6]}" 5050
	SERVER=$(guest load userve -d :: 5070 3>&-)
	track "$SERVER"
	host pesto -A -u 5070-5071 "$SOCK"
	for family in 4 6; do
		answered remote "${HOST[$family]}" 5070
		answered host "${LOOPBACK[$family]}" 5070
	done
	host pesto -D -u 5070-5071 "$SOCK"
	not answered remote "${HOST[4]}" 5070
}

@test "automatic ports can be turned on and off" {
	started
	serve guest :: 5080
	host pesto -A -t auto "$SOCK"
	eventually reached host "${LOOPBACK[4]}" 5080
	rules | grep -q '(auto-scan)$'
	host pesto -D -t auto "$SOCK"
	not_listening host 5080
}

@test "a port that is taken leaves everything as it was, and says why" {
	started -t 5000
	serve guest -p 3 :: 5000
	serve host :: 5002
	fails 'not.done 5002 in.use' -A -t 5001 -t 5002
	fails 'not.done 5002 in.use' -t 5001 -t 5002
	reached host "${LOOPBACK[4]}" 5000
	not_listening host 5001
	rule_count 1
}

@test "a low port cannot be added while running, and it says so" {
	started -t 5000
	fails 'not.done 80 permission start' -A -t 80
	rule_count 1
}

@test "what cannot be said is refused before anything is sent" {
	started -t 5000
	for spec in 0 x 5010-5009 5010:0 ,5010 70000 %/5; do
		fails "'\?$spec" -A -t "$spec"
	done
	fails 'both families' -A -t 5010:192.0.2.1
	fails 'loopback only' -A -T 192.0.2.1/5010
	rule_count 1
}

@test "without a server, or a sensible command line, pesto fails" {
	SOCK=$BED/tmp/nobody fails 'connect.to nobody'
	for words in '' 'a b' '-x a' '-t' '--add --frobnicate a'; do
		# shellcheck disable=SC2086
		not host pesto $words 2>/dev/null
		# shellcheck disable=SC2086
		{ host pesto $words || :; } 2>&1 | grep -q '^Usage: pesto'
	done
	host pesto --version | grep -q '^pesto '
	host pesto --help | grep -q -- '--delete'
	SOCK=$(printf '%0120d' 1) fails 'more.than'
}

@test "a server that says something else, or nothing, is told from ours" {
	local word

	for word in 'hello to you all, and more' 'basil:s'; do
		start host socat -U "UNIX-LISTEN:$SOCK" "SYSTEM:printf '$word'"
		eventually test -S "$SOCK"
		fails 'control.socket\|closed'
		rm -f "$SOCK"
	done
}

@test "what pesto says is one line, without control characters" {
	local told='basil:s\0\0\0\0\2\0\0\0\200\0\0\0\20\1'

	SOCK=$BED/tmp/$'no\nbody' fails 'no?body'
	printf "$told\033]0;HOST%0130d" 0 >"$BED/tmp/told"
	start host socat -U "UNIX-LISTEN:$SOCK" "OPEN:$BED/tmp/told"
	eventually test -S "$SOCK"
	fails 'Invalid name of a table'
	rm -f "$SOCK"
}

@test "connections that exist go on, callers that wait are served" {
	started -t 5000-5001
	serve guest -p 2 :: 5000
	for family in 4 6; do
		start remote load rr -t 3 "${HOST[$family]}" 5000
	done
	for i in 1 2 3 4 5; do
		host pesto -A -t "501$i" "$SOCK"
		host pesto -D -t "501$i" "$SOCK"
	done
	# replaced, and gone
	host pesto -t 5000 "$SOCK"
	host pesto -C HOST "$SOCK"
	refused remote "${HOST[4]}" 5000
	before=$(ss_established)
	[ "$before" -ge 2 ]
	sleep 0.3
	[ "$(ss_established)" = "$before" ]
}
ss_established() { remote ss -Htn state established 'dport = :5000' | wc -l; }

@test "a hundred updates a second under traffic lose no connection" {
	started -t 5000
	serve guest :: 5000
	start host "$BATS_TEST_DIRNAME/control_client.py" churn "$SOCK" 200 \
		>"$BED/tmp/churn"
	churn=$STARTED
	while not gone "$churn"; do
		remote load crr -c 20 "${HOST[4]}" 5000 >/dev/null
		remote load crr -c 20 "${HOST[6]}" 5000 >/dev/null
	done
	rate=$(cat "$BED/tmp/churn")
	echo "# $rate updates a second" >&3
	[ "$rate" -ge 100 ]
	rule_count 1
	not_listening host 5999
}

@test "a client in the middle of an update stops nothing, and has to go" {
	started -t 5000
	serve guest :: 5000
	client_stays half
	reached remote "${HOST[4]}" 5000
	reached remote "${HOST[6]}" 5000
	host timeout 9 pesto -A -t 5001 "$SOCK"
	rule_count 2
	not_listening host 5999
}

@test "an idle client does not keep others waiting for ever" {
	started -t 5000
	client_stays idle
	host timeout 9 pesto -A -t 5001 "$SOCK"
	rule_count 2
}

@test "several clients at once are served in turn, none is lost" {
	started
	pids=()
	for port in 5001 5002 5003 5004 5005 5006; do
		start host pesto -A -t $port -u $port "$SOCK"
		pids+=("$STARTED")
	done
	for p in "${pids[@]}"; do
		eventually gone "$p"
	done
	rule_count 12
}

@test "a client that does not wait for anything is obeyed" {
	started -t 5000
	client old
	eventually rule_count 0
}

@test "the dialogue is version 2 to the byte" {
	started -4 -t 8000-8010 -u 127.0.0.1/22000:23 -T 9000:9001
	client dump >"$BED/tmp/dump"
	[ "$(stat -c %s "$BED/tmp/dump")" = 463 ]
	head -c 20 "$BED/tmp/dump" | od -An -tx1 | tr -d ' \n' |
		grep -qx 626173696c3a73000000000200000080000000'10'
	tail -c +21 "$BED/tmp/dump" | head -c 137 | od -An -tx1 -v |
		tr -d ' \n' | grep -qx "01484f53540*0000003d00000002"
}

@test "the socket's permissions are those of the umask, a stale one is replaced" {
	started
	[ "$(stat -c '%F %a %U' "$SOCK")" = "socket 755 $BED_USER" ]
	status=0
	host pasta -q -c "$SOCK" $(ports_none) "$GUEST" 2>"$BED/tmp/err" ||
		status=$?
	[ $status = 1 ]
	grep -q "$SOCK already in use" "$BED/tmp/err"

	kill -KILL "$DAEMON"
	eventually gone "$DAEMON"
	fails 'refused'
	eventually not guest ip link show eth0 2>/dev/null
	place host
	started
	rule_count 0
	chmod 0700 "$SOCK"
	not setpriv --reuid 65534 --clear-groups \
		"$BED/bin/pesto" "$SOCK" 2>"$BED/tmp/err"
	grep -qi 'permission denied' "$BED/tmp/err"
}

@test "a virtual machine's ports are changed as well" {
	socket=$(mktemp -u "$BED/tmp/vm.XXXXXX")
	host passt -q -P "$socket.pid" -s "$socket" -c "$SOCK" 3>&-
	DAEMON=$(cat "$socket.pid")
	track "$DAEMON"
	host pesto -A -t 0.0.0.0/5000 -u '[::]/5000' "$SOCK"
	listening host 5000
	[ "$(rules | sed -n 2p)" = '  HOST' ]
	rule_count 2
	[[ $(rules) != *SPLICE* ]]
	fails SPLICE -A -T 5001
	fails auto -A -t auto
	host pesto -C HOST "$SOCK"
	not_listening host 5000
}
