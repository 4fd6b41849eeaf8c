#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""udp_peer VERB ARGUMENT... - datagrams as the tests of UDP want them

Verbs print what the tests compare; the status is 1 where something expected did
not come.
"""
import errno
import ipaddress
import os
import random
import select
import socket
import struct
import sys
import time

WAIT_S = 5 * int(os.environ.get("BED_DEADLINE", 1))

# What Python has no names for
IP_PKTINFO, IP_RECVTTL, IP_MTU_DISCOVER, IPV6_MTU_DISCOVER = 8, 12, 10, 23
IPV6_FREEBIND, IP_RECVERR, IPV6_RECVERR = 78, 11, 25
PMTUDISC_DONT, PMTUDISC_DO = 0, 2
UDP_SEGMENT = 103


def family(addr):
    return socket.AF_INET6 if ":" in addr else socket.AF_INET


def sock(addr, port=0):
    s = socket.socket(family(addr), socket.SOCK_DGRAM)
    s.settimeout(WAIT_S)
    s.bind((addr, int(port)))
    return s


def any_of(addr):
    return "::" if ":" in addr else "0.0.0.0"


def body(size, salt=0):
    return bytes(random.Random(size * 31 + salt).randbytes(size))


def echo(addr, port):
    """Return each datagram, from the address it was sent to."""
    s = sock(addr, port)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    s.settimeout(None)
    if family(addr) == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        s.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
    else:
        s.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    while True:
        data, info, _, peer = s.recvmsg(65536, 256)
        s.sendmsg([data], [reply_info(c) for c in info], 0, peer)


def reply_info(c):
    level, kind, data = c
    if level == socket.IPPROTO_IPV6:
        return level, kind, data[:16] + bytes(4)
    return level, kind, bytes(4) + data[4:8] + bytes(4)


def ask(addr, port, *sizes, local=0):
    """Datagrams of these sizes are returned as they were sent."""
    s = sock(any_of(addr), local)
    s.connect((addr, int(port)))
    for size in map(int, sizes):
        data = body(size)
        s.send(data)
        if s.recv(65536) != data:
            sys.exit(f"{size}: not what was sent")
    return 0


def ask_from(local, addr, port):
    ask(addr, port, 100, local=local)


def who(addr, port):
    """Answer each datagram with its sender's address and port."""
    s = sock(addr, port)
    s.settimeout(None)
    while True:
        _, peer = s.recvfrom(65536)
        s.sendto(f"{peer[0]} {peer[1]}".encode(), peer)


def whoami(local, *places):
    """From one port to ADDR PORT...: as whom each of them sees us."""
    s = sock(any_of(places[0]), local)
    for addr, port in zip(places[::2], places[1::2]):
        s.sendto(b"?", (addr, int(port)))
        print(s.recv(100).decode())


def error(addr, port):
    """The error that a datagram comes back with, even a passing one."""
    s = sock(any_of(addr))
    if family(addr) == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
    else:
        s.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    s.connect((addr, int(port)))
    try:
        s.send(b"nobody")
        s.recv(100)
        sys.exit("there was an answer")
    except OSError as e:
        print(errno.errorcode.get(e.errno, e))


def bursts(addr, port, peers, count):
    """Of each new peer so many at once: all are returned, in order."""
    socks = []
    for i in range(int(peers)):
        s = sock(any_of(addr))
        s.connect((addr, int(port)))
        for n in range(int(count)):
            s.send(struct.pack("!II", i, n) + bytes(20 * n))
        socks.append(s)
    for i, s in enumerate(socks):
        for n in range(int(count)):
            if struct.unpack("!II", s.recv(65536)[:8]) != (i, n):
                sys.exit(f"peer {i}: not number {n}")


def interleaved(addr, port, peers, rounds):
    """Several peers take turns; each gets its own back."""
    socks = [sock(any_of(addr)) for _ in range(int(peers))]
    for s in socks:
        s.connect((addr, int(port)))
    for n in range(int(rounds)):
        for i, s in enumerate(socks):
            s.send(struct.pack("!II", i, n))
    for i, s in enumerate(socks):
        for n in range(int(rounds)):
            got = struct.unpack("!II", s.recv(100))
            if got != (i, n):
                sys.exit(f"peer {i}, round {n}: that of {got}")


def swarm(prefix, port, count):
    """One port, many destinations: all answer."""
    s = sock(any_of(prefix))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    missing = set(range(int(count)))

    def dest(i):
        if ":" in prefix:
            return f"{prefix}{i + 1:x}"
        return f"{prefix}.{i >> 8}.{i & 255}"

    def collect(wait_s):
        while select.select([s], [], [], wait_s)[0]:
            missing.discard(struct.unpack("!I", s.recv(4))[0])

    for _ in range(5):
        for n, i in enumerate(sorted(missing)):
            s.sendto(struct.pack("!I", i), (dest(i), int(port)))
            if n % 32 == 31:
                collect(0.002)
        collect(0.5)
        if not missing:
            return
    sys.exit(f"{len(missing)} of {count} did not answer")


