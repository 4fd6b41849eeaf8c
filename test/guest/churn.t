# Connections that end in every way, many times over: nothing is left behind.

conn 0
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
+0 > F.
+0 < .
host close
+0 < F.
+0 > .

conn 1
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
host shutdown
+0 < F.
+0 > F.
+0 < .

conn 2
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
+0 > R.
host recv reset

conn 3
host closed
+0 > S 0 mss 1460
+0 < R.

conn 4
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
+0 > F.
+0 < .
host close
+0 < F.
+0 > .

conn 5
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
host shutdown
+0 < F.
+0 > F.
+0 < .

conn 6
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
+0 > R.
host recv reset

conn 7
host closed
+0 > S 0 mss 1460
+0 < R.

conn 8
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
+0 > F.
+0 < .
host close
+0 < F.
+0 > .

conn 9
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
host shutdown
+0 < F.
+0 > F.
+0 < .

conn 10
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
+0 > R.
host recv reset

conn 11
host closed
+0 > S 0 mss 1460
+0 < R.

conn 12
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
+0 > F.
+0 < .
host close
+0 < F.
+0 > .

conn 13
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
host shutdown
+0 < F.
+0 > F.
+0 < .

conn 14
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
+0 > R.
host recv reset

conn 15
host closed
+0 > S 0 mss 1460
+0 < R.

conn 16
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
+0 > F.
+0 < .
host close
+0 < F.
+0 > .

conn 17
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
host shutdown
+0 < F.
+0 > F.
+0 < .

conn 18
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
+0 > R.
host recv reset

conn 19
host closed
+0 > S 0 mss 1460
+0 < R.

conn 20
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
+0 > F.
+0 < .
host close
+0 < F.
+0 > .

conn 21
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
host shutdown
+0 < F.
+0 > F.
+0 < .

conn 22
host listen
+0 > S 0 mss 1460 ws 7
+0 < SA 0
+0 > . 1 ack 1
host accept
< nodata
+0 > R.
host recv reset

conn 23
host closed
+0 > S 0 mss 1460
+0 < R.

flows 0
fds same
