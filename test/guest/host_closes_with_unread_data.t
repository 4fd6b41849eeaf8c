# A peer that closes with data unread resets, and so do we.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
+0 > P. 1:6
soon < ack 6
host close
+0 < R. 1 ack 6
flows 0
fds same
