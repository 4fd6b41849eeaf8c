# The guest's SYN-ACK takes no notice of our window scale: then nobody scales.
host connect
+0 < S 0 ws 7
+0 > SA 0 ack 1 mss 1460 win 3000
+0 < . 1 ack 1 bytes<= 65535
host send 5000
+0 < data 1:3001
< none for 500
+0 > . 1 ack 3001 win 65535
+0 < data 3001:5001
+0 > . 1 ack 5001
host sink on
guest send 200K
host received 200K
