# The same in the middle of a batch: the last word counts.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
host send 5000
+0 < data 1:5001 psh
& > . 1 ack 1461 win 0
+0 > . 1 ack 1461 win 65535
+0 < data 1461:5001
+0 > . 1 ack 5001
< none for 5000
