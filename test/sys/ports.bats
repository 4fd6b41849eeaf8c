# SPDX-License-Identifier: GPL-2.0-or-later
# Ports: what -t and -T say is forwarded, nothing else is, and what cannot be
# done is refused in words.

load lib

setup() { guest_new; }
teardown() { tracked_kill; }

# One line is exchanged.
reached() {	# PLACE ADDRESS PORT
	$1 load crr -c 1 "$2" "$3" >/dev/null
}
not_reached() { ! reached "$@"; }
refused() { [[ $($1 load crr -c 1 "$2" "$3") == *refused=1* ]]; }

# The daemon must not start: status 1, one line, with these words in it.
rejected() {	# WORDS OPTION...
	local words=$1 err=$BED/tmp/rejected status=0 word

	shift
	host pasta -q "$@" "$GUEST" 2>"$err" || status=$?
	cat "$err"
	[ $status = 1 ]
	[ "$(wc -l <"$err")" = 1 ]
	for word in $words; do
		grep -qi -- "$word" "$err"
	done
}

@test "a range is forwarded, port by port" {
	pasta_start -t 5010-5012
	serve guest -p 3 :: 5010
	for port in 5010 5011 5012; do
		reached remote "${HOST[4]}" $port
		reached remote "${HOST[6]}" $port
		reached host "${LOOPBACK[4]}" $port
	done
	refused remote "${HOST[4]}" 5009
	refused remote "${HOST[4]}" 5013
}

@test "several chunks are forwarded, each" {
	pasta_start -t 5010,5012,5020-5021
	for port in 5010 5012 5020 5021; do
		listening host $port
	done
	not_listening host 5011
}

@test "an excluded port is not forwarded" {
	pasta_start -t 5010-5014,~5012
	serve guest -p 5 :: 5010
	for port in 5010 5011 5013 5014; do
		reached remote "${HOST[4]}" $port
	done
	refused remote "${HOST[4]}" 5012
}

@test "a port is forwarded to another, a range to a range" {
	pasta_start -t 5020:5000,5021-5022:5031-5032
	serve guest :: 5000
	serve guest -p 2 :: 5031
	for port in 5020 5021 5022; do
		reached remote "${HOST[4]}" $port
		reached remote "${HOST[6]}" $port
	done
	refused remote "${HOST[4]}" 5000
}

@test "a port bound to an address is forwarded there only" {
	pasta_start -t "${HOST[4]}/5030" -t "${HOST[6]}/5031"
	serve guest -p 2 :: 5030
	reached remote "${HOST[4]}" 5030
	refused remote "${HOST[6]}" 5030
	refused host "${LOOPBACK[4]}" 5030
	reached remote "${HOST[6]}" 5031
	refused remote "${HOST[4]}" 5031
	refused host "${LOOPBACK[6]}" 5031
}

@test "a port bound to an interface is forwarded there only" {
	pasta_start -t %eth0/5030
	serve guest :: 5030
	reached remote "${HOST[4]}" 5030
	reached remote "${HOST[6]}" 5030
	refused host "${LOOPBACK[4]}" 5030
}

@test "a port is forwarded to an address of the guest" {
	guest_root ip addr add 10.88.0.1/32 dev lo
	guest_root ip addr add fd88::1/128 dev lo
	pasta_start -t 0.0.0.0/5040:10.88.0.1/5000 -t '::/5041:[fd88::1]/5000'
	serve guest 10.88.0.1 5000
	serve guest fd88::1 5000
	reached remote "${HOST[4]}" 5040
	reached host "${LOOPBACK[4]}" 5040
	reached remote "${HOST[6]}" 5041
}

# Nobody who says "localhost" means one family. The namespace has no IPv6, or
# only what makes itself.
@test "the host's loopback of both families reaches a namespace that has one" {
	guest_root sysctl -qw net.ipv6.conf.all.disable_ipv6=1 \
		net.ipv6.conf.default.disable_ipv6=1
	pasta_start -t 5010
	serve guest 0.0.0.0 5010
	reached host "${LOOPBACK[4]}" 5010
	reached host "${LOOPBACK[6]}" 5010
}

