# A connection that ends with a full backlog leaves nothing behind.
host listen
+0 > S 0 mss 65000 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
guest flood
+0 > R.
flows 0
fds same

conn 1				# the same, by the host
host listen
+0 > S 0 mss 65000 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
guest flood
host reset
+0 < R.
flows 0
fds same
