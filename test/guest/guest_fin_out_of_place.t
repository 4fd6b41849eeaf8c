# FIN counts in order only (2025-10).
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
+0 > F. 5 ack 1
soon < . 1 ack 1
host recv nothing
+0 > F. 1:5 ack 1
soon < ack 6
host recv 4
host recv eof
