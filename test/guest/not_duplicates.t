# ACKs with data, with another window, or with nothing in flight are no sign of
# a loss.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
+0 > . 1 ack 1
+0 > . 1 ack 1
+0 > . 1 ack 1
+0 > . 1 ack 1
< nodata for 500
host send 5000
+0 < data 1:5001 psh
+0 > . 1:2 ack 1
+0 > . 2:3 ack 1
+0 > . 3:4 ack 1
+0 > . 4:5 ack 1
soon < ack 5
+0 > . 5 ack 1 win 60000
+0 > . 5 ack 1 win 59000
+0 > . 5 ack 1 win 58000
+0 > . 5 ack 1 win 57000
< nodata for 500
