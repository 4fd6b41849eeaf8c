# An old segment of a byte or none is not a keep-alive by its size alone: its ACK
# counts (levers 12.18, 32).
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
+0 > P. 1:101
soon < ack 101
host recv 100
host send 10
+0 < P. 1:11
+0 > . 51 ack 11
soon < ack 101
< none for 3000
+0 > . 50:51 ack 11
soon < . 11 ack 101
