# What nobody answers is forgotten after 30 seconds, what the guest has answered
# once too; a conversation after 120 seconds of silence.
udp host call
udp host send "anybody?"
udp < "anybody?"
+29500
flows udp 1
+1000
flows udp 0
udp host send "question"
udp < "question"
udp > "answer"
udp host recv "answer"
+29500
flows udp 1
+1000
flows udp 0
udp host send "one"
udp < "one"
udp > "two"
udp host recv "two"
udp host send "three"
udp < "three"
+119500
flows udp 1
+1000
flows udp 0
fds same
