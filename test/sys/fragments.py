# SPDX-License-Identifier: GPL-2.0-or-later
# fragments.py - datagrams of UDP as no honest stack would send them
#
# fragments.py send FAMILY INTERFACE SOURCE DESTINATION PORT CASE...
#	by AF_PACKET; each datagram begins with the name of its case
# fragments.py hear FAMILY INTERFACE
#	print type and code of the first ICMP error but unreachable
# fragments.py receive ADDRESS PORT
#	print the names of the datagrams that arrive whole, up to "last"
import socket
import struct
import sys

SIZE = 3000			# of a datagram, UDP header included
PIECE = 1000


def body(name, size):
    start = name.encode() + b' '
    return start + bytes(i * 7 % 251 for i in range(size - len(start)))


def pieces(end=SIZE, size=PIECE):
    """(offset, length, more to follow)"""
    return [(o, min(size, end - o), o + size < end)
            for o in range(0, end, size)]


def first_two():
    return pieces()[:2]


CASES = {
    'ordered': pieces(),
    'backwards': pieces()[::-1],
    'mixed': [pieces()[i] for i in (1, 2, 0)],
    'repeated': [p for p in pieces() for _ in range(2)][:-1],
    'tiny': pieces(800, 8),
    'largest': pieces(65515, 1448),
    'last': [(0, 200, False)],
    # What must not arrive
    'missing': [pieces()[0], pieces()[2]],
    'headless': pieces()[1:],
    'overlap': first_two() + [(1992, 1008, False)],
    'overlap-then-good': [(0, 1000, True), (8, 1000, True)] + pieces()[1:],
    'inside': first_two() + [(1200, 8, True)] + pieces()[2:],
    'two-ends': [(2000, 992, False), (2000, 1000, False)] + first_two(),
    'crooked': [(0, 1001, True), (1008, 992, False)],
    'too-tiny': pieces(1200, 8),
    'ping-of-death': pieces(65000, 1000) + [(65528, 1400, False)],
}


def packet(fam, src, dst, ident, piece, l4):
    off, n, more = piece
    data = l4[off:off + n].ljust(n, b'x')
    if fam == 4:
        ip = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 20 + n, ident,
                         off // 8 | more << 13, 64, 17, 0, src, dst)
        return 0x0800, ip + data
    if piece == (0, len(l4), False):
        return 0x86dd, struct.pack('>IHBB16s16s', 6 << 28, n, 17, 64, src,
                                   dst) + data
    return 0x86dd, struct.pack('>IHBB16s16sBBHI', 6 << 28, 8 + n, 44, 64, src,
                               dst, 17, 0, off | more, ident) + data


def send(fam, ifname, src, dst, port, *names):
    fam = int(fam)
    af = socket.AF_INET if fam == 4 else socket.AF_INET6
    src, dst = (socket.inet_pton(af, a) for a in (src, dst))
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    s.bind((ifname, 0))
    mac = s.getsockname()[4]
    for ident, name in enumerate(names, 1):
        for again in range(200 if name == 'headless' else 1):
            size = max(o + n for o, n, _ in CASES[name])
            l4 = struct.pack('>HHHH', 4000, int(port), min(size, 65535), 0)
            l4 += body(name, size - 8)
            for p in CASES[name]:
                etype, ip = packet(fam, src, dst, ident + 100 * again, p, l4)
                s.send(b'\x9a\x55\x9a\x55\x9a\x55' + mac +
                       struct.pack('>H', etype) + ip)


def hear(fam, ifname):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
    s.bind((ifname, 0))
    s.settimeout(20)
    print('listening', flush=True)
    while True:
        ip, addr = s.recvfrom(70000)
        hlen, at, proto = (20, 9, 1) if fam == '4' else (40, 6, 58)
        if ip[0] >> 4 != int(fam) or ip[at] != proto or addr[2] == 4:
            continue
        if ip[hlen] == (11 if fam == '4' else 3):
            print(ip[hlen], ip[hlen + 1], flush=True)
            return


def receive(addr, port):
    fam = socket.AF_INET6 if ':' in addr else socket.AF_INET
    s = socket.socket(fam, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    s.bind((addr, int(port)))
    s.settimeout(20)
    print('listening', flush=True)
    name = ''
    while name != 'last':
        data = s.recv(70000)
        name = data.split(b' ')[0].decode()
        assert data == body(name, len(data)), name
        print(name, len(data), flush=True)


{'send': send, 'hear': hear, 'receive': receive}[sys.argv[1]](*sys.argv[2:])
