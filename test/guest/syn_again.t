# The guest sends its SYN again: the SYN-ACK was lost.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0 ack 1
+500 > S 0 mss 1460 ws 7
+0 < SA 0 ack 1 mss auto ws 7
+0 > . 1 ack 1
< nodata
host accept
+0 > S 0 mss 1460 ws 7		# an old duplicate: challenge ACK, RFC 5961 4.2
+0 < . 1 ack 1
+0 > SA 0 ack 1
+0 < . 1 ack 1
+0 > P. 1:3 ack 1 "ok"
host recv "ok"
soon < ack 3