@test "the loopback of both families reaches a service that listens on one" {
	pasta_start -t 5010-5011 -T 5012-5013
	serve guest 0.0.0.0 5010
	start guest socat TCP6-LISTEN:5011,ipv6only=1,fork,reuseaddr EXEC:cat
	eventually listening guest 5011
	serve host 127.0.0.1 5012
	serve host ::1 5013
	for family in 4 6; do
		reached host "${LOOPBACK[$family]}" 5010
		reached host "${LOOPBACK[$family]}" 5011
		reached guest "${LOOPBACK[$family]}" 5012
		reached guest "${LOOPBACK[$family]}" 5013
	done
	tracked_kill
	guest_new	# what is bound to loopback only stays private
	pasta_start -t 5010
	serve guest 127.0.0.1 5010
	for family in 4 6; do
		not_reached host "${LOOPBACK[$family]}" 5010
	done
	tracked_kill
	guest_new
	pasta_start --host-lo-to-ns-lo -t 5010
	serve guest 127.0.0.1 5010
	for family in 4 6; do
		reached host "${LOOPBACK[$family]}" 5010
	done
}

@test "-T forwards the namespace's loopback to the host's" {
	pasta_start -T 5050-5051:5060-5061
	serve host -p 2 127.0.0.1 5060
	serve host -p 2 ::1 5060
	for port in 5050 5051; do
		reached guest "${LOOPBACK[4]}" $port
		reached guest "${LOOPBACK[6]}" $port
	done
	refused guest "${LOOPBACK[4]}" 5060
}

@test "-t auto follows a service that appears and disappears" {
	pasta_start -t auto
	refused host "${LOOPBACK[4]}" 5070
	serve guest :: 5070
	eventually reached host "${LOOPBACK[4]}" 5070
	reached remote "${HOST[6]}" 5070
	kill "$SERVER"
	eventually refused host "${LOOPBACK[4]}" 5070
	eventually not_listening host 5070
}

@test "-T auto follows a service that appears and disappears" {
	pasta_start -T auto
	serve host :: 5071
	eventually reached guest "${LOOPBACK[4]}" 5071
	reached guest "${LOOPBACK[6]}" 5071
	kill "$SERVER"
	eventually not_listening guest 5071
}

# Who listens says when it began, by a clock all namespaces share.
LISTEN='import socket, sys, time
s = socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6)
open(sys.argv[2] + ".new", "w").write(str(time.monotonic()))
import os; os.rename(sys.argv[2] + ".new", sys.argv[2])
time.sleep(60)'
CONNECT='import socket, sys, time
while True:
    try:
        socket.create_connection(("127.0.0.1", int(sys.argv[1]))).close()
        break
    except OSError:
        time.sleep(0.005)
took = time.monotonic() - float(open(sys.argv[2]).read())
print(f"{took:.3f} s")
sys.exit(took > 1.1)'

# The next scan comes within a second, and takes its time.
@test "a service is forwarded within 1.1 s of its listen(), both ways" {
	local n=0 from to

	pasta_start -t auto -T auto
	for _ in 1 2 3; do
		for from in host guest; do
			[ $from = host ] && to=guest || to=host
			n=$((n + 1))
			start $to python3 -c "$LISTEN" $((5080 + n)) \
				"$BED/tmp/listens.$n"
			eventually test -e "$BED/tmp/listens.$n"
			at $from python3 -c "$CONNECT" $((5080 + n)) \
				"$BED/tmp/listens.$n"
		done
	done
}

@test "-t auto forwards none of our own listeners back" {
	pasta_start -t auto -T 5080
	serve guest :: 5081
	eventually listening host 5081
	listening guest 5080
	not_listening host 5080
}

