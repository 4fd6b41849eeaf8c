# SYN to a silent guest at 0, 1, 2, 3, 4, 5, 7 and 11 s, always with the same
# sequence number; both sides are reset at 19 s.
host connect
+0 < S 0 mss auto ws 7
+1000 < S 0 mss auto ws 7
+1000 < S 0
+1000 < S 0
+1000 < S 0
+1000 < S 0
+2000 < S 0
+4000 < S 0
< none for 7990
+10 < R 1
host recv reset
flows 0
fds same
