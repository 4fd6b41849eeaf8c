# The peer aborts: the guest gets RST with ACK at our next byte.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
host send 10
+0 < P. 1:11
host reset
+0 < R. 11 ack 1
flows 0
fds same
+0 > . 1 ack 11
+0 < R 11

conn 1				# before the guest has finished its handshake
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
host accept
host reset
+0 < R. 1 ack 1
flows 0

conn 2				# before it has answered
host connect
+0 < S 0
host reset
+0 < R
flows 0
fds same
