#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Case 164: what a session feels of others whose workers do not sleep. The real suite on
loopback; one session of raw echoes small messages, first alone, then beside the others, in turn.

    SOCKWARD_BUILD=build /usr/bin/python3 bench/spin.py [--rounds N] [--trips N] [--wait S]
        [SPINNERS ...]

A worker is kept busy by a client that closes a stream that there is not, over and over: a MiB
of that costs the client next to nothing. The trips begin when the listener has put all of them
behind the others, after S seconds (30) at most; --wait 0 shows what is felt until then. As
root, client and service of the session that is measured have real-time priority, as if they
were on other machines.
Nothing here gates a test.
"""

import argparse
import contextlib
import os
import selectors
import signal
import socket
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "lib"))
import suite  # noqa: E402
import wsclient  # noqa: E402

SIZE = 64
HZ = os.sysconf("SC_CLK_TCK")


def apart():
    """This process competes with no worker for a CPU; False where it may not have that."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        return True
    return False


@contextlib.contextmanager
def process(work, *args):
    """work(*args) in a process of its own, until the end of this."""
    pid = os.fork()
    if pid == 0:
        try:
            work(*args)
        finally:
            os._exit(0)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def echo(listener):
    apart()
    while True:
        sock, _ = listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while data := sock.recv(4096):
            sock.sendall(data)
        sock.close()


def feed(socks):
    """Keeps them full, whatever they take."""
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    message = wsclient.frame(wsclient.TEXT, b'{"op":"close","id":77}')
    data = memoryview(message * ((1 << 20) // len(message)))
    at = dict.fromkeys(socks, 0)
    with selectors.DefaultSelector() as ready:
        for sock in socks:
            sock.setblocking(False)
            ready.register(sock, selectors.EVENT_WRITE)
        while True:
            for key, _ in ready.select():
                one = key.fileobj
                with contextlib.suppress(BlockingIOError):
                    at[one] = (at[one] + one.send(data[at[one]:])) % len(data)


def busy(pids):
    """CPU seconds that they have used."""
    ticks = 0
    for pid in pids:
        with open("/proc/%d/stat" % pid) as file:
            ticks += sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13]))
    return ticks / HZ


def trips(client, count):
    """(median, p99) in microseconds of that many round trips."""
    took = []
    for _ in range(count):
        start = time.perf_counter_ns()
        client.send(bytes(SIZE))
        client.recv_bytes(SIZE)
        took.append((time.perf_counter_ns() - start) / 1000)
    took.sort()
    return statistics.median(took), took[count * 99 // 100]


def put_behind(pids, seconds):
    """How many of them are, after that time or when all are; and the seconds that this took."""
    since = time.monotonic()
    while True:
        count = sum(os.sched_getscheduler(pid) == os.SCHED_IDLE for pid in pids)
        took = time.monotonic() - since
        if count == len(pids) or took >= seconds:
            return count, took
        time.sleep(0.1)


def beside(one, client, spinners, count, wait):
    """The same, with that many busy workers; and how busy each was, of one CPU, how many of
    them came behind, and when."""
    clients = [one.connect("/wasmnet") for _ in range(spinners)]
    with process(feed, [spinner.sock for spinner in clients]):
        pids = one.wait_sessions(1 + spinners)[1:]
        used, since = busy(pids), time.monotonic()
        time.sleep(1)
        share = (busy(pids) - used) / (time.monotonic() - since) / spinners
        behind, took = put_behind(pids, wait)
        found = trips(client, count)
        for pid in pids:  # it has megabytes to read yet
            os.kill(pid, signal.SIGKILL)
    for spinner in clients:
        spinner.sock.close()
    one.wait_sessions(1)
    return found + (share, behind, 1 + took)


def show(spinners, alone, others):
    for name, values in (("alone", alone), ("beside %d" % spinners, others)):
        p99 = sorted(value[1] for value in values)
        print("%-10s median %7.0f us  p99 %8.0f us (of the rounds %.0f to %.0f)%s" % (
            name, statistics.median(value[0] for value in values), statistics.median(p99),
            p99[0], p99[-1], "" if values is alone else "; each used %.0f%% of a CPU at first, "
            "%.0f were behind after %.1f s" % tuple(
                statistics.median(value[i] * factor for value in values)
                for i, factor in ((2, 100), (3, 1), (4, 1)))))
    ratio = [statistics.median(v[i] for v in others) / statistics.median(v[i] for v in alone)
             for i in (0, 1)]
    print("%-10s median %7.2f     p99 %8.2f" % ("ratio", *ratio), flush=True)


def main():
    cpus = os.cpu_count()
    words = argparse.ArgumentParser()
    words.add_argument("--rounds", type=int, default=5)
    words.add_argument("--trips", type=int, default=2000)
    words.add_argument("--wait", type=float, default=30)
    words.add_argument("spinners", type=int, nargs="*", default=[1, cpus, 2 * cpus])
    wanted = words.parse_args()
    rules = suite.policy({"open": suite.grant(limits={"sessions": 1000})},
                         dialects=["raw", "wasmnet"])
    listener = socket.create_server(("127.0.0.1", 0))
    print("%d CPUs, Linux %s, %d rounds of %d round trips of %d bytes" % (
        cpus, os.uname().release, wanted.rounds, wanted.trips, SIZE))
    with process(echo, listener), suite.Suite(rules) as one:
        if not apart():
            print("not root: client and service compete with the workers")
        path = "/raw/127.0.0.1/%d" % listener.getsockname()[1]
        with one.connect(path, timeout=60) as client:
            trips(client, wanted.trips)
            for spinners in wanted.spinners:
                alone, others = [], []
                for _ in range(wanted.rounds):
                    alone.append(trips(client, wanted.trips))
                    others.append(beside(one, client, spinners, wanted.trips, wanted.wait))
                show(spinners, alone, others)


if __name__ == "__main__":
    main()
