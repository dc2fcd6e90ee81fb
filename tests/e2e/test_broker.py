#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The broker alone, with hostile peers: what they send; cases 77-79, 176, 214."""

import contextlib
import os
import resource
import socket
import struct
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import brokerbox
import tap
from brokerbox import open_
from brokercase import policy
from ipcwire import TABLE

LEGAL_ASKS = {"AUTH": "NEW", "OPEN": "OPEN", "END": "OPEN", "COUNTS": "NEW ASKED OPEN"}


class Table(unittest.TestCase):
    seconds = 300

    def test_77_the_whole_product(self):
        """Each type x state x length -1, 0, +1 x descriptors 0, 1, 2: what has no legal row
        ends its session; the canary beside it never notices."""
        tried = 0
        with brokerbox.Broker(policy()) as b, socket.socketpair()[0] as spare:
            canary = b.session()
            for state in ("NEW", "ASKED", "OPEN"):
                for name, (number, size) in sorted(TABLE.items()):
                    for length in (size - 1, size, size + 1):
                        for fds in (0, 1, 2):
                            if name in LEGAL_ASKS and state in LEGAL_ASKS[name].split() and \
                                    length == size and fds == 0:
                                continue
                            self.one(b, state, number, length, [spare.fileno()] * fds)
                            tried += 1
                self.assertTrue(b.alive(canary))
            b.finish(canary)
        self.assertGreater(tried, 800)

    def one(self, b, state, number, length, fds):
        if state == "ASKED":  # the authenticator does not answer this one
            session = b.new_session()
            held = []
            b.take_verify = held.append
            b.ends[session].send(brokerbox.auth())
        else:
            session = b.session(state)
        message = struct.pack("=I", number).ljust(length, b"\0")
        socket.send_fds(b.ends[session], [message], fds)
        b.pump(until=lambda: session in b.killed)
        self.assertEqual(b.killed[session], "protocol-violation")
        b.finish(session)
        if state == "ASKED":
            del b.take_verify
            for verify in held:
                b.take_verify(verify)
        ends = b.of(session, "session-end")
        self.assertEqual([e["reason"] for e in ends], ["protocol-violation"])

    def test_unknown_types_and_sizes(self):
        with brokerbox.Broker(policy()) as b:
            for number in (0, len(TABLE) + 1, 0xffffffff):
                for length in (0, 1, 3, 4, 64, 4096, 60000):
                    session = b.session()
                    message = struct.pack("=I", number).ljust(length, b"\0")[:length]
                    if not message:
                        b.ends[session].shutdown(socket.SHUT_WR)
                    else:
                        b.ends[session].send(message)
                    b.pump(until=lambda: session in b.killed)
                    b.finish(session)

    def test_texts_must_end(self):
        """A text that does not end in its field, or hides something behind its end."""
        with brokerbox.Broker(policy()) as b:
            for bad in (b"a" * 256, b"a\0" + b"b" * 10, b"\0x"):
                session = b.session()
                b.ends[session].send(brokerbox.open_raw(brokerbox.number("", 80), bad))
                b.pump(until=lambda: session in b.killed)
                self.assertEqual(b.killed[session], "protocol-violation")
                b.finish(session)

    def test_79_descriptors_are_never_installed(self):
        with brokerbox.Broker(policy()) as b, socket.socketpair()[0] as spare:
            b.settle()
            before = b.fds()
            for _ in range(200):
                session = b.session()
                socket.send_fds(b.ends[session], [open_("127.0.0.1", 1)], [spare.fileno()] * 253)
                b.pump(until=lambda: session in b.killed)
                b.finish(session)
            self.assertEqual(b.fds(), before)

    def fill(self, b, session, message):
        """Until the channel takes no more: the broker has had the session's share."""
        b.ends[session].setblocking(False)
        sent = 0
        with contextlib.suppress(BlockingIOError):
            for _ in range(200000):
                b.ends[session].send(message)
                sent += 1
        b.ends[session].settimeout(10)
        return sent

    def test_78_a_flood_waits_in_its_own_channel(self):
        with brokerbox.Broker(policy()) as b:
            flood = b.session()
            for _ in range(20):
                self.assertLess(self.fill(b, flood, brokerbox.end(77)), 200000, "it is paused")
                canary = b.session()  # is served meanwhile
                self.assertTrue(b.alive(canary))
            b.ends[flood].send(open_("no.such.rule", 80, 5))  # blocks, and is served at last
            b.pump(until=lambda: b.of(flood, "refused"))
            self.assertTrue(b.alive(flood))
            b.finish(flood)
            self.assertEqual(len(b.of(flood, "refused")), 1)

    def test_176_refusals_are_paced_and_none_is_lost(self):
        with brokerbox.Broker(policy()) as b:
            flood = b.session()
            sent = self.fill(b, flood, open_("no.such.rule", 80, 5))
            self.assertGreater(sent, 50)
            b.pump(until=lambda: len(b.of(flood, "refused")) == sent)
            canary = b.session()
            self.assertTrue(b.alive(canary) and b.alive(flood))

    def test_a_burst_of_handshakes_waits_for_the_authenticator(self):
        with brokerbox.Broker(policy()) as b:
            verify, b.take_verify = b.take_verify, lambda message: asked.append(message)
            asked = []
            many = [b.new_session() for _ in range(200)]
            for session in many:
                b.ends[session].send(brokerbox.auth())
            b.pump(until=lambda: len(asked) >= 16)
            b.take_verify = verify
            for message in asked:
                verify(message)
            b.pump(until=lambda: b.granted >= set(many))

    def test_214_no_room_for_a_sessions_descriptor(self):
        with brokerbox.Broker(policy()) as b:
            canary = b.session()
            most = b.fds() + 20
            resource.prlimit(b.process.pid, resource.RLIMIT_NOFILE, (most, most))
            many = [b.new_session() for _ in range(40)]
            b.pump(until=lambda: len(b.killed) >= 20)
            self.assertTrue(b.alive(canary))
            for session in b.killed:
                self.assertIn(session, many)
                self.assertEqual(b.killed[session], "resources")
            for session in many:
                b.finish(session)
                self.assertEqual([r["event"] for r in b.of(session)],
                                 ["session-open", "session-end"])
            self.assertTrue(b.alive(b.session()))  # there is room again

    def test_raised_descriptor_limit(self):
        """The broker takes as many descriptors as the hard limit allows it."""
        with brokerbox.Broker(policy()) as b:
            soft, hard = resource.prlimit(b.process.pid, resource.RLIMIT_NOFILE)
            self.assertEqual(soft, hard)


