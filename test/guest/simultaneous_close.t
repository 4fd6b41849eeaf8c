# Both FINs are under way at once.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
link stall
host shutdown
+0 > F. 1 ack 1
link resume
+0 < F. 1 ack 1
+0 < . 2 ack 2
+0 > . 2 ack 2
flows 0
fds same