def sizes(addr, port, count):
    """The sizes of so many datagrams, as they arrive."""
    s = sock(addr, port)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    got = [len(s.recv(65536)) for _ in range(int(count))]
    print(" ".join(map(str, got)))


def trains(addr, port, size, full, tail, count, df=None):
    """Trains of datagrams, cut by the kernel of the sender: UDP_SEGMENT."""
    s = sock(any_of(addr))
    if df:
        set_df(s, df)
    s.connect((addr, int(port)))
    info = [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("H", int(size)))]
    for _ in range(int(count)):
        s.sendmsg([body(int(size) * int(full) + int(tail))], info)
        time.sleep(0.01)


def set_df(s, how):
    value = PMTUDISC_DO if how == "do" else PMTUDISC_DONT
    if s.family == socket.AF_INET:
        s.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, value)
    else:
        s.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, value)


def df(how, addr, port, *lengths):
    """What becomes of datagrams that may not (do), or may (dont) be cut."""
    s = sock(any_of(addr))
    set_df(s, how)
    s.connect((addr, int(port)))
    df_send(s, lengths)


def df_send(s, lengths):
    for length in map(int, lengths):
        try:
            s.send(body(length))
            s.recv(65536)
            print(length, "arrived")
        except OSError as e:
            print(length, errno.errorcode.get(e.errno, e))


def df_asked(how, local, port, *lengths):
    """The same, sent to whoever asks for it."""
    s = sock(local, port)
    set_df(s, how)
    s.connect(s.recvfrom(100)[1])
    df_send(s, lengths)


def asks(addr, port):
    """Ask, and return what comes."""
    s = sock(any_of(addr))
    s.connect((addr, int(port)))
    s.send(b"?")
    s.settimeout(None)
    while True:
        s.send(s.recv(65536))


def broadcast(addr, port, local="0.0.0.0"):
    """Who answers, as seen from here."""
    s = sock(local)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    s.sendto(b"anybody?", (addr, int(port)))
    print(s.recvfrom(100)[1][0])


def is_group(addr):
    return ipaddress.ip_address(addr).is_multicast


def join(s, group, index):
    if ":" in group:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
                     socket.inet_pton(socket.AF_INET6, group) +
                     struct.pack("@I", index))
    else:
        s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                     socket.inet_aton(group) + bytes(4) +
                     struct.pack("@i", index))


def hearer(group, port, ifname):
    """A socket that hears the group, and with what TTL. Once it is bound, it
    does."""
    s = socket.socket(family(group), socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    index = socket.if_nametoindex(ifname)
    join(s, group, index)
    if ":" in group:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
        s.bind((group, int(port), 0, index))
    else:
        s.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
        s.bind((group, int(port)))
    return s


def member(group, port, name, ifname, wait_s=0):
    """Answer what is sent to the group, from a port of our own, with our name
    and the TTL it had."""
    s, g = sock(any_of(group)), hearer(group, port, ifname)
    while True:
        _, info, _, peer = g.recvmsg(100, 256)
        time.sleep(float(wait_s))
        s.sendto(f"{name}/{info[0][2][0]}".encode(), peer)


def question(group, ttl, index=0):
    s = sock(any_of(group))
    if ":" in group:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, int(ttl))
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
    else:
        s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, int(ttl))
        s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
                     bytes(8) + struct.pack("@i", index))
    return s


def group(addr, port, ttl, count):
    """What so many members answer."""
    s = question(addr, ttl, socket.if_nametoindex("eth0"))
    s.sendto(b"members?", (addr, int(port)))
    print(*sorted(s.recv(100).decode() for _ in range(int(count))))


def qname(name):
    labels = name.encode().split(b".")
    return b"".join(bytes([len(x)]) + x for x in labels) + b"\0"


