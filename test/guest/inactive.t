# Neither side does anything for two hours: both are reset, at the latest after
# four.
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
+7190000
flows 1
guest ignore
+7210000
host recv reset
flows 0
fds same
