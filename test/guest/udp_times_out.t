# A question without an answer is forgotten after 30 seconds, and so is one with
# a single answer; a conversation after 120 seconds of silence. No descriptor is
# left.
udp host listen
udp > "anybody?"
+29500
flows udp 1
+1000
flows udp 0
fds same
udp > "question"
udp host recv "anybody?" "question"
+20000
udp host send "answer"
udp < "answer"
+29500
flows udp 1
+1000
flows udp 0
fds same
udp > "one"
udp host recv "one"
udp host send "two"
udp < "two"
udp > "three"
udp host recv "three"
+119500
flows udp 1
udp host send "four"	# begins it anew
udp < "four"
+119500
flows udp 1
+1000
flows udp 0
fds same
# Too late: nobody is there for it, and the guest gets nothing.
udp host send "five"
udp < none
