# SPDX-License-Identifier: GPL-2.0-or-later
# Fragments of the guest are put together: whole, or not at all.

load lib

setup() { guest_new; }
teardown() { tracked_kill; }

TOOL=$BATS_TEST_DIRNAME/fragments.py

# The tool reads its program from standard input: who runs it may not reach the
# source.
tool() { "$1" python3 - "${@:2}" <"$TOOL"; }

address_of_guest() {	# FAMILY
	guest ip -j "-$1" addr show scope global | python3 -c 'import json, sys
print([i for l in json.load(sys.stdin) for i in l["addr_info"]][0]["local"])'
}

interface_of_guest() {
	guest ip -o link show | awk -F'[ :@]+' '$2 != "lo" { print $2 }'
}

# In the background, its output to a file; ready when this returns.
tool_start() {	# OUTPUT PLACE ARGUMENT...
	place "$2"
	"${WORDS[@]}" python3 - "${@:3}" <"$TOOL" >"$1" 3>&- &
	STARTED=$!
	disown
	track "$STARTED"
	eventually grep -q listening "$1"
}

# The guest sends these cases; sets ARRIVED, a line for each that did.
cross() {	# FAMILY CASE...
	local out=$BED/tmp/arrived receiver

	tool_start "$out" remote receive "${REMOTE[$1]}" 5000
	receiver=$STARTED
	tool guest_root send "$1" "$(interface_of_guest)" \
		"$(address_of_guest "$1")" "${REMOTE[$1]}" 5000 "${@:2}" last
	eventually gone "$receiver"
	ARRIVED=$(grep -av listening "$out")
	echo "$ARRIVED"
}

datagrams_of_all_sizes() {	# MTU
	local sender='import socket, sys
f = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
s = socket.socket(f, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
for n in map(int, sys.argv[2:]):
    b = b"%d " % n
    s.sendto(b + bytes(i * 7 % 251 for i in range(n - len(b))),
             (sys.argv[1], 5000))
b = b"last "
s.sendto(b + bytes(i * 7 % 251 for i in range(95)), (sys.argv[1], 5000))'
	local sizes='1200 1252 1253 1472 1473 4000 9000 40000 65507' out

	pasta_start -m "$1"
	for family in 4 6; do
		out=$BED/tmp/sizes.$family
		# Neighbours known: what waits for them may be overtaken
		guest_root ping -q -c 1 "${REMOTE[$family]}"
		tool_start "$out" remote receive "${REMOTE[$family]}" 5000
		# shellcheck disable=SC2086
		guest python3 -c "$sender" "${REMOTE[$family]}" $sizes
		eventually gone "$STARTED"
		cat "$out"
		# shellcheck disable=SC2086
		[ "$(awk '/^[0-9]/ { print $2 }' "$out")" = \
			"$(printf '%d\n' $sizes)" ]
	done
}

@test "datagrams larger than MTU 1500 arrive whole" {
	datagrams_of_all_sizes 1500
}

@test "datagrams larger than MTU 1280 arrive whole" {
	datagrams_of_all_sizes 1280
}

@test "in order or not, repeated, tiny, or as large as can be: they arrive" {
	pasta_start -m 1500
	for family in 4 6; do
		cross $family ordered backwards mixed repeated tiny largest
		[ "$ARRIVED" = "$(printf '%s\n' 'ordered 2992' \
			'backwards 2992' 'mixed 2992' 'repeated 2992' \
			'tiny 792' 'largest 65507' 'last 192')" ]
	done
}

@test "overlaps, gaps, two ends, false lengths: nothing of them arrives" {
	pasta_start -m 1500
	for family in 4 6; do
		cross $family missing overlap overlap-then-good inside \
			two-ends crooked too-tiny ping-of-death
		[ "$ARRIVED" = 'last 192' ]
	done
}

@test "hundreds of incomplete datagrams are in nobody's way" {
	pasta_start -m 1500
	for family in 4 6; do
		cross $family headless headless ordered
		[ "$ARRIVED" = "$(printf '%s\n' 'ordered 2992' 'last 192')" ]
	done
}

@test "the guest is told when a datagram's time is over" {
	local out=$BED/tmp/heard

	pasta_start -m 1500
	for family in 4 6; do
		tool_start "$out" guest_root hear $family \
			"$(interface_of_guest)"
		listener=$STARTED
		cross $family missing
		eventually gone "$listener"
		cat "$out"
		case $family in
		4) grep -qx '11 1' "$out" ;;
		6) grep -qx '3 1' "$out" ;;
		esac
	done
}
