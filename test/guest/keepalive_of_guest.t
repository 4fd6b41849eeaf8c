# A keep-alive (one byte back, with or without a byte) has exactly one ACK for an
# answer, and is no duplicate ACK (2024-11). Its window counts (2025-02).
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
host send 10
+0 < P. 1:11
+0 > . 1 ack 11
+0 > . 0 ack 11
+0 < . 11 ack 1
< none for 500
+0 > . 0:1 ack 11
+0 < . 11 ack 1
< none for 500
host send 10
+0 < P. 11:21
+0 > . 0 ack 11
+0 < . 21 ack 1
+0 > . 0 ack 11
+0 < . 21 ack 1
+0 > . 0 ack 11
+0 < . 21 ack 1
+0 > . 0 ack 11
+0 < . 21 ack 1
< none for 900
+0 > . 1 ack 21 win 0
host send 10
< none for 100
+0 > . 0 ack 21 win 65535	# the data does for an answer
+0 < P. 21:31 ack 1
