# A reset at the expected byte ends the connection: the peer sees a reset, not
# an end of file.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
+0 > P. 1:6 ack 1 "hello"
host recv "hello"
soon < ack 6
+0 > R. 6 ack 1
< none for 3000
host recv reset
flows 0
fds same

conn 1				# without ACK, behind data of the same batch
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
& > P. 1:6 ack 1 "hello"
+0 > R 6
host recv "hello"
host recv reset
flows 0
