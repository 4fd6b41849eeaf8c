# A SYN for a guest that is not there yet is lost on the wire (2025-09, 2025-12):
# the next one arrives.
config link listen
link connect
link disconnect
host connect
+2500
link connect
+500 < S 0
+0 > SA 0 ack 1 mss 1460 ws 7
+0 < . 1 ack 1
host send 3
+0 < P. 1:4
