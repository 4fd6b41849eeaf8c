# Between our FIN and the guest's: data is taken, SYN is challenged, FIN ends it
# in good order, RST with a reset.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
host shutdown
+0 < F. 1 ack 1
+0 > P. 1:5 ack 1		# our FIN is still on its way
host recv 4
soon < ack 5
+0 > S 0 mss 1460 ws 7
+0 < . 2 ack 5
within 1100 < F. 1 ack 5
+0 > P. 5:9 ack 2
host recv 4
soon < ack 9
+0 > FP. 9:11 ack 2
soon < . 2 ack 12
host recv 2
host recv eof
flows 0
fds same

conn 1
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
host shutdown
+0 < F. 1 ack 1
+0 > . 1 ack 2
+0 > R 1
host recv reset
flows 0
