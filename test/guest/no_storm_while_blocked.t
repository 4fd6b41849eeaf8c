# A full window, whatever its cause, costs no turns of the loop (2025-01).
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
+0 > . 1 ack 1 win 1000
host send 200000
+0 < data 1:128001
turns < 20 in 100
host shutdown
turns < 20 in 100
