# Nothing to show the guest as a source: the peer is reset, the descriptor is not
# lost (2026-05).
config unreachable
host connect
host recv reset
flows 0
fds same
conn 1
host connect
host recv reset
conn 2
host connect
host recv reset
flows 0
fds same
