# The ACK of what was sent before the timer went back arrives late: it did
# arrive, and nothing of it is sent again.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
+0 > . 1 ack 1 win 40
host send 10000
+0 < data 1:5121
+1000 < data 1:5121
+0 > . 1 ack 5121 win 40
+0 < data 5121:10001
+900 > . 1 ack 8041 win 0
< none for 900
within 200 < data 8041:8042
+0 > . 1 ack 10001 win 512
< none for 5000
host send 10
+0 < P. 10001:10011
