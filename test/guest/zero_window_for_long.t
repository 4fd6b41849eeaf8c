# A guest that answers every probe is alive, however long its window stays shut:
# RFC 9293 3.8.6.1. Ten probes would have ended a silent one.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
+0 > . 1 ack 1 win 0
host send 1000
within 1100 < . 1:2
+0 > . 1 ack 1
within 130000 < . 1:2
+0 > . 1 ack 1
within 130000 < . 1:2
+0 > . 1 ack 1
within 130000 < . 1:2
+0 > . 1 ack 1
within 130000 < . 1:2
+0 > . 1 ack 1
within 130000 < . 1:2
+0 > . 1 ack 1
within 130000 < . 1:2
+0 > . 1 ack 1
within 130000 < . 1:2
+0 > . 1 ack 1
within 130000 < . 1:2
+0 > . 1 ack 1
within 130000 < . 1:2
+0 > . 1 ack 1
within 130000 < . 1:2
+0 > . 1 ack 1
+0 > . 1 ack 1 win 65535
guest recv 999
flows 1
