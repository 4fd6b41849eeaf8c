#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# control_client.py VERB PATH [COUNT] - clients of the control socket that are
# not pesto, some of them badly behaved
#
#   dump    print the tables, raw, and leave
#   idle    connect, read the tables, print a line, and stay until killed
#   half    as idle, but with half an update sent
#   old     empty all tables, and leave without waiting for what becomes of it
#   churn   COUNT updates: one rule for port 5999, none, one, ...; each in
#           addition to what is there; print how many were made in a second
import os
import signal
import socket
import struct
import sys
import time

RULE = 56
PORT = struct.pack("!16s16s16sHHHBB", b"", b"", b"", 5999, 5999, 5999, 6, 1)


def exactly(s, n):
    data = b""
    while len(data) < n:
        got = s.recv(n - len(data))
        if not got:
            sys.exit("closed after %d of %d bytes" % (len(data), n))
        data += got
    return data


def connected(path):
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    return s


def tables(s):
    """What was read, and {number: rules}."""
    raw, found = exactly(s, 20), {}
    while True:
        pif = exactly(s, 1)
        raw += pif
        if pif == b"\0":
            return raw, found
        head = exactly(s, 136)
        count, = struct.unpack("!I", head[132:])
        rules = exactly(s, count * RULE)
        raw += head + rules
        found[pif[0]] = [rules[i:i + RULE] for i in range(0, len(rules), RULE)]


def update(found):
    data = b""
    for pif, rules in found.items():
        data += struct.pack("!BI", pif, len(rules)) + b"".join(rules)
    return data + b"\0"


def churn(path, count):
    start = time.monotonic()
    for i in range(count):
        with connected(path) as s:
            found = tables(s)[1]
            found[1] = [r for r in found[1] if r != PORT]
            if i % 2 == 0:
                found[1].append(PORT)
            s.sendall(update(found))
            s.shutdown(socket.SHUT_WR)
            why = s.recv(1024)
            if why:
                sys.exit(why)
    print(int(count / (time.monotonic() - start)))


def main(verb, path, count="0"):
    if verb == "churn":
        return churn(path, int(count))
    s = connected(path)
    raw = tables(s)[0]
    if verb == "old":
        s.sendall(b"\0")
        return None
    if verb == "dump":
        sys.stdout.buffer.write(raw)
        return None
    if verb == "half":
        s.sendall(struct.pack("!BI", 1, 3) + PORT)
    print("connected", flush=True)
    os.close(1)
    signal.pause()
    return None


main(*sys.argv[1:])
