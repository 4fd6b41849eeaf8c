# SPDX-License-Identifier: GPL-2.0-or-later
# TCP: what goes in on one side comes out on the other, whole, and no sooner
# or later than it must.

load lib

setup() { guest_new; }
teardown() {
	remote_root nft flush ruleset
	host_root ip neigh flush nud permanent
	tracked_kill
}

# Port 5000: guest's and remote's server, 5001: host's
everything_served() {	# [PASTA-OPTION]...
	pasta_start -t 5000 -T 5001 "$@"
	serve guest :: 5000
	serve remote :: 5000
	serve host :: 5001
}

# load VERB over PATH in FAMILY: the line it prints, and what it returns
over() {	# PATH FAMILY VERB [OPTION]...
	dial "$1" "$2"
	shift 2
	$CLIENT timeout $((6 * DEADLINE_S)) load "$@" "$ADDR" \
		"$([ "$SERVER_AT" = host ] && echo 5001 || echo 5000)"
}

on_every_path() {	# VERB [OPTION]...
	for path in $PATHS; do
		for family in 4 6; do
			echo "$path IPv$family:"
			over "$path" $family "$@"
		done
	done
}

on_paths() {	# PATHS VERB [OPTION]...
	local PATHS=$1

	shift
	on_every_path "$@"
}

files_at_mtu() {	# MTU
	pasta_start -m "$1" -t 5002
	for size in 0 1 1048576; do
		for family in 4 6; do
			send_file tap_out $family "$(random_file $size)" 5002
			send_file tap_in $family "$(random_file $size)" 5002
		done
	done
}

@test "files of 0 bytes, 1 byte and 1 MiB cross the tap whole at MTU 1280" {
	files_at_mtu 1280
}

@test "files of 0 bytes, 1 byte and 1 MiB cross the tap whole at MTU 1500" {
	files_at_mtu 1500
}

@test "files of 0 bytes, 1 byte and 1 MiB cross the tap whole at MTU 9000" {
	files_at_mtu 9000
}

@test "files of 0 bytes, 1 byte and 1 MiB cross the tap whole at MTU 65520" {
	files_at_mtu 65520
}

@test "files of 0 bytes, 1 byte and 1 MiB are spliced whole" {
	pasta_start -t 5002 -T 5003
	for size in 0 1 1048576; do
		for family in 4 6; do
			send_file splice_in $family "$(random_file $size)" 5002
			send_file splice_out $family "$(random_file $size)" 5003
		done
	done
}

@test "a file of 1 GiB crosses the tap whole, out and in" {
	pasta_start -t 5002
	send_file tap_out 4 "$(random_file $((1 << 30)))" 5002
	send_file tap_in 6 "$(random_file $((1 << 30)))" 5002
}

@test "a file of 1 GiB is spliced whole, out and in" {
	pasta_start -t 5002 -T 5003
	send_file splice_in 4 "$(random_file $((1 << 30)))" 5002
	send_file splice_out 6 "$(random_file $((1 << 30)))" 5003
	rm "$BED/tmp/random.$((1 << 30))"*
}

@test "either side may close its half first, at any byte" {
	everything_served
	on_every_path exchange -n 16 -c 800 -m 300000
}

@test "either side may close its half first, at any byte, at MTU 1280" {
	everything_served -m 1280
	on_paths 'tap_in tap_out' exchange -n 16 -c 800 -m 300000 -S 7
}

@test "a reader which sleeps gets everything when it wakes" {
	everything_served
	on_every_path exchange -n 2 -s 16000000 -w 700
	on_every_path exchange -n 2 -s 16000000 -W 700
}

@test "a reader which sleeps gets everything when it wakes, at MTU 1500" {
	everything_served -m 1500
	on_paths 'tap_in tap_out' exchange -n 2 -s 16000000 -w 300 -W 700
}

@test "streams arrive whole though one packet of fifty is lost" {
	everything_served
	remote_root nft -f - <<-NFT
		table inet lossy {
			chain in {
				type filter hook input priority 0;
				numgen random mod 100 < 2 counter drop
			}
			chain out {
				type filter hook output priority 0;
				numgen random mod 100 < 2 counter drop
			}
		}
	NFT
	on_paths 'tap_in tap_out' exchange -n 4 -s 2000000
	remote_root nft list chain inet lossy in >"$BED/tmp/lossy"
	[ "$(grep -c "packets 0 bytes" "$BED/tmp/lossy")" = 0 ]
}

