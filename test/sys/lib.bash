# SPDX-License-Identifier: GPL-2.0-or-later
# lib.bash - what the system tests have in common; loaded by each .bats file
#
# They run as root inside test/bed, which see for the networks. The words:
#
#	host, remote, guest CMD...	run as the ordinary user, there
#	host_root, remote_root, guest_root CMD...	as root
#	guest_new			a guest namespace; sets GUEST, its pid
#	pasta_start [OPTION]...		attach a daemon to it; sets DAEMON
#	serve PLACE [OPTION]... ADDRESS PORT	start "load serve" there
#	eventually CMD...		until it succeeds, for 10 s at most
#
# What a test starts in the background is killed when the test ends: `track`
# notes a process id, everything above does so by itself.
#
# Nothing waits for a time to pass; everything waits for a condition, with a
# deadline.

# shellcheck shell=bash disable=SC2034,SC2154

# Other programs' deadlines on a busy machine: what fails is tried once more, and
# what is broken fails twice.
BATS_TEST_RETRIES=1

AS_USER=(setpriv --reuid "$BED_UID" --regid "$BED_UID" --clear-groups
	 env "HOME=$BED/home" "USER=$BED_USER")
DEADLINE_S=$((10 * BED_DEADLINE))

# Addresses by family
declare -gA REMOTE=([4]=10.77.0.3 [6]=fd77::3)
declare -gA HOST=([4]=10.77.0.1 [6]=fd77::1)
declare -gA GATEWAY=([4]=10.77.0.2 [6]=fd77::2)
declare -gA HOST_EXTRA=([4]=10.77.9.1 [6]=fd77:9::1)
declare -gA LOOPBACK=([4]=127.0.0.1 [6]=::1)

# How to get to a place: WORDS to put before a command.
place() {	# PLACE
	local place=${1%_root}

	case $place in
	host) WORDS=(nsenter "--net=$BED_HOST") ;;
	remote) WORDS=(nsenter "--net=$BED_REMOTE") ;;
	guest) WORDS=(nsenter "--net=/proc/$GUEST/ns/net") ;;
	esac
	[ "$place" = "$1" ] || return 0
	if [ "$place" = guest ]; then
		WORDS=("${AS_USER[@]}" nsenter -t "$GUEST" -U -n
		       --preserve-credentials)
	else
		WORDS+=("${AS_USER[@]}")
	fi
}

at() {	# PLACE CMD...
	place "$1"
	"${WORDS[@]}" "${@:2}"
}

host() { at host "$@"; }
remote() { at remote "$@"; }
guest() { at guest "$@"; }
host_root() { at host_root "$@"; }
remote_root() { at remote_root "$@"; }
guest_root() { at guest_root "$@"; }

# --- processes, conditions ---

tracked=()
track() { tracked+=("$@"); }

