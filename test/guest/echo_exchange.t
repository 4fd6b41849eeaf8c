# Echo: identifier, sequence number and data come back as they were sent, from
# the address that was asked. Two identifiers are two conversations.
config sysctl ipv4/ping_group_range 0 0
echo > 7 0 0
echo < 7 0 0
echo > 7 1 1000
echo < 7 1 1000
echo > 8 65535 56
echo < 8 65535 56
flows ping 2
# Asked twice, answered twice: nothing is a duplicate.
echo > 7 1 56
echo < 7 1 56
echo > 7 1 56
echo < 7 1 56
echo < none
+59000
echo > 8 0 56
echo < 8 0 56
+1500
flows ping 1
+59000
flows ping 0
echo < none
fds same
