# RFC 7323: no window scale unless the guest offered one; its window is then
# never scaled either, and neither is ours.
host listen
+0 > S 0 mss 1000 win 8000
+0 < SA 0 ack 1 nows bytes<= 65535
+0 > . 1 ack 1 win 5000
< nodata
host accept
host send 20000
+0 < data 1:5001 seglen 1000
< none for 500
+0 > . 1 ack 5001 win 15000
+0 < data 5001:20001 psh
+0 > P. 1:4 ack 20001 "bye"
within 40 < . 20001 ack 4 bytes<= 65535
