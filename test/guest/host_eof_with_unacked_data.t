# Not closed before the guest has acknowledged data and FIN (2025-09).
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
+0 > F. 1 ack 1
+0 < . 1 ack 2
host send 100
host close
+0 < data 1:101
+0 < F. 101
flows 1
+0 > . 2 ack 101
flows 1
+0 > . 2 ack 102
flows 0
fds same
