# SPDX-License-Identifier: GPL-2.0-or-later
# Ports below 1024, by each of the three ways there are: a file capability, root,
# and the sysctl. For passt and for pasta that runs a command, or is attached, by
# process or path. TCP and UDP, both families.

# shellcheck disable=SC2016,SC2030,SC2031

load lib

PORT=80
BOTH=(-q -t $PORT -u $PORT)
AT_HOST=(nsenter --net="$BED_HOST")

# A failure in which "!" would be is no failure to the shell.
not() { ! "$@"; }

setup() {
	PIDFILE=$BED/tmp/lowports.pid
	rm -f "$BED"/tmp/lowports.*
	DIR=$BED/tmp/low
	mkdir -p "$DIR"
	cp "$BED/bin/passt" "$DIR/passt"
	ln -sf passt "$DIR/pasta"
	chmod 755 "$DIR"
	from_now 1024
}
teardown() {
	tracked_kill
	ip netns del lowports 2>/dev/null || :
}

from_now() { host_root sysctl -qw net.ipv4.ip_unprivileged_port_start="$1"; }

# One of each protocol, which takes both families.
listeners() { host_root ss -Hltun "sport = :$PORT" | grep -c '\*:80 '; }
served() { [ "$(listeners)" = 2 ]; }
free() { [ "$(listeners)" = 0 ]; }

attached() {	# CMD...
	"${AT_HOST[@]}" "$@" 3>&- || return
	DAEMON=$(cat "$PIDFILE")
	track "$DAEMON"
	served || { echo "$*: $(host_root ss -Hltun)"; return 1; }
	kill "$DAEMON"
	eventually gone "$DAEMON"
	eventually free
}

# All modes, as somebody. What is started reaches a guest of the ordinary user.
everywhere() {	# [CMD]...: as whom
	[ "$("${AT_HOST[@]}" "$@" "$DIR/pasta" "${BOTH[@]}" -T none -U none -- \
		echo works)" = works ]
	guest_new
	attached "$@" "$DIR/pasta" "${BOTH[@]}" -P "$PIDFILE" -T 81 -U 81 "$GUEST"
	attached "$@" "$DIR/pasta" "${BOTH[@]}" -P "$PIDFILE" -T 81 -U 81 \
		--userns "/proc/$GUEST/ns/user" --netns "/proc/$GUEST/ns/net"
	attached "$@" "$DIR/passt" "${BOTH[@]}" -P "$PIDFILE" -s "$BED/tmp/lowports.socket"
}

@test "low ports are refused to who may not have them, in all modes" {
	local command

	guest_new
	for command in "pasta -T none -U none -- true" \
		       "pasta -T none -U none $GUEST" \
		       "passt -f -s $BED/tmp/lowports.socket"; do
		# shellcheck disable=SC2086
		run host ${command%% *} "${BOTH[@]}" ${command#* }
		[ "$status" = 1 ]
		[ "$output" = "cannot listen on TCP port 80 of any address:\
 Permission denied (ports below net.ipv4.ip_unprivileged_port_start need\
 CAP_NET_BIND_SERVICE)" ]
	done
}

@test "low ports by a file capability" {
	setcap cap_net_bind_service+ep "$DIR/passt"
	everywhere "${AS_USER[@]}"
}

@test "low ports by root, who changes to nobody" {
	everywhere 2>"$BED/tmp/lowports.err"
	not grep -vE 'change to nobody|nameserver' "$BED/tmp/lowports.err"
	# A namespace of root's own, without a user namespace
	ip netns add lowports
	attached "$DIR/pasta" "${BOTH[@]}" -P "$PIDFILE" -T 81 -U 81 --netns lowports
	# Kept to be root
	[ "$("${AT_HOST[@]}" "$DIR/pasta" --runas 0 "${BOTH[@]}" -- \
		echo works)" = works ]
}

@test "low ports by the sysctl" {
	from_now $PORT
	everywhere "${AS_USER[@]}"
	from_now 0
	everywhere "${AS_USER[@]}"
}

@test "the namespace's low ports need nothing" {
	host pasta -q -t none -u none -T 80 -U 80 -- sh -c '
		[ "$(ss -Hltun "sport = :80" | grep -c .)" = 2 ]'
}

@test "what opened a low port is not there any more when it serves" {
	setcap cap_net_bind_service+ep "$DIR/passt"
	guest_new
	"${AT_HOST[@]}" "${AS_USER[@]}" "$DIR/pasta" "${BOTH[@]}" -T none -U none \
		-P "$PIDFILE" "$GUEST" 3>&-
	DAEMON=$(cat "$PIDFILE")
	track "$DAEMON"
	for set in Inh Prm Eff Bnd Amb; do
		grep -q "^Cap$set:[[:space:]]*0*$" "/proc/$DAEMON/status"
	done
}
