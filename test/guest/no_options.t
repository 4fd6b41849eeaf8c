# A SYN without options: MSS 536 (RFC 9293 3.7.1), no scale.
host listen
+0 > S 0 win 65535
+0 < SA 0 ack 1 nows
+0 > . 1 ack 1
< nodata
host accept
host send 1500
+0 < data 1:1501 psh seglen 536
+0 > . 1 ack 1501
