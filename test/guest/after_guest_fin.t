# Between the guest's FIN and the host's: SYN is challenged, data is not taken,
# ACKs count, RST ends it.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
+0 > F. 1 ack 1
+0 < . 1 ack 2
host recv eof
+0 > S 0 mss 1460 ws 7
+0 < . 1 ack 2
+0 > SA 0 ack 1
+0 < . 1 ack 2
host send 100
+0 < P. 1:101 ack 2
+0 > . 2 ack 101
< none for 5000
+0 > R 3
+0 < . 101 ack 2
flows 1
+0 > R 2
flows 0
fds same
