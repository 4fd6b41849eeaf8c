# With the SYN-ACK out: SYN-ACK resets both sides, RST closes, a wrong ACK
# number is answered by RST (RFC 9293 3.10.7.4) and changes nothing.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0 ack 1
host accept
+0 > SA 0 ack 1
+0 < R. 1 ack 1
host recv reset
flows 0

conn 1
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0 ack 1
host accept
+0 > R 1
< none for 2000
host recv reset
flows 0

conn 2
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0 ack 1
host accept
+0 > . 1 ack 77
+0 < R 77
flows 1
+0 > . 1 ack 1
+0 > P. 1:3 "ok"
host recv "ok"
