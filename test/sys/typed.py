#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""typed.py SECONDS TEXT WANTED... -- SHELL [ARG]...

Types TEXT to an interactive shell, on a terminal of its own; waits until each
WANTED has been shown since, for some seconds at most. The shell prints "ready$"
for a prompt once it is. What it has shown goes to standard output."""
import os
import pty
import select
import struct
import sys
import termios
import time
import fcntl

at = sys.argv.index("--")
seconds, text, wanted = sys.argv[1], sys.argv[2], sys.argv[3:at]
pid, fd = pty.fork()
if pid == 0:
    os.environ["TERM"] = "dumb"
    os.execvp(sys.argv[at + 1], sys.argv[at + 1:])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 100, 160, 0, 0))

end = time.monotonic() + float(seconds)
shown = ""
typed = False
missing = ["ready$"]
while missing and time.monotonic() < end:
    if not select.select([fd], [], [], 0.1)[0]:
        continue
    try:
        shown += os.read(fd, 65536).decode(errors="replace")
    except OSError:
        break
    missing = [w for w in missing if w not in shown]
    if not missing and not typed:
        os.write(fd, text.encode())
        typed, missing, shown = True, wanted, ""
print(shown)
os.kill(pid, 9)
sys.exit(bool(missing) or not typed)
