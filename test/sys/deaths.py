#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""deaths.py SEED ROUNDS - kill one of a daemon's processes, at any moment

Each round starts passt or pasta, spawning or attached, in the foreground or
not; waits for a random part of the time a start takes; and kills a random one
of the processes there are by then: starter, daemon, agent, command, the one
that names the namespace. Everything else ends by itself then, but for

    a daemon in the background which is ready, if its starter was killed, or
    the process that stood in for it meanwhile: it is told to end
    a command that was executed already: it outlives pasta, as documented

A start that fails says why. The same seed gives the same rounds; prints how
many there were of each kind.
"""
import collections
import os
import random
import signal
import subprocess
import sys
import time

DEADLINE_S = 10
START_S = 0.03
PORTS = "-t none -u none -T none -U none".split()
DAEMONS = ("passt", "pasta", "pasta-agent")
TMP = os.environ["TMPDIR"]
PID_FILE = f"{TMP}/deaths.pid"


def name_of(pid):
    """Of a process, "" if it has ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            name, _, rest = f.read().partition("(")[2].rpartition(")")
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if rest.split()[0] in "ZX" else name


def there(*names):
    found = ((int(pid), name_of(pid)) for pid in os.listdir("/proc")
             if pid.isdigit())
    return sorted((pid, name) for pid, name in found if name in names)


def until(condition):
    end = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.001)
    return True


def guest():
    """A process in namespaces of its own."""
    p = subprocess.Popen(["unshare", "-rUn", "sleep", "1000"])
    assert until(lambda: name_of(p.pid) == "sleep")
    return p


def in_own_namespace(pid):
    """What becomes the daemon, in the background: it is the first of one."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            return any(line.startswith("NSpid:") and len(line.split()) > 2
                       for line in f)
    except (FileNotFoundError, ProcessLookupError):
        return False


def pid_in_file():
    try:
        with open(PID_FILE, encoding="ascii") as f:
            return int(f.read() or 0)
    except FileNotFoundError:
        return 0


def kill(pid, how=signal.SIGKILL):
    try:
        os.kill(pid, how)
    except ProcessLookupError:
        pass


class Round:
    def __init__(self, rng):
        self.kind = rng.choice(["spawn", "attach", "attach", "passt"])
        self.foreground = self.kind == "spawn" or rng.random() < 0.3
        self.target = guest() if self.kind == "attach" else None
        self.role = ""

        self.command = ["pasta", "-q", *PORTS, "--config-net", "-P", PID_FILE]
        if self.kind == "passt":
            self.command = ["passt", "-q", "-t", "none", "-u", "none", "-P",
                            PID_FILE, "-s", f"{TMP}/deaths.socket"]
        if self.foreground and self.kind != "spawn":
            self.command.append("-f")
        if self.kind == "spawn":
            self.command += ["--", "sleep", "1000"]
        if self.target:
            self.command.append(str(self.target.pid))

    def play(self, rng):
        """What went wrong, or None."""
        with open(f"{TMP}/deaths.err", "w+", encoding="utf-8") as err:
            starter = subprocess.Popen(self.command, stderr=err,
                                       stdin=subprocess.DEVNULL)
            time.sleep(rng.uniform(0, START_S * rng.choice([0.1, 1])))
            self.choose_and_kill(rng, starter)
            if self.role in DAEMONS[:2] and self.foreground:
                # Who cleans up after a start that fails is not missed; nor is
                # it there afterwards.
                kill(starter.pid, signal.SIGTERM)
            if self.role == "starter" and not self.foreground:
                if not until(lambda: pid_in_file() or not there(*DAEMONS)):
                    return f"no end, and not ready: {there(*DAEMONS)}"
                if pid_in_file():
                    kill(pid_in_file(), signal.SIGTERM)
            if not until(lambda: not there(*DAEMONS)):
                return f"left over: {there(*DAEMONS)}"
            status = starter.wait()
            err.seek(0)
            said = err.read()
        if status == 1 and not self.foreground and not said:
            return "failed without a word"
        if status not in (0, 1, -signal.SIGKILL, 128 + signal.SIGKILL):
            return f"status {status}, {said}"
        return None

    def choose_and_kill(self, rng, starter):
        candidates = there(*DAEMONS, "sleep") or [(starter.pid, "")]
        victim, name = rng.choice(candidates)
        if victim == starter.pid:
            self.role = "starter"
        elif self.target and victim == self.target.pid:
            self.role = "target"
        else:
            self.role = {"sleep": "command"}.get(name, name)
        if self.role in DAEMONS[:2] and not self.foreground and \
                not in_own_namespace(victim):
            self.role = "starter"
        kill(victim)

    def clean(self):
        for pid, _ in there(*DAEMONS, "sleep"):
            kill(pid)
        if self.target:
            self.target.wait()
        if os.path.exists(PID_FILE):
            os.unlink(PID_FILE)
        return until(lambda: not there(*DAEMONS, "sleep"))


def main():
    rng = random.Random(int(sys.argv[1]))
    seen = collections.Counter()
    for n in range(int(sys.argv[2])):
        r = Round(rng)
        wrong = r.play(rng)
        if not r.clean():
            wrong = wrong or "cannot be killed"
        if wrong:
            sys.exit(f"round {n}: {' '.join(r.command)}; {r.role} killed: "
                     f"{wrong}")
        seen[f"{r.kind}{' -f' * r.foreground}, {r.role}"] += 1
    for what, count in sorted(seen.items()):
        print(count, what)


if __name__ == "__main__":
    main()
