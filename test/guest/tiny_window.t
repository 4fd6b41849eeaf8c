# A guest that takes a byte at a time gets a byte at a time.
host listen
+0 > S 0 mss 1460 win 1
+0 < SA 0 nows
+0 > . 1 ack 1 win 1
host accept
< nodata
host send 5
+0 < . 1:2
< none for 500
+0 > . 1 ack 2 win 1
+0 < . 2:3
+0 > . 1 ack 3 win 1
+0 < . 3:4
turns < 20 in 100
+0 > . 1 ack 4 win 100
+0 < P. 4:6