class Requests(unittest.TestCase):
    seconds = 120

    def test_a_request_says_what_it_is_about(self):
        one = brokerbox.number("127.0.0.1", 80)
        wrong = [brokerbox.open_raw(brokerbox.number("", 80), b""),  # nothing
                 brokerbox.open_raw(one, b"", protocol=0),           # a stream of no protocol
                 brokerbox.open_raw(one, b"", kind=brokerbox.RESOLVE),
                 brokerbox.open_raw(one, b"", kind=3)]
        listen = brokerbox.open_raw(one, b"", kind=brokerbox.LISTEN)
        with brokerbox.Broker(policy()) as b:
            for message in wrong:
                session = b.session()
                b.ends[session].send(message)
                b.pump(until=lambda: session in b.killed)
                b.finish(session)
                self.assertEqual(b.of(session, "session-end")[0]["reason"], "protocol-violation")

            session = b.session()  # what no grant can have yet is refused, and on record
            b.ends[session].send(listen)
            b.pump(until=lambda: b.of(session, "refused"))
            self.assertEqual(b.of(session, "refused")[0]["reason"], "no-rule")
            self.assertTrue(b.alive(session))

    def test_a_worker_that_does_not_read_is_ended(self):
        with brokerbox.Broker(policy()) as b:
            session = b.session()
            sent = 0
            while session not in b.killed and sent < 20000:
                try:
                    b.ends[session].send(open_("no.such.rule", 80, sent))
                    sent += 1
                except (BrokenPipeError, ConnectionResetError):
                    break
                b.pump(until=lambda: len(b.of(session)) >= sent or session in b.killed)
            b.pump(until=lambda: session in b.killed)
            b.finish(session)
            self.assertEqual(b.of(session, "session-end")[0]["reason"], "protocol-violation")


if __name__ == "__main__":
    sys.exit(tap.main())