@test "300 connections at once get through, each whole" {
	everything_served
	on_every_path exchange -n 300 -c 300 -s 300000
}

# Beside what connections cost, the daemon may keep this many descriptors in
# reserve: pipes to lease, sockets made in advance.
RESERVE=80

@test "100,000 short connections over the tap end well and leave nothing" {
	everything_served
	fds=$(daemon_fds)
	on_paths 'tap_in tap_out' crr -n 64 -c 25000
	eventually daemon_fds_at_most $((fds + RESERVE))
}

@test "100,000 short spliced connections end well and leave nothing" {
	everything_served
	fds=$(daemon_fds)
	on_paths 'splice_in splice_out' crr -n 64 -c 25000
	eventually daemon_fds_at_most $((fds + RESERVE))
}

@test "a connection over the tap costs one descriptor" {
	everything_served
	fds=$(daemon_fds)
	hold guest "${REMOTE[4]}" 5000 300
	hold remote "${HOST[6]}" 5000 300
	echo "before $fds, now $(daemon_fds)"
	daemon_fds_at_most $((fds + RESERVE + 600))
}

@test "a spliced connection costs two descriptors" {
	everything_served
	fds=$(daemon_fds)
	hold host "${LOOPBACK[4]}" 5000 300
	hold guest "${LOOPBACK[6]}" 5001 300
	echo "before $fds, now $(daemon_fds)"
	daemon_fds_at_most $((fds + RESERVE + 1200))
}

# So many connections, until the test ends
hold() {	# PLACE ADDRESS PORT COUNT
	local out=$BED/tmp/hold.$2.$3

	rm -f "$out"
	start "$1" load idle -n "$4" "$2" "$3" >"$out"
	eventually grep -q "ready=$4 failed=0" "$out"
}

# As many idle flows as descriptors allow, less 500 for everything else: two
# daemons side by side, measured in turn, the best of each, until the machine has
# let both be as fast as they are.
@test "latency is the same within a tenth with 20,000 idle flows" {
	flows=20000
	most=$(($(ulimit -Hn) - 500))
	[ $flows -le $most ] || flows=$most
	serve remote -p 4 :: 5000
	pasta_start -T 5001
	serve host :: 5001
	quiet=$GUEST
	guest_new
	pasta_start
	serve remote :: 6000
	start guest load idle -n $((flows / 2)) "${REMOTE[4]}" 5000 \
		>"$BED/tmp/idle.1"
	start guest load idle -n $((flows - flows / 2)) "${REMOTE[6]}" 6000 \
		>"$BED/tmp/idle.2"
	eventually grep -q failed=0 "$BED/tmp/idle.1"
	eventually grep -q failed=0 "$BED/tmp/idle.2"
	busy=$GUEST
	best_quiet=1000000
	best_busy=1000000
	for round in {1..40}; do
		for GUEST in $quiet $busy; do
			p50=$(field p50_us "$(over tap_out 4 rr -t 0.4)")
			p50=${p50%.*}
			echo "$flows idle flows at $busy; $GUEST: $p50 us"
			if [ "$GUEST" = "$quiet" ]; then
				best_quiet=$((p50 < best_quiet ? p50 : best_quiet))
			else
				best_busy=$((p50 < best_busy ? p50 : best_busy))
			fi
		done
		[ "$round" -lt 4 ] || [ $((best_busy * 10)) -gt \
			$((best_quiet * 11)) ] || return 0
	done
	return 1
}

# --- nothing spins ---

calm() {
	local calls

	calls=$(daemon_syscalls 3)
	echo "$calls system calls in 3 s"
	[ "$calls" -lt 60 ]
}

queues() { "$1"_root ss -Htn; }

@test "no storm while a guest's reader is asleep behind a full window" {
	everything_served
	for family in 4 6; do
		start guest load recv -w 600000 "${REMOTE[$family]}" 5000
	done
	eventually eval '[ "$(remote_root ss -Htn | grep -c ESTAB)" = 2 ]'
	settled queues remote
	calm
}

@test "no storm while a remote reader is asleep and the guest sends" {
	everything_served
	for family in 4 6; do
		start guest load exchange -s 100000000 -W 600000 \
			"${REMOTE[$family]}" 5000
	done
	eventually eval '[ "$(remote_root ss -Htn | grep -c ESTAB)" = 2 ]'
	settled queues remote
	calm
}

