# What is accepted is acknowledged: within 40 ms, at once from two segments on,
# or by data that goes the other way.
config mtu 1500
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
+0 > P. 1:101
host recv 100
soon < ack 101
+0 > . 101:1501
+0 > P. 1501:2901
host recv 2800
+0 < ack 2901
+0 > P. 2901:2905
host send 4
+0 < P. 1:5 ack 2905
< none for 500
