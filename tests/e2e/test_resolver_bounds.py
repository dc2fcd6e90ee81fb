#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""sockward-resolver alone: how much it takes, of whom, and from whom nothing; case 125."""

import array
import os
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import ipcwire as wire
import resolverbox
import tap
from resolverbox import children


def setUpModule():
    resolverbox.enter()


class Bounds(resolverbox.Case):
    def test_125_a_silent_server_holds_up_nobody_else(self):
        for tag in range(40):
            self.channel.send(wire.lookup("%d.hang.test" % tag, tag))
        began = time.monotonic()
        with self.helper.connect() as other:
            for tag in range(50):
                answer = wire.ask(other, wire.lookup("one.test", tag))
                self.assertEqual(answer[2:], ("none", ["203.0.113.1"]))
        self.assertLess(time.monotonic() - began, 5)
        tags = {}
        for _ in range(40):
            tag, _, reason, found = wire.unpack(self.channel.recv(4096))[1]
            tags[tag] = (reason, found)
        self.assertEqual(tags, {tag: ("name-failed", []) for tag in range(40)})
        self.assertTrue(9 < time.monotonic() - began < 11.5, time.monotonic() - began)
        time.sleep(1)
        self.assertEqual(children(self.helper.process.pid), [])

    def test_125_more_lookups_than_there_is_room_for(self):
        """Each is answered exactly once: what has no room at once, the rest at its deadline."""
        count = 1500
        began = time.monotonic()
        seen = []
        self.channel.setblocking(False)
        sent = 0
        at_once = 0
        while len(seen) < count and time.monotonic() - began < 20:
            try:
                while sent < count:
                    self.channel.send(wire.lookup("%d.hang.test" % sent, sent,
                                                  session=1 + sent % 40,
                                                  grant="g%d" % (sent % 2)))
                    sent += 1
            except BlockingIOError:
                pass
            try:
                tag, _, reason, _ = wire.unpack(self.channel.recv(4096))[1]
                self.assertEqual(reason, "name-failed")
                at_once += time.monotonic() - began < 8
                seen.append(tag)
            except BlockingIOError:
                time.sleep(0.005)
        self.assertEqual(sorted(seen), list(range(count)))
        self.assertEqual(at_once, count - 1024)
        self.channel.settimeout(15)
        time.sleep(1)
        self.assertEqual(self.look("one.test"), ("none", ["203.0.113.1"]))

    def test_125_one_session_does_not_fill_the_queue(self):
        for tag in range(200):
            self.channel.send(wire.lookup("%d.hang.test" % tag, tag, session=7))
        self.channel.send(wire.lookup("one.test", 999, session=8))
        self.channel.settimeout(5)
        seen, last = set(), None
        while last != 999:
            last, _, reason, _ = wire.unpack(self.channel.recv(4096))[1]
            seen.add(last)
        self.assertEqual(reason, "none")
        # 64 wait, and 4 are under way, if these were before the others came.
        self.assertIn(len(seen) - 1, range(200 - 64 - 4, 200 - 64 + 1))
        self.assertGreaterEqual(min(seen), 64)

    def test_125_one_grant_does_not_fill_the_queue(self):
        """However many sessions it has: neither the processes nor what waits."""
        for tag in range(600):
            self.channel.send(wire.lookup("%d.hang.test" % tag, tag, session=tag, grant="many"))
        began = time.monotonic()
        with self.helper.connect() as other:
            for tag in range(20):
                answer = wire.ask(other, wire.lookup("one%d.rotate.test" % tag, tag))
                self.assertEqual(answer[2], "none")
        self.assertLess(time.monotonic() - began, 5)
        self.channel.settimeout(15)
        for _ in range(600):
            self.assertEqual(wire.unpack(self.channel.recv(4096))[1][2], "name-failed")

    def test_a_client_that_does_not_read(self):
        """What it asked for waits with it; others are served."""
        self.channel.setblocking(False)
        sent = 0
        try:
            while sent < 5000:
                self.channel.send(wire.lookup("no name", sent))
                sent += 1
                time.sleep(0.0002)
        except BlockingIOError:
            pass
        self.assertLess(sent, 5000)
        with self.helper.connect() as other:
            self.assertEqual(wire.ask(other, wire.lookup("one.test"))[2], "none")
        self.channel.settimeout(5)
        tags = [wire.unpack(self.channel.recv(4096))[1][0] for _ in range(sent)]
        self.assertEqual(tags, list(range(sent)))

    def test_a_client_that_leaves(self):
        with self.helper.connect() as other:
            for tag in range(30):
                other.send(wire.lookup("one.test", tag))
                other.send(wire.lookup("%d.hang.test" % tag, tag))
        for _ in range(20):
            self.assertEqual(self.look("one.test"), ("none", ["203.0.113.1"]))

    def test_illegal_messages_end_one_client(self):
        good = wire.lookup("one.test")
        left, right = os.pipe()
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [left]))]
        for name, message, ancillary in (
                ("short", good[:-1], []), ("long", good + b"\0", []), ("tiny", b"\1", []),
                ("type", struct.pack("=I", 9999) + good[4:], []),
                ("way", bytes(wire.TABLE["ADDRESSES"][1]), []),
                ("other channel", wire.verify(), []), ("descriptor", good, rights)):
            with self.subTest(name), self.helper.connect(seconds=5) as other:
                other.sendmsg([message], ancillary)
                self.assertTrue(wire.cut_off(other))
        os.close(left)
        os.close(right)
        self.assertEqual(self.look("one.test"), ("none", ["203.0.113.1"]))
        self.assertNotIn("one.test", self.helper.stderr())

    def test_no_more_clients_than_there_are_places(self):
        more = [self.helper.connect(seconds=5) for _ in range(5)]
        self.assertEqual(wire.ask(more[2], wire.lookup("one.test"))[2], "none")
        self.assertTrue(wire.cut_off(more[4]))
        for one in more:
            one.close()
        time.sleep(0.1)
        self.assertEqual(self.look("one.test"), ("none", ["203.0.113.1"]))


if __name__ == "__main__":
    sys.exit(tap.main())
