# Connections outlive the guest's wire: what was sent to nobody is sent again.
config link listen
link connect
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
host send 100
+0 < P. 1:101
link disconnect
host send 100
+500
link connect
within 600 < data 1:201 psh
+0 > . 1 ack 201
+0 > P. 1:4
host recv 3
soon < ack 4
flows 1
