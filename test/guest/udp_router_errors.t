# What routers say about a datagram is told to the guest that sent it.
config netns
udp host listen
udp > "how far?"
udp host recv "how far?"
udp router 11 0 3 0	# TTL exceeded
icmp 11 0 3 0
udp router 3 1 1 3	# host, address unreachable
icmp 3 1 1 3
udp router 3 13 1 1	# prohibited
icmp 3 13 1 1
# Source quench is not, nor is what ICMPv6 does not know.
udp router 4 0 100 0
icmp none
udp < none
# The conversation goes on.
udp > "again"
udp host recv "again"
udp host send "here"
udp < "here"
flows udp 1
