# The end of the data comes while the window is closed: FIN goes behind all of
# it, and is sent again like it (2025-08, 2025-09).
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
host send 3000
+0 < data 1:3001 psh
+0 > . 1 ack 3001 win 0
host send 500
host shutdown
< none for 990
+10 < . 3001:3002
+0 > . 1 ack 3001 win 0
within 2100 < . 3001:3002
+0 > . 1 ack 3002 win 65535
+0 < FP. 3002:3501
+1000 < FP. 3002:3501
+0 > . 1 ack 3501
+1000 < F. 3501
+0 > . 1 ack 3502
< none for 5000
turns < 20 in 100
+0 > F. 1 ack 3502
+0 < . 3502 ack 2
flows 0
fds same