def responder(group, port, name, addr, ifname):
    """Multicast DNS: who asks the group for the name hears an address of it,
    from the port of the group (RFC 6762 6.7)."""
    g = hearer(group, port, ifname)
    s = socket.socket(family(group), socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((any_of(group), int(port)))
    raw = socket.inet_pton(family(addr), addr)
    kind = struct.pack("!HH", 28 if ":" in addr else 1, 1)
    while True:
        q, peer = g.recvfrom(9000)
        if q[2:6] == b"\0\0\0\1" and q[12:] == qname(name) + kind:
            s.sendto(q[:2] + struct.pack("!HHHHH", 0x8400, 1, 1, 0, 0) +
                     q[12:] + b"\xc0\x0c" + kind +
                     struct.pack("!IH", 10, len(raw)) + raw, peer)


def resolve(group, port, name):
    """Ask the group for an address of the name, as simple resolvers do."""
    s = question(group, 255, socket.if_nametoindex("eth0"))
    kind = struct.pack("!HH", 28 if ":" in group else 1, 1)
    s.sendto(struct.pack("!HHHHHH", 4711, 0, 1, 0, 0, 0) + qname(name) + kind,
             (group, int(port)))
    a, peer = s.recvfrom(9000)
    if a[:4] != struct.pack("!HH", 4711, 0x8400) or peer[1] != int(port):
        sys.exit(f"{a} of {peer} is no answer")
    size = 16 if ":" in group else 4
    print(socket.inet_ntop(family(group), a[-size:]))


def aside(addr, port):
    """Answer from another port."""
    s, other = sock(addr, port), sock(addr)
    s.settimeout(None)
    while True:
        data, peer = s.recvfrom(100)
        other.sendto(data, peer)


def alone(to, port, local):
    """Ask many, from our port @local, and get an answer; by then @port has
    heard nothing, but for what our own kernel returns of broadcasts."""
    s, r = sock(any_of(to), local), None
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    index = socket.if_nametoindex("eth0")
    if local != port:
        r = sock(any_of(to), port)
    hears = r or s
    if is_group(to):
        no_loop = (socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP) \
            if ":" in to else (socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP)
        s.setsockopt(*no_loop, 0)
        join(hears, to, index)
    s.sendto(b"anybody?", (to, int(port)))
    us = socket.socket(family(to), socket.SOCK_DGRAM)
    us.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    us.connect((to, int(port), 0, index) if ":" in to else (to, int(port)))
    ours = us.getsockname()[0], int(local)
    answered = False
    while not answered:
        _, peer = s.recvfrom(100)
        answered = peer[:2] != ours
        if answered and peer[1] == int(local):
            sys.exit(f"heard ourselves as {peer}")
    while r and select.select([r], [], [], 0)[0]:
        _, peer = r.recvfrom(100)
        if peer[:2] != ours:
            sys.exit(f"heard {peer}")


def marks(addr, port):
    """TTL and TOS of one datagram, and then of an answer with TOS 0x28."""
    s = sock(addr, port)
    s.settimeout(None)
    six = family(addr) == socket.AF_INET6
    if six:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, 0x28)
        kinds = socket.IPV6_HOPLIMIT, socket.IPV6_TCLASS
    else:
        s.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
        s.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
        s.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0x28)
        kinds = socket.IP_TTL, socket.IP_TOS
    while True:
        _, info, _, peer = s.recvmsg(100, 256)
        got = {kind: data[0] for _, kind, data in info}
        s.sendto(" ".join(str(got[k]) for k in kinds).encode(), peer)


def marked(addr, port, ttl, tos, local=0):
    """What "marks" there says about ours, and TOS of its answer."""
    s = sock(any_of(addr), local)
    if family(addr) == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, int(ttl))
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, int(tos))
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
    else:
        s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, int(ttl))
        s.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, int(tos))
        s.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
    s.sendto(b"?", (addr, int(port)))
    data, info, _, _ = s.recvmsg(100, 256)
    print(data.decode(), *(c[2][0] for c in info))


def resolver(addr, port):
    """A name server to which every name is without addresses."""
    s = sock(addr, port)
    s.settimeout(None)
    while True:
        q, peer = s.recvfrom(4096)
        s.sendto(q[:2] + b"\x81\x80" + q[4:6] + bytes(6) +
                 q[12:q.index(0, 12) + 5], peer)


def stranger(local, addr, port, *before):
    """How many datagrams come in answer to one. Those @before get one, too."""
    s = sock(any_of(addr), local)
    for a in before:
        s.sendto(b"hello", (a, int(port)))
    s.sendto(b"hello", (addr, int(port)))
    got = 0
    s.settimeout(1)
    try:
        while True:
            s.recv(100)
            got += 1
    except socket.timeout:
        print(got)


def two_faced(addr, port, other):
    """Answer each datagram twice, the second time from another port."""
    s, t = sock(addr, port), sock(addr, other)
    s.settimeout(None)
    while True:
        data, peer = s.recvfrom(100)
        s.sendto(data, peer)
        t.sendto(data, peer)


def knock(addr, port, local=0):
    """One datagram, and no waiting."""
    s = sock(any_of(addr), local)
    s.sendto(b"knock", (addr, int(port)))


globals()[sys.argv[1]](*sys.argv[2:])
