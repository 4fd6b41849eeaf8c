# Data that is never acknowledged: again after 1, 2, 4, ... 64 s; reset 120 s
# (the limit) later.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
host send 100
+0 < P. 1:101 ack 1
+1000 < P. 1:101 ack 1
+2000 < P. 1:101
+4000 < P. 1:101
+8000 < P. 1:101
+16000 < P. 1:101
+32000 < P. 1:101
+64000 < P. 1:101
< none for 119990
+10 < R. 101 ack 1
host recv reset
flows 0
fds same
