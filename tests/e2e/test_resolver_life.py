#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""sockward-resolver alone: its processes, what each of them has, its start and its end; case 124."""

import os
import signal
import socket
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import dnsbox
import ipcwire as wire
import resolverbox
import tap
from resolverbox import children


def memory_of(pid):
    """All of its memory that can be written."""
    found = b""
    with open("/proc/%d/maps" % pid) as maps, open("/proc/%d/mem" % pid, "rb") as memory:
        for line in maps:
            where, how = line.split()[:2]
            if how.startswith("rw"):
                low, high = (int(text, 16) for text in where.split("-"))
                memory.seek(low)
                found += memory.read(high - low)
    return found


def filters_of(pid):
    with open("/proc/%d/status" % pid) as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Seccomp_filters:"))


def setUpModule():
    global server
    server = resolverbox.enter()


class Life(unittest.TestCase):
    def test_one_session_does_not_starve_the_others(self):
        with wire.Helper("resolver") as helper:
            channel = helper.connect()
            for tag in range(200):
                channel.send(wire.lookup("%d.hang.test" % tag, tag, session=1))
            channel.send(wire.lookup("200.hang.test", 200, session=2))
            time.sleep(0.5)
            self.assertEqual(len(children(helper.process.pid)), 4 + 1)

    @tap.needs_root
    def test_a_lookup_has_not_what_others_asked(self):
        """Its process is forked without the questions and answers of all others."""
        with wire.Helper("resolver") as helper:
            channel = helper.connect()
            for i in range(8):
                name = "known%d%s.rotate.test" % (i, "-and-long" * 5)
                self.assertEqual(wire.ask(channel, wire.lookup(name))[2], "none")
            channel.send(wire.lookup("seen.hang.test", 1, session=2, grant="of-another"))
            end = time.monotonic() + 10
            while "seen.hang.test" not in server.asked and time.monotonic() < end:
                time.sleep(0.01)
            child, = children(helper.process.pid)
            mine, parents = memory_of(child), memory_of(helper.process.pid)
            self.assertIn(b"known3-and-long", parents)
            self.assertIn(b"of-another", parents)
            self.assertIn(b"seen.hang.test", mine)
            self.assertNotIn(b"of-another", mine)
            self.assertFalse([i for i in range(8) if b"known%d-and" % i in mine])
            self.assertNotIn(b"-and-long", mine)

    @tap.needs_root
    def test_a_lookup_has_not_what_is_asked_beside_it(self):
        """Nor on the stack: both questions are taken before the first process is forked."""
        names = ["one-of-two.hang.test", "and-its-%s-neighbour.hang.test" % ("long" * 10)]
        with wire.Helper("resolver") as helper:
            channel = helper.connect()
            self.assertEqual(wire.ask(channel, wire.lookup("one.test"))[2], "none")
            os.kill(helper.process.pid, signal.SIGSTOP)
            for i, name in enumerate(names):
                channel.send(wire.lookup(name, i, session=i, grant="grant%d" % i))
            os.kill(helper.process.pid, signal.SIGCONT)
            end = time.monotonic() + 10
            while not set(names) <= set(server.asked) and time.monotonic() < end:
                time.sleep(0.01)
            found = [memory_of(pid) for pid in children(helper.process.pid)]
            self.assertEqual(len(found), 2)
            for memory in found:
                self.assertEqual(sum(name.encode() in memory for name in names), 1)
                self.assertEqual(sum(part in memory for part in (b"one-of", b"-neighbour")), 1)

    @tap.needs_root
    def test_a_lookup_has_a_filter_of_its_own(self):
        """What its resolver alone needs is taken from it."""
        with wire.Helper("resolver") as helper:
            channel = helper.connect()
            channel.send(wire.lookup("filter.hang.test", 1))
            end = time.monotonic() + 10
            while "filter.hang.test" not in server.asked and time.monotonic() < end:
                time.sleep(0.01)
            child, = children(helper.process.pid)
            self.assertEqual(filters_of(child), filters_of(helper.process.pid) + 1)
            with open("/proc/%d/limits" % child) as file:
                limits = {line[:26].strip(): line[26:].split()[1] for line in file}
            self.assertEqual(int(limits["Max address space"]), 64 << 20)

    def test_124_ids_without_the_device(self):
        """An id that nobody can tell beforehand, also where c-ares finds no /dev/urandom."""
        with dnsbox.hidden("/dev/urandom"), wire.Helper("resolver") as helper:
            channel = helper.connect()
            names = ["id%d.rotate.test" % i for i in range(6)]
            for name in names:
                self.assertEqual(wire.ask(channel, wire.lookup(name))[2], "none")
        ids = [number for (name, _), number in server.ids.items() if name in names]
        self.assertEqual(len(ids), 12)
        self.assertGreater(len(set(ids)), 10)

    def test_killed_it_leaves_no_process(self):
        with wire.Helper("resolver") as helper:
            channel = helper.connect()
            for tag in range(10):
                channel.send(wire.lookup("%d.hang.test" % tag, tag, session=tag))
            time.sleep(0.5)
            found = children(helper.process.pid)
            self.assertEqual(len(found), 10)
            helper.kill()
            time.sleep(0.2)
            for pid in found:
                try:
                    with open("/proc/%d/stat" % pid) as file:
                        self.assertEqual(file.read().rsplit(")", 1)[1].split()[0], "Z")
                except OSError:
                    pass

    def test_it_starts_only_with_its_socket(self):
        with wire.Helper("resolver") as helper:
            helper.stop()
            helper.name = "broker"
            helper.start()
            self.assertEqual(helper.process.wait(5), 1)
            self.assertIn("has no use here", helper.stderr())
            with socket.socket() as tcp:
                helper.name = "resolver"
                right, helper.listening = helper.listening, tcp
                helper.start()
                helper.listening = right
            self.assertEqual(helper.process.wait(5), 1)
            self.assertIn("no listening SOCK_SEQPACKET socket", helper.stderr())

    @tap.needs_root
    def test_who_may_connect(self):
        """Whoever owns the socket's file, whatever its mode."""
        for owner, served in ((65532, False), (65533, True)):
            with self.subTest(owner), wire.Helper("resolver", owner=owner) as helper:
                os.chmod(helper.directory, 0o755)
                os.chmod(helper.path, 0o777)
                reading, writing = os.pipe()
                pid = os.fork()
                if pid == 0:
                    try:
                        os.setresuid(65533, 65533, 65533)
                        channel = helper.connect()
                        channel.send(wire.lookup("db.internal"))
                        os.write(writing, b"served" if channel.recv(4096) else b"refused")
                    except OSError:
                        os.write(writing, b"refused")
                    os._exit(0)
                os.waitpid(pid, 0)
                self.assertEqual(os.read(reading, 10), b"served" if served else b"refused")
                os.close(reading)
                os.close(writing)


if __name__ == "__main__":
    sys.exit(tap.main())
