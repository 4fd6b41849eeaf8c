# The last segment of what was read in one go has PSH (2025-01).
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
host send 1
+0 < P. 1:2
host send 5000
+0 < data 2:5002 seglen 1460 psh
+0 > . 1 ack 5002
host send 1460
+0 < P. 5002:6462