@test "none forwards nothing" {
	serve guest :: 5010
	pasta_start
	refused host "${LOOPBACK[4]}" 5010
	refused remote "${HOST[4]}" 5010
}

@test "a taken port is refused in one line, which says port and cause" {
	serve host :: 5090
	rejected '5090 in.use' -t 5090 -u none -T none -U none
}

@test "more ports than descriptors are refused in one line, which says how many" {
	(
		ulimit -n 3000
		rejected '10000.ports 3000 RLIMIT_NOFILE' -t 10000-19999 \
			-u none -T none -U none
		rejected 'RLIMIT_NOFILE' -t all -u all -T none -U none
		pasta_start -t 10000-11999
		listening host 11999
	)
}

@test "all ports that can be had are forwarded" {
	[ "$(ulimit -Hn)" -ge 17000 ] || skip "17000 descriptors are not allowed"
	serve host :: 5090
	pasta_start -t all
	serve guest :: 5091
	reached remote "${HOST[4]}" 5091
	reached remote "${HOST[6]}" 5091
	[ "$(host_root ss -Hltn | wc -l)" -gt 14000 ]
	[ "$(awk '/^VmRSS/ { print $2 }' "/proc/$DAEMON/status")" -lt 20000 ]
}

@test "a privileged port is refused in one line, which says port and cause" {
	rejected '80 permission' -t 80 -u none -T none -U none
}

@test "what is no specification of ports is refused in one line with it" {
	for spec in 0 70000 5010-5009 5010-5012:6010-6011 5010, ,5010 \
		    5010x none,5010 5010:0 10.0.0.256/5010 '' \
		    fd77::zz/5010; do
		rejected "'\?$spec" -t "$spec"
		rejected "'\?$spec" -T "$spec"
	done
}

@test "overlapping specifications are refused" {
	rejected 5010 -t 5010 -t 5005-5015
}

# --- what the guest looks like ---

addresses() {	# PLACE
	"$1"_root ip -o addr show dev eth0 scope global |
		awk '{ print $3, $4 }' | sort
}
default_routes() {	# PLACE
	for f in -4 -6; do
		"$1"_root ip $f route show default |
			sed 's/ metric.*//; s/ proto.*//; s/ pref.*//; s/ *$//'
	done
}

@test "--config-net gives the guest the host's addresses and default routes" {
	pasta_start
	[ -n "$(addresses host)" ]
	diff <(addresses host) <(addresses guest)
	[ "$(default_routes host | wc -l)" = 2 ]
	diff <(default_routes host) <(default_routes guest)
	for family in 4 6; do
		guest ip route get "${REMOTE[$family]}" | grep -q 'dev eth0'
	done
}

@test "--config-net sets the MTU" {
	pasta_start -m 1400
	guest ip link show eth0 | grep 'mtu 1400 '
}

@test "the guest reaches a service on the host by the gateway's address" {
	pasta_start
	serve host :: 5000
	for family in 4 6; do
		reached guest "${GATEWAY[$family]}" 5000
	done
}

@test "the guest reaches the host's other addresses" {
	pasta_start
	serve host :: 5000
	for family in 4 6; do
		reached guest "${HOST_EXTRA[$family]}" 5000
	done
}

@test "connecting where nobody listens is refused at once" {
	pasta_start -t 5010
	for family in 4 6; do
		refused guest "${REMOTE[$family]}" 4999
		guest timeout 2 load crr -c 1 "${REMOTE[$family]}" 4999 |
			grep refused=1
	done
}

@test "a command gets the network, and its status is returned" {
	serve remote :: 5000
	for family in 4 6; do
		host pasta -q --config-net -t none -u none -T none -U none -- \
			load crr -c 1 "${REMOTE[$family]}" 5000
	done
	status=0
	host pasta -q -t none -u none -T none -U none -- sh -c 'exit 42' ||
		status=$?
	[ $status = 42 ]
}
