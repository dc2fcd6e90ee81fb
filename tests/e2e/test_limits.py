#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Limits of number, amount and time: case 156, and 160 to 162, 165 with an honest worker."""

import json
import os
import resource
import socket
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import suite
import tap
import targets
import wsclient


def one_grant(**how):
    limits = how.pop("limits", {})
    top = {name: how.pop(name) for name in list(how) if name == "top"}
    return suite.policy({"open": suite.grant(explain=True, limits=limits, **how)},
                        **({"limits": top["top"]} if top else {}))


class Limits(unittest.TestCase):
    seconds = 90

    def closed(self, client, code, word):
        got, reason = client.recv_close()
        self.assertEqual(got, code, reason)
        self.assertIn(word, reason)

    # --- numbers -----------------------------------------------------------------------

    def test_channels(self):
        rules = one_grant(limits={"channels": 3})
        with targets.Echo() as target, suite.Suite(rules) as one:
            with one.connect("/netproxy") as client:
                def ask(**message):
                    client.send_text(json.dumps(message))
                    return json.loads(client.recv()[1])
                for id in (1, 2, 3):
                    self.assertEqual(ask(t="open", id=id, host="127.0.0.1", port=target.port)["t"],
                                     "opened")
                self.assertEqual(ask(t="open", id=4, host="127.0.0.1", port=target.port)["t"],
                                 "error")
                self.assertEqual(ask(t="close", id=1)["t"], "closed")
                # The slot is free once the broker has shut the stream down.
                one.wait_record("stream-end")
                self.assertEqual(ask(t="open", id=5, host="127.0.0.1", port=target.port)["t"],
                                 "opened")
                suite.wait_for(lambda: len(target.seen) == 4, what="the fourth connection")
                one.wait_record("refused", reason="channels-limit")

    def test_connects_per_minute(self):
        rules = one_grant(limits={"connects_per_minute": 5})
        with targets.Echo() as target, suite.Suite(rules) as one:
            codes = []
            for _ in range(8):
                with one.connect(target.path()) as client:
                    client.send(b"x")
                    try:
                        client.recv_bytes(1)
                        codes.append(0)
                    except wsclient.Closed as closed:
                        codes.append(closed.code)
            self.assertEqual(codes, [0] * 5 + [4009] * 3)
            self.assertEqual(len(target.seen), 5)
            one.wait_record("refused", reason="connects-limit")

    def test_bytes_per_minute(self):
        rules = one_grant(limits={"bytes_per_minute": "1MiB"})
        with targets.Endless() as target, suite.Suite(rules) as one:
            with one.connect(target.path(), timeout=30) as client:
                got = 0
                try:
                    while True:
                        got += len(client.recv()[1])
                except wsclient.Closed as closed:
                    self.assertEqual(closed.code, 4009)
                    self.assertIn("bytes-limit", closed.reason)
            self.assertGreaterEqual(got, 0)
            end = one.wait_record("stream-end")
            self.assertEqual(end["reason"], "bytes-limit")
            self.assertGreater(end["bytes_down"], 1 << 20)
            # The same account is still over its limit.
            with one.connect(target.path()) as client:
                self.closed(client, 4009, "bytes-limit")

    def test_bytes_per_second(self):
        """Pacing: what is sent to a destination leaves at that rate."""
        rules = one_grant(limits={"bytes_per_second": "512KiB"})
        with targets.Sink() as target, suite.Suite(rules) as one:
            with one.connect(target.path() + "?eof=message", timeout=60) as client:
                began = time.monotonic()
                for _ in range(48):
                    client.send(bytes(65536))
                client.send(b"")
                client.recv_bytes(60)
                took = time.monotonic() - began
        self.assertEqual(target.seen[0].received, 48 * 65536)
        self.assertGreater(took, 2.5, "3 MiB at 512 KiB/s, less a first burst")

    def test_sessions_of_a_grant(self):
        with targets.Hold() as target, \
                suite.Suite(one_grant(limits={"sessions": 3})) as one:
            held = [one.connect(target.path()) for _ in range(3)]
            for client in held:
                client.recv_bytes(6)
            with one.connect(target.path()) as client:
                self.closed(client, 4009, "sessions-limit")
            held.pop().finish()
            one.wait_record("session-end", count=2)
            with one.connect(target.path()) as client:
                self.assertEqual(client.recv_bytes(6), b"hello\n")
            for client in held:
                client.sock.close()

    def over(self, one, count):
        """Connections over a cap of the listener: shed, without a word, and no more."""
        shed = 0
        for _ in range(count):
            client = wsclient.Client(one.address)
            with client:
                try:
                    client.open("/netproxy")
                    client.finish()
                except (wsclient.Gone, ConnectionError, wsclient.Refused):
                    shed += 1
        return shed

    def test_156_sessions_of_a_source(self):
        with suite.Suite(one_grant(top={"sessions_per_source": 4})) as one:
            held = [one.connect("/netproxy") for _ in range(4)]
            self.assertEqual(self.over(one, 5), 5)
            other = socket.create_connection(one.address, source_address=("127.0.0.2", 0))
            request = held[0].request("/netproxy")
            other.sendall(request)
            self.assertIn(b" 101 ", other.recv(100))
            other.close()
            held.pop().finish()
            suite.wait_for(lambda: self.over(one, 1) == 0, what="a free place")
            for client in held:
                client.finish()

    def test_156_sessions_of_the_instance(self):
        """Over the cap nothing is accepted: who comes waits in the kernel's queue."""
        with suite.Suite(one_grant(top={"sessions": 5, "sessions_per_source": 50})) as one:
            held = [one.connect("/netproxy") for _ in range(5)]
            waiting = [wsclient.Client(one.address) for _ in range(3)]
            for client in waiting:
                client.send_raw(client.request("/netproxy"))
            waiting[0].sock.settimeout(1)
            with self.assertRaises(TimeoutError):
                waiting[0].read_answer()
            self.assertEqual(len(one.sessions()), 5)
            waiting[0].sock.settimeout(15)
            for client in waiting:  # each gets the place of one that leaves
                held.pop().finish()
                self.assertEqual(client.read_answer().status, 101)
            for client in held + waiting:
                client.finish()

    # --- times ------------------------------------------------------------------------------

    def test_idle_timeout(self):
        with targets.Hold() as target, suite.Suite(one_grant(limits={"idle_timeout": "1s"})) as one:
            with one.connect(target.path()) as client:
                client.recv_bytes(6)
                for _ in range(6):  # as long as something moves, it lives
                    time.sleep(0.4)
                    client.send(b"x")
                began = time.monotonic()
                code, reason = client.recv_close()
                self.assertGreater(time.monotonic() - began, 0.3)
            self.assertEqual(code, 4008)
            self.assertIn("idle", reason)
            self.assertEqual(one.wait_record("stream-end")["reason"], "idle")
            self.assertTrue(target.wait_seen().over.is_set())

    def test_162_session_timeout(self):
        with targets.Hold() as target, \
                suite.Suite(one_grant(limits={"session_timeout": "2s"})) as one:
            began = time.monotonic()
            with one.connect(target.path()) as client:
                client.recv_bytes(6)
                code, reason = client.recv_close()
                took = time.monotonic() - began
            self.assertEqual(code, 4008)
            self.assertIn("lifetime", reason)
            self.assertGreater(took, 1.9)
            self.assertLess(took, 10)
            self.assertEqual(one.wait_record("session-end")["reason"], "lifetime")

    def test_162_session_timeout_of_a_client_that_does_not_answer(self):
        with targets.Endless() as target, \
                suite.Suite(one_grant(limits={"session_timeout": "2s"})) as one:
            with wsclient.connect(one.address, target.path(), rcvbuf=4096):
                end = one.wait_record("session-end", seconds=15)
            self.assertEqual(end["reason"], "lifetime")
            one.wait_sessions(0)

    def test_connect_timeout(self):
        with targets.Blackhole() as hole, \
                suite.Suite(one_grant(limits={"connect_timeout": "1s"})) as one:
            began = time.monotonic()
            with one.connect("/raw/127.0.0.1/%d" % hole.port) as client:
                self.closed(client, 4008, "timeout")
            self.assertGreater(time.monotonic() - began, 0.9)
            self.assertLess(time.monotonic() - began, 10)

    def test_handshake_deadline(self):
        """It is the listener's: also for a client that sends nothing at all."""
        with suite.Suite(one_grant(top={"handshake_timeout": "1s"})) as one:
            for data in (b"", b"GET /netproxy HT"):
                with wsclient.Client(one.address) as client:
                    began = time.monotonic()
                    client.send_raw(data)
                    self.assertTrue(client.gone())
                    self.assertGreater(time.monotonic() - began, 0.9)
            one.wait_record("session-end", count=2, reason="handshake-timeout")
            with one.connect("/netproxy") as client:  # a granted one is not under it
                time.sleep(1.5)
                client.finish()

    # --- 165: the listener without descriptors ------------------------------------------------

    def test_165_many_half_open_handshakes(self):
        """One source fills its share; others are served all the while."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
        rules = one_grant(top={"sessions": 200, "sessions_per_source": 50})
        flood = []
        try:
            with suite.Suite(rules) as one:
                for number in range(1500):
                    sock = socket.socket()
                    sock.setblocking(False)
                    sock.bind(("127.0.0.3", 0))
                    sock.connect_ex(one.address)
                    flood.append(sock)
                    if number % 100 == 99:
                        self.assertEqual(self.over(one, 1), 0)
                suite.wait_for(lambda: len(one.sessions()) <= 51)
                self.assertEqual(self.over(one, 20), 0)
                ticks = cpu_ticks(one.pid("listener"))
                time.sleep(1)
                self.assertLess(cpu_ticks(one.pid("listener")) - ticks, 50, "it spins")
                for sock in flood:
                    sock.close()
        finally:
            for sock in flood:
                sock.close()
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    def test_165_accept_without_descriptors(self):
        rules = one_grant(top={"sessions": 500, "sessions_per_source": 500})
        one = suite.Suite(rules, rlimits={"RLIMIT_NOFILE": 128})
        with one:
            held = [socket.create_connection(one.address) for _ in range(300)]
            time.sleep(0.5)
            ticks = cpu_ticks(one.pid("listener"))
            time.sleep(1)
            self.assertLess(cpu_ticks(one.pid("listener")) - ticks, 50, "it spins")
            for sock in held:
                sock.close()
            suite.wait_for(lambda: self.over(one, 1) == 0, seconds=30, what="service again")


def cpu_ticks(pid):
    with open("/proc/%d/stat" % pid) as file:
        words = file.read().rsplit(")", 1)[1].split()
    return int(words[11]) + int(words[12])


if __name__ == "__main__":
    sys.exit(tap.main())
