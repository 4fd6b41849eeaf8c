# The timer goes back, but the link is full; meanwhile the guest acknowledges what
# it had all along. Nothing of that is sent again, and numbers go on behind it.
config sysctl ipv4/tcp_rmem 4096 6000000 6000000
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
host send 10000
+0 < data 1:10001
conn 1
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
link sndbuf 4096
link stall
host send 2M
conn 0
+1000 > . 1 ack 10001
link resume
< none for 100
host send 10
+0 < P. 10001:10011
+0 > . 1 ack 10011
< none for 5000