# shellcheck disable=SC2120
tracked_kill() {
	local pid

	[ ${#tracked[@]} = 0 ] || kill -KILL "${tracked[@]}" 2>/dev/null || :
	for pid in "${tracked[@]}"; do
		eventually gone "$pid"
	done
	tracked=()
}

# A zombie is gone too.
gone() {
	! [ -e "/proc/$1" ] || grep -q '^State:[[:space:]]*[ZX]' \
		"/proc/$1/status" 2>/dev/null
}

eventually() {
	local end=$((SECONDS + DEADLINE_S))

	until "$@"; do
		[ $SECONDS -lt $end ] || { echo "never: $*" >&2; return 1; }
		sleep 0.02
	done
}

# Until what CMD prints is the same three times in a row.
settled() {
	local end=$((SECONDS + DEADLINE_S)) last='' now same=0

	while [ $same -lt 3 ]; do
		now=$("$@")
		if [ "$now" = "$last" ]; then
			same=$((same + 1))
		else
			same=0
		fi
		last=$now
		[ $SECONDS -lt $end ] || { echo "unsettled: $*" >&2; return 1; }
		sleep 0.1
	done
}

# CMD in the background; sets STARTED, its pid.
start() {	# PLACE CMD...
	place "$1"
	"${WORDS[@]}" "${@:2}" 3>&- &
	STARTED=$!
	disown || :	# gone already
	track "$STARTED"
}

# --- the guest, the daemon ---

guest_new() {
	local fifo=$BED/tmp/fifo

	mkfifo "$fifo"
	exec {ready}<>"$fifo"
	rm "$fifo"
	start host unshare -rUn sh -c 'echo; exec sleep infinity' >&$ready
	GUEST=$STARTED
	read -rt "$DEADLINE_S" -u "$ready"
	exec {ready}<&-
	guest ip link set lo up
	guest_root sysctl -qw net.ipv4.tcp_congestion_control=reno \
		net.ipv4.tcp_rmem='4096 131072 6291456' \
		net.ipv4.tcp_wmem='4096 16384 4194304' \
		net.ipv4.tcp_slow_start_after_idle=0 \
		net.ipv4.ip_local_port_range='16384 65535' \
		net.ipv4.tcp_tw_reuse=1
}

# Forwarding nothing which was not asked for.
ports_none() {	# OPTION...
	local o

	for o in -t -u -T -U; do
		[[ " $* " == *" $o "* ]] || echo "$o none"
	done
}

# The daemon is ready when this returns. With a guest of several, set GUEST.
pasta_start() {
	local pidfile

	pidfile=$(mktemp -u "$BED/tmp/pid.XXXXXX")
	# shellcheck disable=SC2046
	host pasta -q -P "$pidfile" --config-net "$@" $(ports_none "$@") \
		"$GUEST" 3>&-
	DAEMON=$(cat "$pidfile")
	track "$DAEMON"
	eventually no_tentative
}

no_tentative() { ! guest ip -6 addr show tentative | grep -q inet6; }

# The daemon and all its helpers.
daemon_tree() {
	local p children=("$DAEMON")

	while [ ${#children[@]} -gt 0 ]; do
		p=${children[0]}
		children=("${children[@]:1}")
		echo "$p"
		# shellcheck disable=SC2207
		children+=($(cat /proc/"$p"/task/*/children 2>/dev/null))
	done
}

daemon_fds() { find "/proc/$DAEMON/fd" -mindepth 1 | wc -l; }
daemon_fds_at_most() { [ "$(daemon_fds)" -le "$1" ]; }

# How often its processes went to sleep, less the packets the guest's kernel
# sent of its own accord: each is a reason to wake.
daemon_sleeps() {
	local p sent

	# shellcheck disable=SC2016
	sent=$(guest_root awk '$1 == "eth0:" { print $11 }' /proc/net/dev)
	for p in $(daemon_tree); do
		cat "/proc/$p/status"
	done | awk -v sent="$sent" \
		'/^voluntary_ctxt_switches/ { n += $2 } END { print n - sent }'
}

# System calls of all its processes within some seconds.
daemon_syscalls() {	# SECONDS
	local out=$BED/tmp/strace.$$ pids=() p

	for p in $(daemon_tree); do
		pids+=(-p "$p")
	done
	timeout -s INT "$1" strace -qq -c -o "$out" "${pids[@]}" || :
	awk '$NF == "total" { n = $(NF > 4 && $(NF - 1) ~ /^[0-9]+$/ &&
		$(NF - 2) ~ /^[0-9]+$/ && NF == 6 ? NF - 2 : NF - 1) }
		END { print n + 0 }' "$out"
}

# --- traffic ---

serve() {	# PLACE [OPTION]... ADDRESS PORT
	local place=$1

	shift
	SERVER=$($place load serve -d "$@" 3>&-)
	track "$SERVER"
}

listening() {	# PLACE PORT
	"$1"_root ss -Hltn "sport = :$2" | grep -q .
}
not_listening() { ! listening "$@"; }

# Paths of a connection: over the tap or spliced, in or out. Sets CLIENT, the
# place where to connect; SERVER_AT; ADDR, to what. Ports are the same on both
# ends.
PATHS='tap_out tap_in splice_in splice_out'
dial() {	# PATH FAMILY
	case $1 in
	tap_out) CLIENT=guest SERVER_AT=remote ADDR=${REMOTE[$2]} ;;
	tap_in) CLIENT=remote SERVER_AT=guest ADDR=${HOST[$2]} ;;
	splice_in) CLIENT=host SERVER_AT=guest ADDR=${LOOPBACK[$2]} ;;
	splice_out) CLIENT=guest SERVER_AT=host ADDR=${LOOPBACK[$2]} ;;
	esac
}

# A field of the result line of load: `field p50_us "$line"`.
field() {
	local pair

	for pair in $2; do
		[ "${pair%%=*}" != "$1" ] || echo "${pair#*=}"
	done
}

bracketed() { case $1 in *:*) echo "[$1]" ;; *) echo "$1" ;; esac; }

# The file on one side, its SHA-256 on the other.
send_file() {	# PATH FAMILY FILE PORT
	local got=$BED/tmp/got.$4 receiver

	dial "$1" "$2"
	rm -f "$got"
	start "$SERVER_AT" socat -u -b 262144 -T "$DEADLINE_S" \
		"TCP6-LISTEN:$4,ipv6only=0,reuseaddr" "CREATE:$got"
	receiver=$STARTED
	eventually listening "$SERVER_AT" "$4"
	$CLIENT socat -u -b 262144 "OPEN:$3,rdonly" "TCP:$(bracketed "$ADDR"):$4" ||
		{ echo "$1 $2 $3: not sent" >&2; return 1; }
	eventually gone "$receiver" ||
		{ echo "$1 $2 $3: no end seen" >&2; return 1; }
	[ "$(sha256_of "$got")" = "$(sha256_of "$3")" ] ||
		{ echo "$1 $2 $3: not what was sent" >&2; return 1; }
	rm "$got" "$got.sum"
}

sha256_of() {
	[ -e "$1.sum" ] || openssl sha256 -r "$1" | cut -d' ' -f1 >"$1.sum"
	cat "$1.sum"
}

# A file of so many random bytes, made once.
random_file() {	# SIZE
	local f=$BED/tmp/random.$1

	[ -e "$f" ] || openssl enc -aes-128-ctr -K 00 -iv 00 -in /dev/zero \
		2>/dev/null | head -c "$1" >"$f"
	chmod 644 "$f"
	echo "$f"
}
