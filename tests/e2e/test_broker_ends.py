#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The broker alone: how sessions and streams end, whatever happens meanwhile. Cases 162, 216,
229 to 232 and 236, as far as they are the broker's."""

import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import brokerbox  # noqa: E402
import suite  # noqa: E402
import tap  # noqa: E402
from brokerbox import open_, receive_fd  # noqa: E402
from ipcwire import REASONS, REASON_WORDS, number_of  # noqa: E402


def policy(allow="127.0.0.1:*", **limits):
    return {"version": 1, "hosts": ["127.0.0.1"], "dialects": ["raw"],
            "limits": {"sessions": 8000, "sessions_per_source": 8000},
            "grants": {"demo": suite.grant(allow=[suite.to(allow)], explain=True,
                                           limits=dict({"sessions": 8000}, **limits))}}


def stop(session, reason, grace_ms):
    return struct.pack("=IIQII", number_of("STOP"), REASONS[reason], session, grace_ms, 0)


class Ends(unittest.TestCase):
    seconds = 120

    def setUp(self):
        self.server = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.server.settimeout(10)
        self.addCleanup(self.server.close)
        self.port = self.server.getsockname()[1]
        self.far = []
        self.addCleanup(lambda: [sock.close() for sock in self.far])

    def answer(self, b, session):
        """(name, reason if it has one, descriptors) of the next message to a worker."""
        channel = b.ends[session]
        b.pump(until=lambda: select.select([channel], [], [], 0)[0], watch=channel)
        message, fds = receive_fd(channel)
        number, _, reason = struct.unpack_from("=III", message)
        return brokerbox.names()[number], REASON_WORDS.get(reason), fds

    def open_stream(self, b, session, port, tag=1):
        b.ends[session].send(open_("127.0.0.1", port, tag))
        name, _, fds = self.answer(b, session)
        self.assertEqual(name, "OPENED")
        return fds[0]

    # --- sessions -------------------------------------------------------------------------------

    def test_162_what_ends_a_draining_session_sooner_holds(self):
        """Kill, lifetime and a reload reach a session that an operator lets end slowly."""
        hour = 3600 * 1000
        with brokerbox.Broker(policy(session_timeout="3s")) as b:
            killed, old = b.session(), b.session()
            for session in (killed, old):
                b.listener.send(stop(session, "draining", hour))
            b.listener.send(stop(killed, "killed", 100))
            b.pump(until=lambda: {killed, old} <= set(b.killed))
            self.assertEqual((b.killed[killed], b.killed[old]), ("killed", "lifetime"))
        with brokerbox.Broker(policy()) as b:
            session = b.session()
            b.listener.send(stop(session, "draining", hour))
            b.settle()
            other = policy()
            other["grants"] = {"another": other["grants"]["demo"]}
            b.reload(other)
            b.pump(until=lambda: session in b.killed)
            self.assertEqual(b.killed[session], "policy-changed")

    def test_last_words_of_a_session_that_no_one_verified(self):
        counts = struct.pack("=IHHQQQQ24x", number_of("COUNTS"), 1000, 400, 7, 7, 7, 7)
        with brokerbox.Broker(policy()) as b:
            asked = []
            b.take_verify = asked.append
            for session in [b.new_session() for _ in range(16)]:
                b.ends[session].send(brokerbox.auth())
            b.pump(until=lambda: len(asked) == 16)
            session = b.new_session()
            b.ends[session].send(counts)
            b.finish(session)
            end = b.of(session, "session-end")[0]
            self.assertEqual((end["claimed_http"], end["claimed_bytes_in"]), (400, 7))

    def test_10_who_a_client_is_told_to_be(self):
        """Only what the listener found to be a listed proxy tells; nothing goes by it."""
        told = ("203.0.113.9", 40001)
        with brokerbox.Broker(policy()) as b:
            for proxy in (True, False):
                session = b.new_session("192.0.2.10", proxy=proxy)
                b.ends[session].send(brokerbox.auth(told=told))
                b.pump(until=lambda s=session: s in b.granted)
                self.assertEqual(receive_fd(b.ends[session])[1], [])
                os.close(self.open_stream(b, session, self.port))
                b.finish(session)
                records = b.of(session)
                self.assertEqual([r["event"] for r in records], [
                    "session-open", "authenticated", "granted", "stream-end", "session-end"])
                self.assertEqual(records[0]["told"][0], 0)
                for record in records[1:]:
                    self.assertEqual(record["told"][:2], (4, told[1]) if proxy else (0, 0))

    def test_236_the_brokers_end_is_the_end_of_its_sessions_on_record(self):
        with brokerbox.Broker(policy()) as b:
            session = b.session()
            fd = self.open_stream(b, session, self.port)
            b.process.send_signal(signal.SIGTERM)
            b.pump(until=lambda: b.of(session, "session-end"))
            self.assertEqual([r["event"] for r in b.of(session)],
                             ["session-open", "authenticated", "granted", "stream-end",
                              "session-end"])
            os.close(fd)

    def test_many_ends_do_not_crowd_out_a_grant(self):
        """A listener that does not read for a while still hears of each granted session."""
        with brokerbox.Broker(policy()) as b:
            many = [b.session() for _ in range(30)]
            for session in many:
                b.ends[session].close()
            late = b.new_session()
            takes = [b.peers["auditor"], b.peers["authenticator"]]
            for turn in range(40):  # two seconds in which the listener hears nothing
                if turn == 30:
                    b.ends[late].send(brokerbox.auth())
                for peer in select.select(takes, [], [], 0.05)[0]:
                    message = peer.recv(65536)
                    (b.take_record if peer is takes[0] else b.take_verify)(message)
            b.pump(until=lambda: late in b.granted)

    # --- a policy that changes -------------------------------------------------------------------

    def test_hundreds_of_streams_are_cut_at_once(self):
        """More than its channel takes: the session lives, and hears of each."""
        many = 900
        limits = {"channels": 950, "connects_per_minute": 0, "bytes_per_minute": "64KiB"}
        with brokerbox.Broker(policy(**limits)) as b:
            session = b.session()
            fds = []
            for tag in range(1, many + 1):
                fds.append(self.open_stream(b, session, self.port, tag))
                self.far.append(self.server.accept()[0])
            b.process.send_signal(signal.SIGSTOP)
            with socket.socket(fileno=fds[0]) as one:
                one.sendall(bytes(65537))
            time.sleep(1.5)  # so that all are looked at in one tick
            b.process.send_signal(signal.SIGCONT)
            told = set()

            def all_are_told():
                while select.select([b.ends[session]], [], [], 0)[0]:
                    number, stream, reason = struct.unpack("=III", b.ends[session].recv(65536))
                    self.assertEqual((number, REASON_WORDS[reason]),
                                     (number_of("CUT"), "bytes-limit"))
                    told.add(stream)
                return len(told) == many
            b.pump(until=all_are_told, watch=b.ends[session])
            b.pump(until=lambda: len(b.of(session, "stream-end")) == many)
            self.assertEqual({r["reason"] for r in b.of(session, "stream-end")}, {"bytes-limit"})
            self.assertTrue(b.alive(session))
            for fd in fds[1:]:
                os.close(fd)

    def test_231_a_reload_holds_for_what_waits_for_its_record(self):
        with brokerbox.Broker(policy()) as b:
            session = b.session()
            b.store = False
            b.ends[session].send(open_("127.0.0.1", self.port))
            b.pump(until=lambda: b.of(session, "granted"))
            b.reload(policy(allow="*.example.test:*"))
            b.store = True
            b.store_all()
            self.assertEqual(self.answer(b, session), ("REFUSED", "no-rule", []))
            b.pump(until=lambda: b.of(session, "stream-end"))
            self.assertEqual(b.of(session, "stream-end")[0]["reason"], "no-rule")
            self.assertTrue(b.alive(session))

    def test_231_a_reload_takes_the_grant_of_a_session_that_waits_for_it(self):
        with brokerbox.Broker(policy()) as b:
            b.store = False
            session = b.new_session()
            b.ends[session].send(brokerbox.auth())
            b.pump(until=lambda: b.of(session, "authenticated"))
            other = policy()
            other["grants"] = {"another": other["grants"]["demo"]}
            b.reload(other)
            b.store = True
            b.store_all()
            b.pump(until=lambda: session in b.killed)
            self.assertEqual(b.killed[session], "policy-changed")
            self.assertNotIn(session, b.granted)

    def test_229_no_reload_is_lost(self):
        """The newest policy is in force, however close behind the last one it came."""
        with brokerbox.Broker(policy()) as b:
            for i in range(30):
                b.reload(policy(allow="127.0.0.1:%d" % (1000 + i)))
                b.process.send_signal(signal.SIGHUP)
            b.settle()
            session = b.session()
            b.ends[session].send(open_("127.0.0.1", 1029))
            self.assertEqual(self.answer(b, session)[1], "peer-refused")

    # --- what is shown of a refusal --------------------------------------------------------------

    def test_109_the_share_that_a_request_takes_tells_nothing(self):
        """A request costs its session the same, whether it is denied or fails later."""
        took = {}
        for name, host in (("denied", "10.0.0.1"), ("unknown", "a.example.test")):
            quiet = policy(allow="*.example.test:*")
            quiet["grants"]["demo"]["explain"] = False
            with brokerbox.Broker(quiet, answer_names=lambda host: []) as b:
                session = b.session()
                began = time.monotonic_ns()
                for tag in range(200):
                    b.ends[session].send(open_(host, 80, tag))
                b.pump(until=lambda: len(b.of(session, "refused")) == 200)
                times = [r["mono_ns"] for r in b.of(session, "refused")]
                took[name] = (max(times) - began) / 1e9
        for name, seconds in took.items():  # 25 in each tick of 50 ms: seven ticks lie between
            self.assertGreater(seconds, 0.25, name)

    # --- without an auditor ----------------------------------------------------------------------

    def test_216_without_room_for_records_streams_end(self):
        """Nothing can be put on record for five seconds: what is live is reset."""
        with brokerbox.Broker(policy()) as b:
            session = b.session()
            many = [b.session() for _ in range(60)]
            fd = self.open_stream(b, session, self.port)
            far = self.server.accept()[0]
            far.settimeout(60)
            os.write(fd, b"hello")
            self.assertEqual(far.recv(5), b"hello")
            b.store = False
            for tag in range(60):
                for one in many:
                    b.ends[one].send(open_("no.such.rule", 80, tag))
            self.assertRaises(ConnectionResetError, far.recv, 1)
            b.store = True
            b.pump(until=lambda: b.of(session, "stream-end"))
            end = b.of(session, "stream-end")[0]
            self.assertEqual((end["reason"], end["bytes_up"]), ("auditor-lost", 5))
            b.pump(until=lambda: sum(len(b.of(one, "refused")) for one in many) == 3600)
            self.assertTrue(b.alive(session))
            self.assertEqual(self.answer(b, session)[0], "CUT")
            os.close(fd)
            far.close()


if __name__ == "__main__":
    sys.exit(tap.main())
