# After the host's FIN the guest goes on.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
host shutdown
+0 < F. 1 ack 1
+0 > . 1 ack 2
host sink on
guest send 2M
host received 2M
flows 1
host sink off
+0 > F. ack 2
+0 < . 2
host recv eof
flows 0
fds same
