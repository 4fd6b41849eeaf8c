# The stream may be cut anywhere, within the length as well (2022-10).
link split 1
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
link split 3
+0 > P. 1:2 "a"
+0 > P. 2:5 "bcd"
host recv "abcd"
soon < ack 5
link split 7
& > . 5:105
& > . 105:1006
+0 > P. 1006:1007
host recv 1002
soon < ack 1007
link split 1000
host sink on
guest send 100K
host received 103406
