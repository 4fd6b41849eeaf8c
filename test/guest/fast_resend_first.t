# The first segment ever sent again is one in the middle. That reading then goes
# on from where it ended must not be forgotten: once all has been acknowledged,
# what is lost next is sent again as it was.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
host send 4380
+0 < data 1:4381 seglen 1460 psh
+0 > . 1 ack 1461			# the second was lost
+0 > . 1 ack 1461
+0 > . 1 ack 1461
+0 > . 1 ack 1461
+0 < P. 1461:2921
+0 > . 1 ack 4381
< none for 100
host send 2920
+0 < data 4381:7301 seglen 1460 psh	# both are lost
+1000 < data 4381:7301 seglen 1460 psh
+0 > . 1 ack 7301
< none for 100
host send 2920
+0 < data 7301:10221 seglen 1460 psh
