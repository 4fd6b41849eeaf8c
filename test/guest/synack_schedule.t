# The third segment of the guest's handshake is lost: SYN-ACK again, not SYN, on
# the same schedule and with the same sequence number.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0 ack 1
+1000 < SA 0 ack 1 mss auto ws 7
+1000 < SA 0 ack 1
+1000 < SA 0 ack 1
+1000 < SA 0 ack 1
+1000 < SA 0 ack 1
+2000 < SA 0 ack 1
+4000 < SA 0 ack 1
host accept
< none for 7990
+10 < R. 1 ack 1
host recv reset
flows 0
fds same
