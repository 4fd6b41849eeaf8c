# An ACK of a part leaves the rest on the timer (2023-02), and progress starts
# the schedule anew.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
host send 4000
+0 < data 1:4001 psh
+500 > . 1 ack 1461
< none for 990
+10 < data 1461:4001 psh
+2000 < data 1461:4001 psh
+4000 < data 1461:4001
+100 > . 1 ack 2921
+1000 < data 2921:4001 psh
+0 > . 1 ack 4001
< none for 20000
