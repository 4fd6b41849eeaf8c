# No route from the host: ICMP says so, at once, and no reset.
guest to 203.0.113.1 2001:db8::1 80
+0 > S 0 mss 1460 ws 7
< none for 10
icmp 3 0 1 0
flows 0
fds same
