# RST and a fresh SYN of the same four numbers in one write: a new connection.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
< nodata
host accept
& > R 1
reopen
+0 > S 0 mss 1460 ws 7
+0 < SA 0 ack 1
+0 > . 1 ack 1
host accept
flows 1
+0 > P. 1:4 "new"
host recv "new"
host swap
host recv reset
