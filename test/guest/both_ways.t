# Bulk both ways over one connection, each carrying the other's
# acknowledgements.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
host send 1M
host sink on
guest send 300K
host received 300K
guest send 300K
host received 600K
host send 500K
guest send 1M
host received 1624K
