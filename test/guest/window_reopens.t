# The window that was shut is opened by an ACK of its own as soon as there is
# room again: the guest need not ask.
host listen
+0 > S 0 mss 65000 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
guest flood
< none for 900
host sink on
+0 < . bytes>= 65536
