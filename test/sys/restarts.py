#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""restarts.py N OPTION... - a container that is restarted N times

What a container engine does, as fast as it goes: make a network namespace
behind a file, attach pasta to it with OPTION..., use what is published, remove
the file, and at once start again. Ends at the first start that fails.

Ports given as -t and -u are connected to, once over either family, so that
there are connections which linger. Prints how often it was started.
"""
import ctypes
import os
import signal
import socket
import subprocess
import sys

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x20000, 0x10000000, 0x40000000
MS_BIND, MNT_DETACH = 4096, 2

libc = ctypes.CDLL(None, use_errno=True)


def call(name, *args):
    if getattr(libc, name)(*args) < 0:
        raise OSError(ctypes.get_errno(), name)


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


def become_root():
    uid, gid = os.getuid(), os.getgid()
    call("unshare", CLONE_NEWUSER | CLONE_NEWNS)
    write("/proc/self/uid_map", f"0 {uid} 1")
    write("/proc/self/setgroups", "deny")
    write("/proc/self/gid_map", f"0 {gid} 1")
    call("mount", b"tmpfs", os.environb[b"TMPDIR"], b"tmpfs", 0, None)


def ports(options):
    """Pairs of -t or -u and a number, without the address."""
    return [(option, int(spec.rpartition("/")[2]))
            for option, spec in zip(options, options[1:])
            if option in ("-t", "-u")]


def container(path, options):
    """A process that serves in a namespace of its own, which path names."""
    write(path, "")
    ready, writer = os.pipe()
    pid = os.fork()
    if not pid:
        call("unshare", CLONE_NEWNET)
        call("mount", b"/proc/self/ns/net", path.encode(), None, MS_BIND, None)
        servers = [socket.create_server(("", port), family=socket.AF_INET6,
                                        dualstack_ipv6=True)
                   for port in {p for o, p in ports(options) if o == "-t"}]
        os.write(writer, b"1")
        signal.pause()
        os._exit(len(servers))  # still referenced: still open
    os.close(writer)
    assert os.read(ready, 1)
    os.close(ready)
    return pid


def use(options):
    for option, port in ports(options):
        for address in "127.0.0.1", "::1":
            if option == "-t":
                socket.create_connection((address, port), 10).close()
            else:
                family = socket.AF_INET6 if ":" in address else socket.AF_INET
                with socket.socket(family, socket.SOCK_DGRAM) as s:
                    s.sendto(b"x", (address, port))


def main():
    times, options = int(sys.argv[1]), sys.argv[2:]
    become_root()
    path = os.environ["TMPDIR"] + "/netns"
    for i in range(times):
        pid = container(path, options)
        p = subprocess.run(["pasta", "--netns", path, *options],
                           stdin=subprocess.DEVNULL, capture_output=True,
                           text=True, check=False)
        if p.returncode:
            sys.exit(f"start {i + 1}: status {p.returncode}, {p.stderr}")
        use(options)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        call("umount2", path.encode(), MNT_DETACH)
        os.unlink(path)
    print(times)


if __name__ == "__main__":
    main()
