# With our SYN out: a SYN (simultaneous open), data or FIN resets both sides; a
# RST that acknowledges the SYN closes, another one does not.
host connect
+0 < S 0
+0 > S 0 mss 1460 ws 7
+0 < R
host recv reset
flows 0

conn 1
host connect
+0 < S 0
+0 > . 1 ack 1
+0 < R
host recv reset
flows 0

conn 2
host connect
+0 < S 0
+0 > F. 1 ack 1
+0 < R
host recv reset
flows 0

conn 3
host connect
+0 < S 0
+0 > R. 0 ack 1
< none for 2000
host recv reset
flows 0

conn 4
host connect
+0 < S 0
+0 > R. 0 ack 55
+1000 < S 0
flows 1
+0 > R. 0 ack 1
host recv reset
flows 0
fds same
