# Question and answer: boundaries are kept, a datagram without data is one, and
# nothing overtakes.
udp host listen
udp > "who is there?"
udp host recv "who is there?"
udp host send "nobody"
udp < "nobody"
udp > 0
udp host recv 0
udp host send 0
udp < 0
udp > 1400
udp host recv 1400
udp host send 1400
udp < 1400
udp > "first" "second"
udp host recv "first" "second"
udp host send "third" "fourth"
udp < "third" "fourth"
# Trains of one size, an end of the train, and what is no train.
udp > 1000 1000 1000 200 0 1200
udp host recv 1000 1000 1000 200 0 1200
udp host send 1000 1000 1000 200 0 1200
udp < 1000 1000 1000 200 0 1200
udp host recv nothing
udp < none
flows udp 1
