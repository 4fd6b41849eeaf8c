# FIN needs no window, and there is nothing in front of it.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
+0 > . 1 ack 1 win 0
host shutdown
within 1100 < F. 1 ack 1
within 3100 < F. 1 ack 1
+0 > . 1 ack 2
+0 > F. 1 ack 2
+0 < . 2 ack 2
flows 0
fds same
