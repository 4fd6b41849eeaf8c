# A guest that takes its time, in every way: windows that shut and open while
# bulk data flows, ACKs that come late.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
+0 > . 1 ack 1 win 100
host send 300K
+0 < data 1:12801 psh
+200 > . 1 ack 12801 win 0
< none for 800
within 300 < data 12801:12802
+0 > . 1 ack 12802 win 0
within 1100 < data 12802:12803
+0 > . 1 ack 12802 win 0
within 2100 < data 12802:12803
+0 > . 1 ack 12803 win 512
guest recv 100K
+0 > . win 0
+3000
+0 > . win 512
guest recv 150K
