# At the default MTU a segment carries what the guest's MSS says.
host listen
+0 > S 0 mss 65000 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
host send 400K
guest recv 400K
host sink on
guest send 2M
host received 2M
