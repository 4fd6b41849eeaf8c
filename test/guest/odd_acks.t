# Of what was never sent: answered, not believed. Of what is long known: ignored.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
host send 3000
+0 < data 1:3001 psh
+0 > . 1 ack 3001
+0 > . 1 ack 3002
+0 < . 3001 ack 1
+0 > . 1 ack 100000
+0 < . 3001 ack 1
+0 > . 1 ack 1
+0 > . 1 ack 1461
+0 > . 1 ack 1461
+0 > . 1 ack 1461
+0 > . 1 ack 1461
< none for 3000
host send 2
+0 < P. 3001:3003
