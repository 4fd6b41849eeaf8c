# A guest may announce what it likes: segments fit the MTU.
config mtu 1500
host listen
+0 > S 0 mss 9000 ws 7
+0 < SA 0 mss auto
+0 > . 1 ack 1
host accept
< nodata
host send 2920
+0 < data 1:2921 seglen auto
