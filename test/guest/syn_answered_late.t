# The guest boots, and answers the eighth SYN; data then starts at 1.
host connect
host send "late"
+0 < S 0
+1000 < S 0
+1000 < S 0
+1000 < S 0
+1000 < S 0
+1000 < S 0
+2000 < S 0
+4000 < S 0
+7000 > SA 0 ack 1 mss 1460 ws 7
+0 < . 1 ack 1
+0 < P. 1:5 "late"
+3000 < P. 1:5 "late"		# RFC 6298 5.7: 3 s after a lost SYN
+0 > . 1 ack 5
< none for 5000
