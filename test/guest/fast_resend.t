# RFC 5681: the third duplicate ACK, not the first (levers 12.9), has the hole
# filled; RFC 6582: a partial ACK, the next one.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
host send 14600
+0 < data 1:14601 seglen 1460 psh
+0 > . 1 ack 1461			# 1461:2921 and 5841:7301 were lost
< none for 10
+0 > . 1 ack 1461
+0 > . 1 ack 1461
< none for 10
+0 > . 1 ack 1461
+0 < . 1461:2921
< none for 10
+0 > . 1 ack 1461			# more of them change nothing
+0 > . 1 ack 1461
+0 > . 1 ack 1461
< none for 10
+0 > . 1 ack 5841
+0 < . 5841:7301
< none for 10
+0 > . 1 ack 14601
< none for 5000
host send 5
+0 < P. 14601:14606
