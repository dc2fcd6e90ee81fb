#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Case 155 in full: 100,000 streams one after the other. What is left of them: nothing
but their records, and in the kernel no more than the budget of a minute.

The broker hears at most 500 requests a second from a session, so 25 of one subject
share them. All is in a network namespace of its own, so that no port of the machine is
used up.
"""

import json
import os
import select
import selectors
import shutil
import socket
import struct
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import netns
import story
import suite
import tap
from suite import to

MANY, SESSIONS, PLACES, BUDGET = 100000, 25, 16, 600
CONNECT, CONTINUE, CLOSE, INFO = 1, 3, 4, 5
VOLUNTARY, THROTTLED = 2, 0x49
# What the last nine of ten streams may add to a process, in KiB.
MORE = {"broker": 1024, "auditor": 1024, "listener": 64, "worker": 64}


def setUpModule():
    if os.geteuid() != 0:
        raise unittest.SkipTest("needs root")
    try:
        netns.unshare()
    except OSError as error:
        raise unittest.SkipTest("no namespaces here: %s" % error)
    netns.ip("link", "set", "lo", "up")


class Turnstile:
    """A service, in a process of its own, that closes what the other side closes. In the
    end it says how many came, the most at once, and how many are left."""

    def __init__(self):
        self.listener = socket.create_server(("0.0.0.0", 0), backlog=1024)
        self.port = self.listener.getsockname()[1]
        self.accepted = self.most = self.left = None

    def __enter__(self):
        self.word, theirs = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self.word.close()
                self.serve(theirs)
            finally:
                os._exit(0)
        theirs.close()
        self.listener.close()
        return self

    def __exit__(self, *_):
        self.word.shutdown(socket.SHUT_WR)
        with self.word, self.word.makefile() as file:
            said = file.read().split()
        os.waitpid(self.pid, 0)
        self.accepted, self.most, self.left = map(int, said)

    def serve(self, word):
        poll, live, door = select.epoll(), {}, self.listener.fileno()
        poll.register(door, select.EPOLLIN)
        poll.register(word.fileno(), select.EPOLLIN)
        accepted = most = 0
        while True:
            ready = [fd for fd, _ in poll.poll()]
            if door in ready:
                sock, _ = self.listener.accept()
                accepted += 1
                live[sock.fileno()] = sock
                poll.register(sock.fileno(), select.EPOLLIN)
                # Whatever was closed before this one was connected: it counts no more.
                ready = [fd for fd, _ in poll.poll(0, 4096)]
            for fd in ready:
                if fd in live and not live[fd].recv(1):
                    live.pop(fd).close()
            most = max(most, len(live))
            if word.fileno() in ready and door not in ready:
                word.sendall(b"%d %d %d" % (accepted, most, len(live)))
                return


def packet(kind, stream, more):
    """In a frame with a mask of zeros, which is cheap."""
    payload = struct.pack("<BI", kind, stream) + more
    return bytes([0x82, 0x80 | len(payload)]) + bytes(4) + payload


class Cycles:
    """A session of Wisp 2 that opens streams, all places at once, and closes each when it
    is told that it is open."""

    def __init__(self, one, host, port, left):
        self.ws = one.connect("/wisp/", protocols=("wisp-v2",), timeout=60)
        assert self.ws.recv()[1][0] == INFO
        self.ws.send(struct.pack("<BIBBBI", INFO, 0, 2, 0, 5, 0))
        assert self.ws.recv()[1][0] == CONTINUE
        self.to = struct.pack("<BH", 1, port) + host.encode()
        self.left = left  # streams that are to be asked for
        self.open = set()
        self.closed = self.throttled = 0

    def fill_up(self):
        """All places are taken, and one more is refused. Then all are closed, which goes on
        by turn()."""
        streams = range(1, PLACES + 2)
        self.ws.send_raw(b"".join(packet(CONNECT, stream, self.to) for stream in streams))
        self.left -= PLACES
        said = [self.ws.recv()[1] for _ in streams]
        self.open = {struct.unpack_from("<I", one, 1)[0] for one in said if one[0] == CONTINUE}
        assert len(self.open) == PLACES, said
        assert [one[5] for one in said if one[0] == CLOSE] == [THROTTLED], said

    def close_all(self):
        self.ws.send_raw(b"".join(packet(CLOSE, stream, b"\2") for stream in self.open))

    def turn(self, again):
        """Serve what has come. again: ask once more for what was refused."""
        self.ws.fill()
        data, at, out = self.ws.buffer, 0, []
        while len(data) >= at + 2 and len(data) >= at + 2 + data[at + 1]:
            kind, stream = struct.unpack_from("<BI", data, at + 2)
            if kind == CONTINUE:
                self.open.add(stream)
                out.append(packet(CLOSE, stream, b"\2"))
            else:
                reason = VOLUNTARY if stream in self.open else THROTTLED
                assert (kind, data[at + 7]) == (CLOSE, reason), data[at:at + 8]
                self.closed += stream in self.open
                self.throttled += stream not in self.open
                self.left += again and stream not in self.open
                self.open.discard(stream)
                if self.left:
                    self.left -= 1
                    out.append(packet(CONNECT, stream, self.to))
            at += 2 + data[at + 1]
        self.ws.buffer = data[at:]
        if out:
            self.ws.send_raw(b"".join(out))


def descriptors(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def resident(pid):
    return int(suite.status_of(pid)["VmRSS"].split()[0])


def time_wait(port):
    """How many on the side that connected to that port."""
    with open("/proc/thread-self/net/tcp") as file:
        lines = [line.split() for line in file.readlines()[1:]]
    return sum(word[3] == "06" and word[2].endswith(":%04X" % port) for word in lines)


def read_trail(one):
    """Checks each record by the grammar. ({(event, reason): how many}, the most streams of a
    session at once)."""
    events, live, most = {}, {}, 0
    needed = ("seq", "n", "run", "session", "event", "stream", "reason")

    def read():
        nonlocal most
        with open(one.audit_file) as file:
            for line in file:
                record = json.loads(line)
                record = {word: record[word] for word in needed if word in record}
                event, session = record["event"], record.get("session")
                kind = (event, record.get("reason"))
                events[kind] = events.get(kind, 0) + 1
                step = {"granted": 1, "stream-end": -1}.get(event, 0)
                live[session] = live.get(session, 0) + step
                most = max(most, live[session])
                yield record

    story.check(read())
    return events, most


class Many(unittest.TestCase):
    seconds = 240

    def start(self, connects):
        """A suite; it ends in order by its stop()."""
        one = suite.Suite(suite.policy({"open": suite.grant([to("127.0.0.0/27:*")], limits={
            "channels": PLACES, "connects_per_minute": connects})}, dialects=["wisp"]))
        self.addCleanup(shutil.rmtree, one.directory)
        self.addCleanup(lambda: one in suite.running and one.kill_all())
        return one.start()

    def sessions(self, one, port):
        """Each goes to another address: a pair of addresses has only so many near ports."""
        each = [Cycles(one, "127.0.0.%d" % (n + 1), port, MANY // SESSIONS)
                for n in range(SESSIONS)]
        for cycles in each:
            self.addCleanup(cycles.ws.sock.close)
        return each

    def run_all(self, each, again, look):
        """Asks for all; look(how many are over) is called now and then, and at the end."""
        with selectors.DefaultSelector() as ready:
            for one in each:
                one.fill_up()
            for one in each:
                ready.register(one.ws.sock, selectors.EVENT_READ, one)
                one.close_all()
            over = looked = 0
            while over < MANY:
                for key, _ in ready.select(60) or self.fail("nothing comes"):
                    key.data.turn(again)
                over = sum(one.closed + (0 if again else one.throttled) for one in each)
                if over - looked >= MANY // 50 or over == MANY:
                    looked = over
                    look(over)

    def test_155_a_hundred_thousand_streams(self):
        """All of them, which is the budget to the last one."""
        one = self.start(MANY)
        with Turnstile() as service:
            each = self.sessions(one, service.port)
            people = {one.pid(role): MORE[role] for role in ("broker", "auditor", "listener")}
            people.update((pid, MORE["worker"]) for pid in one.wait_sessions(SESSIONS))
            held, sizes = {pid: descriptors(pid) for pid in people}, {}

            def look(over):
                if not sizes and over >= MANY // 10:
                    sizes.update((pid, resident(pid)) for pid in people)

            self.run_all(each, True, look)
            suite.wait_for(lambda: {pid: descriptors(pid) for pid in people} == held,
                           what="the same descriptors as before")
            for pid, more in people.items():
                self.assertLessEqual(resident(pid), sizes[pid] + more, suite.argv_of(pid)[0])
            one.stop()
        self.assertEqual((service.accepted, service.left), (MANY, 0))
        self.assertLessEqual(service.most, SESSIONS * PLACES)
        events, most = read_trail(one)
        self.assertEqual(most, PLACES)
        self.assertEqual(events["granted", None], MANY)
        self.assertEqual(sum(count for (event, _), count in events.items()
                             if event == "stream-end"), MANY)
        # One too many of each session, and what came before a place was free again.
        refused = {reason: count for (event, reason), count in events.items()
                   if event == "refused"}
        self.assertEqual(refused, {"channels-limit": SESSIONS + sum(
            one.throttled for one in each)})

    def test_155_sockets_in_time_wait(self):
        """As many are asked for, and closed by us first: what the kernel keeps of them is the
        budget of each minute that began."""
        one, began, most = self.start(BUDGET), time.monotonic(), 0

        def allowed():
            return BUDGET * (1 + int((time.monotonic() - began) / 60))

        def look(_over):
            nonlocal most
            found = time_wait(service.port)
            self.assertLessEqual(found, allowed())
            most = max(most, found)

        with Turnstile() as service:
            each = self.sessions(one, service.port)
            self.run_all(each, False, look)
            one.stop()
        self.assertGreater(most, 0)
        opened = sum(one.closed for one in each)
        self.assertIn(opened, range(BUDGET, allowed() + 1))
        self.assertEqual((service.accepted, service.left), (opened, 0))
        events, _ = read_trail(one)
        self.assertEqual(events["granted", None], opened)
        refused = {reason: count for (event, reason), count in events.items()
                   if event == "refused"}
        self.assertEqual(sum(refused.values()), SESSIONS + MANY - opened)
        self.assertLessEqual(set(refused), {"connects-limit", "channels-limit"})
        self.assertGreater(refused["connects-limit"], MANY // 2)


if __name__ == "__main__":
    sys.exit(tap.main())
