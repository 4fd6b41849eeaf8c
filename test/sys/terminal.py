#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""terminal.py COMMAND... - sit at a terminal where COMMAND runs, and type

Standard input says what: each line is a word and its argument.

    see TEXT	wait until that is printed, by whom it may concern
    type TEXT	with escapes: \\n, \\x03
    job NAME	wait until a process of that name has the foreground

The last line says the exit status. Whatever takes too long ends with 1 and
what was seen.
"""
import os
import pty
import select
import sys
import time

DEADLINE_S = 10


class Terminal:
    def __init__(self, command):
        self.seen = b""
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.execvp(command[0], command)

    def read(self, end, what):
        left = end - time.monotonic()
        if left < 0:
            sys.exit(f"never: {what}, but {self.seen}")
        if select.select([self.fd], [], [], min(left, 0.01))[0]:
            try:
                self.seen += os.read(self.fd, 4096)
            except OSError:     # nobody has it open any more
                time.sleep(0.01)

    def see(self, text):
        end = time.monotonic() + DEADLINE_S
        while text.encode() not in self.seen:
            self.read(end, f"'{text}'")
        self.seen = self.seen.partition(text.encode())[2]

    def type(self, text):
        os.write(self.fd, text.encode().decode("unicode_escape").encode())

    def job(self, name):
        end = time.monotonic() + DEADLINE_S
        while True:
            try:
                group = os.tcgetpgrp(self.fd)
                with open(f"/proc/{group}/comm", encoding="ascii") as f:
                    if f.read().strip() == name:
                        return
            except OSError:
                pass
            self.read(end, f"{name} in foreground")

    def status(self):
        end = time.monotonic() + DEADLINE_S
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            self.read(end, "its end")


def main():
    terminal = Terminal(sys.argv[1:])
    for line in sys.stdin:
        verb, _, text = line.strip().partition(" ")
        getattr(terminal, verb)(text)
    print(terminal.status())


if __name__ == "__main__":
    main()
