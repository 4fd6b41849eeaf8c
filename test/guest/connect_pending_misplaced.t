# ACK, FIN or SYN-ACK while connect() is pending: reset. RST: close.
host listen
host deaf
+0 > S 0 mss 1460 ws 7
< none for 100
+0 > . 1 ack 12345
+0 < R.
flows 0

conn 1
host listen
host deaf
+0 > S 0 mss 1460 ws 7
+0 > SA 0 ack 1
+0 < R.
flows 0

conn 2
host listen
host deaf
+0 > S 0 mss 1460 ws 7
+0 > F. 1 ack 1
+0 < R.
flows 0

conn 3
host listen
host deaf
+0 > S 0 mss 1460 ws 7
+0 > R 1
< none for 2000
flows 0

conn 4				# not the sequence number of this connection
host listen
host deaf
+0 > S 0 mss 1460 ws 7
+0 > R 77777
< none for 100
flows 1
+0 > R 1
flows 0
fds same
