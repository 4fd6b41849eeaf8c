# A guest that is gone does not answer: nothing more than one question per period.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
< none for 29900
within 30200 < . 0 ack 1
< none for 29900
within 30200 < . 0 ack 1
flows 1
host send 5
+0 < P. 1:6
+1000 < P. 1:6
