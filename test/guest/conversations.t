# Two connections at once do not mix, in one batch of the link either.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
conn 1
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
conn 0
& > P. 1:6 "first"
conn 1
& > P. 1:7 "second"
conn 0
+0 > P. 6:11 "third"
host recv "firstthird"
soon < ack 11
conn 1
host recv "second"
soon < ack 7
host send 3000
conn 0
host send 10
+0 < P. 1:11
conn 1
+0 < data 1:3001 psh
+0 > R.
host recv reset
flows 1
conn 0
+0 > P. 11:12
host recv 1
