# Segments of one batch are put in order.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
& > . 5:9 ack 1
& > . 9:13 ack 1
+0 > P. 1:5 ack 1
host recv 12
soon < ack 13
& > F. 21 ack 1
& > . 17:21 ack 1
+0 > P. 13:17 ack 1
host recv 8
host recv eof
+0 < ack 22
