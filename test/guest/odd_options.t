# Malformed SYN options end the parsing, those before them count.
host listen
+0 > S 0 mss 700 options 030a win 65535
+0 < SA 0 ack 1 nows
+0 > . 1 ack 1
< nodata
host accept
host send 1000
+0 < data 1:1001 seglen 700 psh
+0 > . 1 ack 1001

conn 1				# scale above 14 counts as 14
host listen
+0 > S 0 mss 1460 ws 30 win 65535
+0 < SA 0 ack 1
+0 > . 1 ack 1 win 1
< nodata
host accept
host send 5000
+0 < data 1:5001 psh
+0 > . 1 ack 5001

conn 2				# an option of length zero
host listen
+0 > S 0 mss 900 options 0800 win 65535
+0 < SA 0 ack 1