@test "no storm while a host's FIN waits behind data the guest leaves unread" {
	everything_served
	for family in 4 6; do
		start guest load recv -b 16384 -c 80000 -w 600000 \
			"${REMOTE[$family]}" 5000
	done
	eventually eval \
		'[ "$(host_root ss -Htn state close-wait | wc -l)" = 2 ]'
	settled queues host
	calm
}

@test "no storm while a FIN waits behind spliced data nobody reads" {
	everything_served
	for family in 4 6; do
		start host load exchange -s 400000 -W 600000 \
			"${LOOPBACK[$family]}" 5000
	done
	eventually eval \
		'[ "$(host_root ss -Htn state fin-wait-2 | wc -l)" = 2 ]'
	settled queues guest
	calm
}

@test "no storm while a spliced reader is asleep and more is to come" {
	everything_served
	for family in 4 6; do
		start host load exchange -s 100000000 -W 600000 \
			"${LOOPBACK[$family]}" 5000
	done
	eventually eval \
		'[ "$(guest_root ss -Htn "sport = :5000" | grep -c ESTAB)" = 2 ]'
	settled queues host
	calm
}

@test "an idle daemon is woken by nothing but its guest" {
	pasta_start -t 5000 -T 5001
	# or the guest's kernel tells the link about its groups now and then,
	# and the host's about neighbours that have not been heard of lately
	guest_root sysctl -qw net.ipv6.conf.all.disable_ipv6=1
	host_root ip neigh flush all nud all
	settled daemon_sleeps
	before=$(daemon_sleeps)
	# the one place where time has to pass
	sleep 10
	echo "woken $(($(daemon_sleeps) - before)) times in 10 s"
	[ "$(daemon_sleeps)" -le "$before" ]
}

@test "an idle daemon takes at most 2.5 MB of memory" {
	pasta_start -t 5000 -T 5001
	rss=$(awk '/^VmRSS/ { print $2 }' "/proc/$DAEMON/status")
	echo "$rss kB"
	[ "$rss" -le 2560 ]
}

daemon_kb() { awk '/^VmRSS/ { print $2 }' "/proc/$DAEMON/status"; }
daemon_kb_at_most() { [ "$(daemon_kb)" -le "$1" ]; }
daemon_kb_at_least() { [ "$(daemon_kb)" -ge "$1" ]; }

@test "memory of a burst goes back to the host when it has passed" {
	pasta_start
	before=$(daemon_kb)
	start remote python3 -c '
import socket
s = socket.create_server(("::", 8000), family=socket.AF_INET6, backlog=128,
			 dualstack_ipv6=True)
kept = []
while True:
    kept.append(s.accept())		# and nobody reads
'
	server=$STARTED
	eventually listening remote 8000
	for family in 4 6; do
		start guest python3 -c '
import socket, sys, time
kept = []
for i in range(48):
    c = socket.create_connection((sys.argv[1], 8000))
    c.setblocking(False)
    kept.append(c)
end = time.monotonic() + 60
while time.monotonic() < end:
    for c in kept:
        try:
            c.send(bytes(1 << 20))
        except BlockingIOError:
            pass
    time.sleep(0.05)
' "${REMOTE[$family]}"
	done
	eventually daemon_kb_at_least $((before + 8192))
	kill -KILL "$server"
	eventually daemon_kb_at_most $((before + 4096))
}

@test "one port of a peer may use two that lead to the same of the guest" {
	pasta_start -t 8000:5000,8001:5000
	start guest python3 -c '
import socket, threading
def echo(c):
    while data := c.recv(100):
        c.send(data)
s = socket.create_server(("::", 5000), family=socket.AF_INET6,
			 dualstack_ipv6=True)
while True:
    threading.Thread(target=echo, args=(s.accept()[0],)).start()
'
	eventually listening guest 5000
	for family in 4 6; do
		remote timeout "$DEADLINE_S" python3 -c '
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
peers = []
for port in 8000, 8001:
    c = socket.socket(family)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    c.bind(("", 4000))
    c.connect((sys.argv[1], port))
    peers.append(c)
for i in range(3):
    for c in peers:
        said = b"%d from %d" % (i, c.getpeername()[1])
        c.send(said)
        assert c.recv(100) == said
' "${HOST[$family]}"
	done
}

