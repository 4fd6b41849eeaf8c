# The memory for data that the host does not take is bounded, for all connections
# together. Used up, segments are dropped though they were promised room, with
# three duplicate ACKs: enough to make the guest send again at once. Once there
# is room again nothing is missing.
config sysctl ipv4/tcp_wmem 4096 16384 32768

host listen
+0 > S 0 mss 65000 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
guest send 100000
host recv 100000
slab fill
host deaf
guest flood
guest resend 1000
+0 < .
+0 < .
+0 < .
< none for 10
slab free
host hear
host sink on
guest resend 1000
guest send 300000
host received 455272
