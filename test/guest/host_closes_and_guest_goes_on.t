# A full close looks like a half one until the guest sends more: then the peer's
# kernel resets, and the guest hears of it.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
host close
+0 < F. 1 ack 1
+0 > . 1 ack 2
< nodata for 100
flows 1
+0 > P. 1:6 ack 2
within 50 < R. 2
flows 0
fds same
