# RFC 5961 3.2: a reset elsewhere in the window is challenged, outside it is
# ignored; the connection lives.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
+0 > R 2
+0 < . 1 ack 1
+0 > R. 100 ack 1
+0 < . 1 ack 1
+0 > R 0
+0 > R 1000000000
< none for 100
flows 1
drops TCP_RST 4
+0 > P. 1:3 ack 1 "ok"
host recv "ok"
soon < ack 3
