# What lies beyond the window that was promised is cut off, or refused, and
# answered.
config mtu 1500
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
+0 > . 5000001:5000005
+0 < . 1 ack 1
drops TCP_WINDOW 1
+0 > P. 1:5
host recv 4
soon < ack 5
