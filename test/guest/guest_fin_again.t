# A FIN of the guest that comes again is acknowledged again; data behind it is
# not taken.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
+0 > F. 1 ack 1
+0 < . 1 ack 2
host recv eof
+200 > F. 1 ack 1
+0 < . 1 ack 2
+200 > F. 1 ack 1
+0 < . 1 ack 2
+0 > P. 2:5 ack 1 "xyz"
< nodata for 100
host send 4
+0 < P. 1:5 ack 2
