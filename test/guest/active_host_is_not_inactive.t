# A sign of life from either side begins the two hours anew.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
+7000000
guest ignore
host send 1
+0 < P. 1:2
+0 > . 1 ack 2
+7000000
guest ignore
flows 1
+0 > P. 1:2
host recv 1
soon < ack 2
+7000000
guest ignore
flows 1
