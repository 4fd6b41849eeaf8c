# A closed port on the host: RST with ACK of the SYN, or a guest in SYN-SENT
# would ignore it.
host closed
+0 > S 0 mss 1460 ws 7
+0 < R. ack 1
flows 0
fds same
+1000 > S 0 mss 1460 ws 7
+0 < R. ack 1
flows 0
fds same
