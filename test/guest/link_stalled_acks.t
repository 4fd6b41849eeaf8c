# An ACK that found no room is not forgotten; a SYN is sent again.
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
+0 > P. 1:5 ack 1
+100 > P. 5:9 ack 1
host recv 8
conn 1
host connect
< none for 500
link resume
within 1600 < S 0
+0 > SA 0 ack 1 mss 1460 ws 7
soon < . 1 ack 1
conn 0
soon < ack 9
guest recv 2M
