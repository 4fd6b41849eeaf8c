# What routers say about a request is told to the guest: traceroute works.
config sysctl ipv4/ping_group_range 0 0
echo > 7 1 56
echo < 7 1 56
echo router 11 0 3 0	# TTL exceeded
icmp 11 0 3 0
echo router 3 1 1 3	# host, address unreachable
icmp 3 1 1 3
echo router 3 13 1 1	# prohibited
icmp 3 13 1 1
echo router 4 0 100 0	# source quench, and none
icmp none
echo < none
echo > 7 2 56
echo < 7 2 56
flows ping 1
+61000
flows ping 0
fds same
