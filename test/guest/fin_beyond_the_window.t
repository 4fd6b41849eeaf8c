# A segment that does not fit is cut at the edge, and its FIN with it: it counts
# when it comes again behind the last byte.
host listen
+0 > S 0 mss 65000 win 65535
+0 < SA 0 nows win 65535
host rcvbuf 200000
& > . 1:60001 ack 1
+0 > F. 60001:69001 ack 1
host accept
host recv 65535
soon < ack 65536
host recv nothing
+0 > F. 65536:69001 ack 1
host recv 3465
host recv eof
soon < ack 69002
