# While connect() is pending the guest's SYN again is ignored; once the peer
# answers, the handshake goes on.
host listen
host deaf
+0 > S 0 mss 1460 ws 7
< none for 900
+100 > S 0 mss 1460 ws 7
< none for 1900
+100 > S 0 mss 1460 ws 7
+0 < none
flows 1
host hear
within 50 < SA 0 ack 1
+0 > . 1 ack 1
host accept
flows 1
