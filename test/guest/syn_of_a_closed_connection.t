# A fresh SYN for the four numbers of a connection that has just ended.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
+0 > F. 1 ack 1
+0 < . 1 ack 2
host close
+0 < F. 1 ack 2
& > . 2 ack 2
reopen
+0 > S 0 mss 1460 ws 7
+0 < SA 0 ack 1
+0 > . 1 ack 1
host accept
< nodata
+0 > P. 1:5 "anew"
host recv "anew"
flows 1
