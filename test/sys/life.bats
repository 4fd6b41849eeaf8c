# SPDX-License-Identifier: GPL-2.0-or-later
# A process's life among others: started again and again, killed at any moment,
# at a terminal. What is left afterwards: nothing.

# shellcheck disable=SC2016,SC2030,SC2031

load lib

NONE=(-q -t none -u none -T none -U none)
AT_HOST=(nsenter --net="$BED_HOST" "${AS_USER[@]}")

# Who is killed leaves a PID file, which is root's where he was.
teardown() {
	tracked_kill
	rm -f "$BED/tmp/pid"
}

# A failure in which "!" would be is no failure to the shell.
not() { ! "$@"; }

no_pasta() { not pgrep -x -u "$BED_USER,nobody" 'passt|pasta|pasta-agent'; }

restarts() {	# N OPTION...
	host "$BATS_TEST_DIRNAME/restarts.py" "$@" -q --config-net -T none -U none 3>&-
}

# --- started again ---

@test "a container restarted 500 times finds its ports free every time" {
	[ "$(restarts 500 -t 5009 -u 5009)" = 500 ]
	eventually no_pasta
}

@test "so does one whose ports are published by family and address" {
	[ "$(restarts 100 -t 127.0.0.1/5009 -t ::1/5009 -u 10.77.0.1/5009 \
		-u fd77::1/5009)" = 100 ]
	eventually no_pasta
}

# --- ports of others ---

port_taken() {	# PROTOCOL ADDRESS: by a program that would share
	start host python3 -c '
import socket, sys, time
kind = socket.SOCK_STREAM if sys.argv[1] == "t" else socket.SOCK_DGRAM
family = socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET
with socket.socket(family, kind) as s:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((sys.argv[2], 5009))
    if kind == socket.SOCK_STREAM:
        s.listen()
    time.sleep(1000)' "$@"
	eventually taken "$1"
}
taken() { host ss -Hln"$1" 'sport = :5009' | grep -q .; }

@test "a port that somebody else has is an error, also of datagrams" {
	local address protocol

	for protocol in t u; do
		for address in 10.77.0.1 127.0.0.1 fd77::1 ::1; do
			port_taken $protocol "$address"
			run host pasta "${NONE[@]}" -$protocol 5009 -- true
			echo "$protocol $address: $status, $output"
			[ "$status" = 1 ]
			[[ "$output" == *'Address already in use'* ]]
			tracked_kill
		done
	done
}

@test "two daemons never have the same datagram port" {
	start host pasta "${NONE[@]}" -u 5009 -- sleep 1000
	eventually taken u
	run host pasta "${NONE[@]}" -u 5009 -- true
	[ "$status" = 1 ]
	[[ "$output" == *'UDP port 5009 of any address: Address already in use'* ]]
}

# --- killed at any moment ---

@test "whoever is killed at whatever moment, nothing stays behind" {
	local seed=$RANDOM

	echo "seed $seed"
	host "$BATS_TEST_DIRNAME/deaths.py" $seed 300 3>&-
}

# Who is not root stays who he is; root becomes nobody, and enters a user
# namespace of somebody else.
@test "whoever wants it to die with him is obeyed, root too" {
	local place caller

	guest_new
	for place in host host_root; do
		rm -f "$BED/tmp/pid"
		start $place sh -c 'setpriv --pdeathsig KILL pasta "$@" & wait' \
			sh -f "${NONE[@]}" -P "$BED/tmp/pid" "$GUEST"
		caller=$STARTED
		eventually test -s "$BED/tmp/pid"
		DAEMON=$(cat "$BED/tmp/pid")
		track "$DAEMON"
		kill -KILL "$caller"
		eventually gone "$DAEMON"
	done
}

# --- at a terminal ---

at_terminal() {	# COMMAND...: prints its exit status
	host "$BATS_TEST_DIRNAME/terminal.py" "$@" 3>&-
}

# What one does at a shell; a prompt that is not the text typed to set it.
SESSION='type PS1=rea; PS1=${PS1}dy\n
see ready
type sleep 1000\n
job sleep
type \x03
see ready
type echo inter$?rupted\n
see inter130rupted
see ready
type sleep 1000\n
job sleep
type \x1a
see Stopped
see ready
type fg\n
job sleep
type \x03
see ready
type cat\n
job cat
type word\n\x04
see word
see word
see ready
type exit 7\n'

@test "shells control their jobs, and end with the status they mean" {
	local shell

	for shell in 'dash -i' 'bash --norc --noprofile -i' 'sh' \
		     '/bin/dash -i' ''; do
		echo "shell: $shell"
		# shellcheck disable=SC2086
		[ "$(at_terminal env ENV= SHELL=/bin/dash pasta "${NONE[@]}" \
			-- $shell <<<"$SESSION")" = 7 ]
	done
}

@test "when a shell has ended, the terminal is its caller's again" {
	local shell

	for shell in dash 'bash --norc --noprofile -i' \
		     'bash --norc --noprofile --posix -i'; do
		[ "$(at_terminal sh -c "pasta ${NONE[*]} -- $shell
			read -r line; echo read-\$line; exit 5" <<-'END'
			type PS1=rea; PS1=${PS1}dy\n
			see ready
			type exit\n
			job sh
			type this\n
			see read-this
		END
		)" = 5 ]
	done
}

@test "an interrupt from the terminal ends pasta, and the command hears it" {
	[ "$(at_terminal pasta "${NONE[@]}" -- python3 -c '
import signal, time
signal.signal(signal.SIGINT, lambda *_: print("heard") or time.sleep(1000))
print("there", flush=True)
time.sleep(1000)' <<-'END'
		see there
		type \x03
	END
	)" = -2 ]
	host pkill -KILL -u "$BED_USER" python3
}

# --- one client only ---

one_off_start() {	# [OPTION]...
	SOCKET=$BED/tmp/life.socket
	host passt -q -1 -s "$SOCKET" -P "$SOCKET.pid" -t none -u none "$@" 3>&-
	DAEMON=$(cat "$SOCKET.pid")
	track "$DAEMON"
}

@test "asking whether a socket is taken is not being its one client" {
	one_off_start
	for _ in 1 2 3; do
		run host passt -f -s "$SOCKET"
		[ "$status" = 1 ]
		[[ "$output" == *"Socket path $SOCKET already in use"* ]]
	done
	not gone "$DAEMON"

	# One that never says a word is: its guest may have had none to say yet
	start host socat "UNIX-CONNECT:$SOCKET" EXEC:'sleep 1000'
	connected() { host ss -xH "src = $SOCKET" | grep -q ESTAB; }
	eventually connected
	kill "$STARTED"
	eventually gone "$DAEMON"
	[ -S "$SOCKET" ]
}

@test "a socket left by one that died is taken over, one in use or a file is not" {
	local n

	one_off_start
	kill -KILL "$DAEMON"
	eventually gone "$DAEMON"
	one_off_start
	kill -KILL "$DAEMON"
	eventually gone "$DAEMON"

	rm "$SOCKET"
	echo precious >"$SOCKET"
	run host passt -f -s "$SOCKET"
	[ "$status" = 1 ]
	[ "$(cat "$SOCKET")" = precious ]
	rm "$SOCKET"
}
