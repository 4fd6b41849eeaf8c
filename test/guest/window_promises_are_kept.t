# Whatever fits the window is taken, to the last byte, however many segments and
# acknowledgements it takes to fill it: the edge must not creep beyond what there
# is memory for.
config sysctl ipv4/tcp_wmem 4096 16384 32768
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
guest flood 2001
drops SLAB 0
drops TCP_WINDOW 0
host sink on
guest send 100K
