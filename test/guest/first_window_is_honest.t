# A server that speaks first must not promise 16 MiB: the window of the first
# data segment is a scaled one, and no larger than what SYN-ACK's successors say.
host connect
+0 < S 0
host send 100
+0 > SA 0 ack 1 mss 1460 ws 7
+0 < . 1 ack 1 bytes<= 4194304
+0 < data 1:101 bytes<= 4194304
