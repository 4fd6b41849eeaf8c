# Nothing is lost before the FIN: the data goes out again ahead of it.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
host send 3000
host shutdown
+0 < data 1:3001
+0 < F. 3001
+1000 < data 1:2921
+0 < FP. 2921:3001
+0 > . 1 ack 1461
+1000 < . 1461:2921
+0 < FP. 2921:3001
+0 > . 1 ack 3001
+1000 < F. 3001
+0 > . 1 ack 3002
< none for 10000
