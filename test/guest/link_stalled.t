# The guest stops reading: what does not fit on the link stays in the socket.
# Nothing is lost, repeated or out of order when it reads again, and meanwhile
# nothing spins (2023-09, 2024-07).
config sysctl ipv4/tcp_rmem 4096 6000000 6000000
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
link sndbuf 4096
link stall
host send 2M
turns < 20 in 100
host shutdown
turns < 20 in 100
link resume
guest recv 2M
+0 > .
+1000 > .
flows 1
+0 > F.
soon < .
flows 0
