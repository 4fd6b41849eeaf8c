# An idle guest is asked after 30 to 60 s, by an ACK of the byte before the next.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
host send 10
+0 < P. 1:11
+0 > . 1 ack 11
< none for 29900
within 30200 < . 10 ack 1
+0 > . 1 ack 11
< none for 29900
within 30200 < . 10 ack 1
+0 > R 1			# it has forgotten
host recv reset
flows 0
