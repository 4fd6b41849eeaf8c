# An update reopens it at once; no probe comes after.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
+0 > . 1 ack 1 win 0
host send 1000
< none for 500
+0 > . 1 ack 1 win 10
+0 < P. 1:1001
+0 > . 1 ack 1001 win 10
host send 2000
+0 < data 1001:2281
< none for 500
+0 > . 1 ack 2281 win 10
+0 < data 2281:3001 psh
+0 > . 1 ack 3001
< none for 10000
