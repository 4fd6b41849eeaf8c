# A read of the host socket ends at an urgent byte, without being at the end of
# what there is: the rest follows all the same (without
# SO_PEEK_OFF, when what precedes it is acknowledged).
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1 win 0
host accept
< nodata
host send "ab"
host urgent "X"
host send "cd"
+0 > . 1 ack 1 win 65535
guest recv 5
< none for 5000
