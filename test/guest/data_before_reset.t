# What the peer sent before its reset was acknowledged to it: the guest gets
# it, then the reset, and no FIN.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
host last 10
+0 < P. 1:11 ack 1
+0 < R. 11 ack 1
flows 0
fds same

conn 1				# while the guest is still sending: an answer
host listen			# to a request not read to its end
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
+0 > P. 1:101
soon < ack 101
host last "too large"
soon < data 1:10
+0 < R. 10 ack 101
flows 0
fds same

conn 2				# as far as the window reaches
host listen
+0 > S 0 mss 1460 ws 0 win 100
+0 < SA 0
+0 > . 1 ack 1 win 100
host accept
host last 300
soon < data 1:101
+0 < R. 101 ack 1
flows 0
fds same
