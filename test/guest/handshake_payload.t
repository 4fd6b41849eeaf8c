# Payload on the segment that ends the handshake is data as any other.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0 ack 1
+0 > P. 1:8 ack 1 "request"
host accept
host recv "request"
soon < ack 8

conn 1				# and its FIN
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0 ack 1
+0 > FP. 1:6 ack 1 "short"
host accept
host recv "short"
host recv eof
soon < ack 7
host send "answer"
+0 < P. 1:7 ack 7 "answer"
host close
+0 < F. 7 ack 7
+0 > . 7 ack 8
flows 1
