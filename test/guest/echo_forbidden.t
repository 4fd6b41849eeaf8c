# We may not ping: the guest is told so, and no reply is made up.
config sysctl ipv4/ping_group_range 1 0
echo > 7 0 56
echo < none
icmp 3 13 1 1
flows ping 0
fds same
