# No MTU given: Ethernet's.
config mtu 0
host listen
+0 > S 0 mss 9000 ws 7
+0 < SA 0 ack 1
+0 > . 1 ack 1
host accept
< nodata
host send 3000
guest recv 3000
