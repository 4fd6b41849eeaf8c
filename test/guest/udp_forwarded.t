# A program on the host asks the guest's service by the forwarded port. It is
# answered from there, and boundaries are kept.
udp host call
udp host send "who is there?"
udp < "who is there?"
udp > "nobody"
udp host recv "nobody"
udp host send 0 1400
udp < 0 1400
udp > 0 1400
udp host recv 0 1400
udp host send 1000 1000 1000 200 0 1200
udp < 1000 1000 1000 200 0 1200
udp > 1000 1000 1000 200 0 1200
udp host recv 1000 1000 1000 200 0 1200
flows udp 1
# Somebody else asks: a conversation of its own, of the same socket.
udp host call
udp host send "me too"
udp < "me too"
udp > "you?"
udp host recv "you?"
udp host recv nothing
flows udp 2
fds same
+121000
flows udp 0
# Forgotten, but the guest may still speak first, from the same port.
udp > "still there?"
udp host recv "still there?"
udp host send "yes"
udp < "yes"
udp < none
flows udp 1
fds same
