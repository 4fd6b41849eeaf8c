# A peer with a small buffer and a guest with large segments: windows below one
# segment are offered nevertheless, and refreshed (2025-12).
host listen
host rcvbuf 8192
+0 > S 0 mss 65000 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
host sink on
guest send 1M
host received 1M
