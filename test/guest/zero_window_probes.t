# The guest's window is closed with nothing in flight: probes at 1, 2, 4, ... s
# of no more than a unit of its scale; what it then takes is not sent again.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
+0 > . 1 ack 1 win 0
host send 1000
< none for 990
+10 < . 1:2
+2000 < . 1:2
+4000 < . 1:2
turns < 20 in 100
+0 > . 1 ack 2 win 100		# takes it, and opens
+0 < P. 2:1001
+0 > . 1 ack 1001
< none for 5000
