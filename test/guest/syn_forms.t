# Exact form of SYN-ACK and first window at an Ethernet MTU.
config mtu 1500
host listen
+0 > S 0 mss 1400 ws 7 sackok timestamps win 29200
+0 < SA 0 ack 1 mss auto ws 7 win<= 65535
+0 > . 1 ack 1
< nodata
host accept
flows 1
host send 3000
+0 < data 1:3001 psh seglen 1400
+0 > . 1 ack 3001
