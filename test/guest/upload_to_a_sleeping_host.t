# Accepted is accepted: a host that does not read fills its socket, ours, and the
# backlog; then the window is shut. Nothing was sent in vain, nothing has to be
# sent again, and a FIN waits for its turn.
host listen
+0 > S 0 mss 65000 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
guest flood
turns < 20 in 100
< none for 900
host sink on
soon < ack 1
guest ignore
guest send 4M
host sink off
+0 > F.
soon < .
host recv eof
flows 1
host close
+0 < F.
+0 > .
flows 0
fds same
