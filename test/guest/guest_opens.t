# A connection from the guest: handshake, a message each way, close by both.
# Appendix B: none + SYN; SYN-ACK sent + ACK; ESTABLISHED + data, FIN, EOF.

host listen
+0 > S 0 mss 1460 ws 7 win 65535
+0 < SA 0 ack 1 mss auto ws 7 win 65535
+0 > . 1 ack 1
< nodata
host accept
flows 1
+0 > P. 1:6 ack 1 "hello"
host recv "hello"
soon < ack 6
host send "good day"
+0 < P. 1:9 ack 6 "good day"
+0 > . 6 ack 9
< none for 500
+0 > F. 6 ack 9
+0 < . 9 ack 7
host recv eof
flows 1
host shutdown
+0 < F. 9 ack 7
+0 > . 7 ack 10
flows 0
fds same
+0 > . 7 ack 10			# the flow is gone: late segments get a reset
+0 < R
