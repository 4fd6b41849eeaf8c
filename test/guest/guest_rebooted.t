# The guest has forgotten, and begins anew from the same port: its SYN is
# challenged, the reset it answers with ends the old connection, the next SYN
# begins the new one. RFC 5961 4.2.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
+0 > P. 1:5 "left"
host recv "left"
soon < ack 5
+0 > S 5000000 mss 1460 ws 7
+0 < . 1 ack 5
+0 > R 5
host recv reset
flows 0
reopen
+1000 > S 0 mss 1460 ws 7
+0 < SA 0 ack 1
+0 > . 1 ack 1
host accept
flows 1
