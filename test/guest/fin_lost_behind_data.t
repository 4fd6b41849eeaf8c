# The FIN is all that is missing, and duplicate ACKs ask for it; or a segment
# before it.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
host send 5000
host shutdown
+0 < data 1:5001
+0 < F. 5001
+0 > . 1 ack 5001
+0 > . 1 ack 5001
+0 > . 1 ack 5001
+0 > . 1 ack 5001
within 1100 < F. 5001
+0 > . 1 ack 5002
< none for 5000

conn 1
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
host send 5000
host shutdown
+0 < data 1:5001
+0 < F. 5001
+0 > . 1 ack 1461
+0 > . 1 ack 1461
+0 > . 1 ack 1461
+0 > . 1 ack 1461
+0 < . 1461:2921
+0 > . 1 ack 5002
< none for 5000
+0 > F. 1 ack 5002
+0 < . 5002 ack 2
flows 1
