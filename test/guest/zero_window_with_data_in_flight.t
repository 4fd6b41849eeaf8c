# Memory pressure: the guest withdraws its window under data in flight, drops
# it, and forgets to say when there is room again (2024-07, 2025-08). The
# timer brings back what was in flight, from a probe on.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
host send 5000
+0 < data 1:5001 psh
+0 > . 1 ack 1461 win 0
< none for 900
within 200 < data 1461:1462
+0 > . 1 ack 1462 win 65535
+0 < data 1462:5001 psh
+0 > . 1 ack 5001
< none for 5000
