# SPDX-License-Identifier: GPL-2.0-or-later
# lib.bash - what the tests with real clients have in common; loaded by each
# .bats file
#
# They run as root in the root file system that "run" enters, among the networks
# of test/bed; words for places, processes and conditions are those of
# ../sys/lib.bash, setup_suite.bash starts what all of them need. More words:
#
#	podman, buildah ARG...		as the ordinary user, on the host
#	run_detached NAME [OPTION]... -- CMD...	a container of image tiny
#	inside NAME CMD...		in that container
#	ask tcp|udp PLACE ADDRESS PORT	what the service "tell-caller" there answers:
#					the caller's address
#	tell_callers PLACE PORT...	start that service there
#	pastas				process ids of all pasta daemons
#
# In the network, "remote" has a web server on port 80 (its page is "a page") and
# a name server, which knows remote.corp.example; that domain is searched.

# shellcheck shell=bash disable=SC2034,SC2154

# shellcheck source=test/sys/lib.bash
source "${BASH_SOURCE[0]%/*}/../sys/lib.bash"

AS_USER=(setpriv --reuid "$BED_UID" --regid "$BED_UID" --clear-groups
	 env "HOME=/home/$BED_USER" "USER=$BED_USER"
	 "XDG_RUNTIME_DIR=/run/user/$BED_UID"
	 PATH=/usr/local/bin:/usr/bin:/usr/sbin)
DEADLINE_S=$((20 * BED_DEADLINE))

IMAGE=localhost/tiny
MAP_GUEST=169.254.1.2		# Podman's names for pasta's translations
DNS_FORWARD=169.254.1.1

podman() { host podman "$@"; }
buildah() { host buildah "$@"; }

run_detached() {	# NAME [OPTION]... -- CMD...
	local name=$1 options=()

	shift
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	podman run -d --name "$name" "${options[@]}" "$IMAGE" "$@" >/dev/null 3>&-
}

inside() { podman exec "$@"; }

# One question, one answer. (Not by read, which takes a byte at a time: of a
# datagram the first, and the rest is lost.)
# shellcheck disable=SC2016
ASK='exec 3<>"/dev/$1/$2/$3" && echo >&3 && head -n 1 <&3 | grep .'
ask() {	# PROTO PLACE ADDRESS PORT
	"$2" timeout 5 bash -c "$ASK" ask "$1" "$3" "$4" 2>/dev/null
}

ask_inside() {	# PROTO CONTAINER ADDRESS PORT
	inside "$2" timeout 5 bash -c "$ASK" ask "$1" "$3" "$4"
}

# Until somebody answers.
ask_soon() {
	eventually ask "$@" >/dev/null
	ask "$@"
}

# IPv6 addresses as socat writes them.
as_seen() {
	local words left right

	case $1 in
	*:*) ;;
	*) echo "$1"; return ;;
	esac
	IFS=: read -ra left <<<"${1%%::*}"
	IFS=: read -ra right <<<"${1#*::}"
	words=("${left[@]}")
	while [ $((${#words[@]} + ${#right[@]})) -lt 8 ]; do
		words+=(0)
	done
	words+=("${right[@]}")
	printf '[%04x' "0x${words[0]}"
	printf ':%04x' "${words[@]:1:7}" | sed 's/0x//g'
	echo ']'
}

# The service tell-caller on these ports.
tellers=()
tell_callers() {	# PLACE PORT...
	local place=$1

	shift
	place "$place"
	"${WORDS[@]}" "${BASH_SOURCE[0]%/*}/tell-caller" "$@" \
		>/dev/null 2>&1 3>&- &
	tellers+=($!)
	disown
}

# Gently, because it has children.
tellers_end() {
	local pid

	[ ${#tellers[@]} = 0 ] || kill -TERM "${tellers[@]}" || :
	for pid in "${tellers[@]}"; do
		eventually gone "$pid"
	done
	tellers=()
}

pastas() { pgrep -u "$BED_UID" '^pas(ta|st)' || :; }
no_pastas() { [ -z "$(pastas)" ]; }

not() { ! "$@"; }

# What a test leaves, gone; and no daemon with nobody to serve.
clients_end() {
	podman rm -fa -t 0 >/dev/null
	podman pod rm -fa -t 0 >/dev/null
	tellers_end
	tracked_kill
	eventually no_pastas
}
