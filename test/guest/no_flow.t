# Segments of no connection, as after a restart of ours. RFC 9293 3.10.7.1.
guest to 10.0.2.2 fe80::1 9
+0 > . 100:105 ack 777 "stray"
+0 < R 777			# with ACK: its number, and no ACK
+0 > - 100:105
+0 < R. ack 105
+0 > F 100:105			# FIN counts
+0 < R. ack 106
+0 > SA 100 ack 5
+0 < R 5
+0 > SF 100
+0 < R. ack 102
+0 > F. 100 ack 9
+0 < R 9
+0 > R 100
+0 > R. 100 ack 5
< none for 100
drops NO_FLOW 8
flows 0