# --- everyday programs ---

@test "curl in the guest reads from a web server in the network" {
	pasta_start
	mkdir -p "$BED/tmp/web"
	cp "$(random_file 1048576)" "$BED/tmp/web/file"
	start remote python3 -m http.server --bind :: 8000 -d "$BED/tmp/web"
	eventually listening remote 8000
	for family in 4 6; do
		guest curl -sSf -o "$BED/home/got" \
			"http://$(bracketed "${REMOTE[$family]}"):8000/file"
		cmp "$BED/home/got" "$BED/tmp/web/file"
	done
}

@test "a web server in the guest is reached from host and network" {
	pasta_start -t 8000
	mkdir -p "$BED/tmp/web"
	cp "$(random_file 1048576)" "$BED/tmp/web/file"
	start guest python3 -m http.server --bind :: 8000 -d "$BED/tmp/web"
	eventually listening guest 8000
	for family in 4 6; do
		for from in "host ${LOOPBACK[$family]}" "host ${HOST[$family]}" \
			    "remote ${HOST[$family]}"; do
			address=${from#* }
			${from% *} curl -sSf -o "$BED/home/got" \
				"http://$(bracketed "$address"):8000/file"
			cmp "$BED/home/got" "$BED/tmp/web/file"
			rm "$BED/home/got"
		done
	done
}

@test "iperf3 in the guest measures both directions, with 4 streams" {
	pasta_start
	start remote iperf3 -s -p 5201
	eventually listening remote 5201
	for family in 4 6; do
		guest iperf3 -c "${REMOTE[$family]}" -p 5201 -n 20M -P 4
		guest iperf3 -c "${REMOTE[$family]}" -p 5201 -n 20M -P 4 -R
	done
}

@test "rsync in the guest fetches a tree from the network" {
	pasta_start
	tree=$BED/tmp/tree
	rm -rf "$tree" "$BED/home/tree"
	mkdir -p "$tree"/{a,b/c}
	for i in 1 2 3; do
		head -c $((i * 70001)) "$(random_file 1048576)" >"$tree/a/$i"
		head -c $((i * 7)) "$(random_file 1048576)" >"$tree/b/c/$i"
	done
	chmod -R a+rX "$tree"
	printf '%s\n' 'use chroot = no' '[tree]' "path = $tree" \
		>"$BED/tmp/rsyncd.conf"
	start remote rsync --daemon --no-detach --port 8730 \
		--config "$BED/tmp/rsyncd.conf"
	eventually listening remote 8730
	for family in 4 6; do
		address=$(bracketed "${REMOTE[$family]}")
		guest rsync -r "rsync://$address:8730/tree" "$BED/home/tree"
		diff -r "$tree" "$BED/home/tree"
		rm -rf "$BED/home/tree"
	done
}

# Who calls then is not refused, but served as soon as there is a descriptor.
@test "out of descriptors what stands goes on, others wait, nothing spins" {
	local rr waits=() before after

	pasta_start -t 5010
	serve remote :: 5000
	serve guest :: 5010
	start guest load rr -n 1 -t 3 "${REMOTE[4]}" 5000 >"$BED/tmp/rr"
	rr=$STARTED
	eventually eval '[ "$(remote_root ss -Htn | grep -c ESTAB)" = 1 ]'
	host prlimit --pid "$DAEMON" --nofile=1:

	start host load crr -c 1 "${LOOPBACK[4]}" 5010 >"$BED/tmp/in"
	waits+=("$STARTED")
	start guest load crr -c 1 "${REMOTE[4]}" 5000 >"$BED/tmp/out"
	waits+=("$STARTED")
	eventually gone "$rr"
	cat "$BED/tmp/rr"
	grep -E 'ops=[1-9]' "$BED/tmp/rr"
	before=$(awk '{ print $14 + $15 }' "/proc/$DAEMON/stat")
	sleep 1
	after=$(awk '{ print $14 + $15 }' "/proc/$DAEMON/stat")
	echo "$before $after"
	[ $((after - before)) -lt 20 ]
	kill -0 "${waits[@]}"

	host prlimit --pid "$DAEMON" --nofile=1024:
	eventually grep ops=1 "$BED/tmp/in"
	eventually grep ops=1 "$BED/tmp/out"
}
