# A connection from the host, by a forwarded port: SYN to the guest, an ACK of
# its SYN-ACK at once, which precedes data that was already waiting.

host connect
+0 < S 0 mss auto ws 7
host connected			# early accept: the peer knows nothing yet
host send "220 ready"
< none for 900
+0 > SA 0 ack 1 mss 1460 ws 7
+0 < . 1 ack 1
+0 < P. 1:10 ack 1 "220 ready"
+0 > P. 1:5 ack 10 "HELO"
host recv "HELO"
soon < ack 5
+0 > F. 5 ack 10
+0 < . 10 ack 6
host recv eof
host close
+0 < F. 10 ack 6
+0 > . 6 ack 11
flows 0
fds same
