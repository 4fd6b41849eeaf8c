# Who has asked is gone before the answer: port unreachable, each time.
udp host call
udp host send "quick!"
udp < "quick!"
udp host close
udp > "yes, but"
icmp 3 3 1 4
udp > "really"
icmp 3 3 1 4
udp < none
flows udp 1
