# Urgent data is data, both ways: "ab", X urgent, "cd" arrives as "abXcd".
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
host send "ab"
host urgent "X"
host send "cd"
guest recv 5
host urgent "Y"
+0 < P. 6:7 "Y"
+0 > . 1 ack 7
host send "z"
+0 < P. 7:8 "z"
+0 > U. 1:4 ack 8 urg 2 "uvw"
host recv "uvw"
soon < ack 4
