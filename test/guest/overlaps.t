# Old bytes are cut off, whole segments of them are acknowledged again; the first
# version of a byte is the one that counts.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
+0 > P. 1:5 "abcd"
host recv "abcd"
soon < ack 5
+0 > P. 1:5 "ABCD"
+0 < . 1 ack 5
host recv nothing
+0 > P. 3:9 "CDefgh"
host recv "efgh"
soon < ack 9
& > . 9:13 "ijkl"
& > . 11:15 "KLmn"
+0 > P. 9:17 "IJKLMNop"
host recv "ijklmnop"
soon < ack 17
