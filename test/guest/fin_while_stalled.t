# The guest's FIN behind data that the host does not take yet: acknowledged, and
# passed on after all of it.
host listen
+0 > S 0 mss 65000 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
guest flood
+0 > F.
soon < ack 1
host recv 65536
host sink on
turns < 100 in 50
host sink off
host recv eof
host close
+0 < F.
+0 > .
flows 0
