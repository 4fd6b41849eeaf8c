# Nobody listens, or not any more: port unreachable, each time.
udp host listen
udp > "are you there?"
udp host recv "are you there?"
udp host send "yes"
udp < "yes"
udp host close
udp > "still?"
icmp 3 3 1 4
udp < none
udp > 0
icmp 3 3 1 4
udp < none
