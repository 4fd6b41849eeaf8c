# When the guest reads again the rest follows by itself: not one ACK, and no
# timer, has to push it.
config sysctl ipv4/tcp_rmem 4096 6000000 6000000
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
link sndbuf 4096
link stall
host send 2000000
turns < 20 in 100
link resume
+0 < data 1:2000001 psh

conn 1				# an ACK that waits, with nothing else to send
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
conn 0
link stall
+0 > . 1 ack 1 win 65535
host send 2M
conn 1
+0 > P. 1:5
host recv 4
link resume
soon < ack 5
