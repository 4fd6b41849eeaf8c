# Across batches what comes early is answered by a duplicate ACK each, so that
# the guest knows after three.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
+0 > . 5:9 ack 1
+0 < . 1 ack 1
+0 > . 9:13 ack 1
+0 < . 1 ack 1
+0 > . 13:17 ack 1
+0 < . 1 ack 1
host recv nothing
+0 > . 1:5 ack 1
host recv 4
soon < ack 5
+0 > . 5:17 ack 1
host recv 12
soon < ack 17
