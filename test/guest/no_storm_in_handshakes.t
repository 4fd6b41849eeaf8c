# A peer that shuts down before the guest's handshake ends (2024-09).
host connect
+0 < S 0
host send 10
host shutdown
turns < 20 in 100
+0 > SA 0 ack 1 mss 1460 ws 7
+0 < . 1 ack 1
+0 < FP. 1:11
turns < 20 in 100

conn 1
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
host accept
host send 10
host shutdown
turns < 20 in 100
+0 > . 1 ack 1
+0 < FP. 1:11
turns < 20 in 100
