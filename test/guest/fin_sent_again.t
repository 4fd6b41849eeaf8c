# FIN is on the timer as data is (2026-01), and its ACK may be lost.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
host shutdown
+0 < F. 1 ack 1
+1000 < F. 1 ack 1
+2000 < F. 1
+4000 < F. 1
+100 > . 1 ack 2
< none for 20000
flows 1
+0 > F. 1 ack 2
+0 < . 2 ack 2
flows 0
+0 > F. 1 ack 2			# our ACK was lost: nobody knows any more
+0 < R 2
