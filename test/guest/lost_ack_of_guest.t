# ACKs of the guest get lost: a later one counts for all.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
host send 60000
+0 < data 1:60001
+990 > . 1 ack 60001
< none for 5000
host send 60000
+0 < data 60001:120001
+1000 < data 60001:120001
+0 > . 1 ack 120001
< none for 5000
