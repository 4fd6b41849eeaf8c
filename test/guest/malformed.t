# Malformed segments are dropped; the connection does not care.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
+0 > P. 1:5 doff 4
+0 > P. 1:5 doff 15
+0 > P 1:5
+0 > - 1:5
< none for 100
flows 1
drops TCP_HEADER 4
+0 > P. 1:5
host recv 4
soon < ack 5
