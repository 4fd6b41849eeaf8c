# Broadcast, multicast, nothing: no connection, and no answer either.
guest to 224.0.0.1 ff02::1 80
+0 > S 0 mss 1460 ws 7
conn 1
guest to 10.0.2.2 fe80::1 0
+0 > S 0 mss 1460 ws 7
conn 2
guest to 0.0.0.0 :: 80
+0 > S 0 mss 1460 ws 7
< none for 100
flows 0
fds same
