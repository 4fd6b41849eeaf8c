# After the guest's FIN the host's data goes on, windows and ACKs included
# (2025-02, 2025-03).
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
+0 > F. 1 ack 1
+0 < . 1 ack 2
host recv eof
host send 20000
+0 < data 1:20001
+0 > . 2 ack 5841
+0 > . 2 ack 11681
< none for 900
within 200 < data 11681:20001
+0 > . 2 ack 20001 win 0
host send 100
within 1100 < . 20001:20002
+0 > . 2 ack 20001 win 65535
guest recv 99
host send 2M
guest recv 2M
host shutdown
+0 < F. ack 2
+0 > . 2
flows 0
fds same
