#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Processes that die or starve at each stage: cases 205 to 214."""

import os
import signal
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import story
import suite
import tap
import targets
import wsclient

RULES = suite.policy({"open": suite.grant(explain=True, limits={"channels": 4})})


class Faults(unittest.TestCase):
    seconds = 90

    def setUp(self):
        self.one = suite.Suite(RULES)
        self.one.start()
        self.addCleanup(self.finish)

    def finish(self):
        """In order, and with a trail that tells everything once."""
        one = self.one
        try:
            if one in suite.running:
                one.stop()
                story.check(one.records())
        finally:
            if one in suite.running:
                one.kill_all()

    def kill(self, pid, number=signal.SIGKILL):
        os.kill(pid, number)

    def session(self):
        """The only session's process."""
        self.one.wait_sessions(1)
        return self.one.sessions()[0]

    def ends(self, reason, number=None, count=1):
        end = self.one.wait_record("session-end", count=count, seconds=5, reason=reason)
        if number:
            self.assertEqual(end["signal"], number)
        return end

    def serves(self):
        with targets.Echo() as target, self.one.connect(target.path()) as client:
            client.send(b"ping")
            self.assertEqual(client.recv_bytes(4), b"ping")
            client.finish()

    # --- the worker ---------------------------------------------------------------------

    def test_205_worker_before_the_upgrade(self):
        with wsclient.Client(self.one.address) as client:
            client.send_raw(b"GET /netproxy HTTP/1.1\r\n")
            self.kill(self.session())
            self.assertTrue(client.gone())
        self.ends("worker-crashed", 9)
        self.serves()

    def test_206_worker_while_connecting(self):
        with targets.Blackhole() as hole:
            for count in range(1, 7):  # more often than there are slots
                with self.one.connect("/raw/127.0.0.1/%d" % hole.port) as client:
                    pid = self.session()
                    time.sleep(0.1)
                    self.kill(pid)
                    self.assertTrue(client.gone())
                self.ends("worker-crashed", 9, count)
        self.assertEqual(self.one.records("granted"), [])
        self.serves()

    def test_207_worker_between_grant_and_receipt(self):
        """The auditor stands still until the worker does: so the grant finds it stopped."""
        with targets.Hold() as target, self.one.connect("/netproxy") as client:
            client.send_text('{"t":"write","id":1,"b64":""}')
            client.recv()
            pid, auditor = self.session(), self.one.pid("auditor")
            self.kill(auditor, signal.SIGSTOP)
            client.send_text('{"t":"open","id":1,"host":"127.0.0.1","port":%d}' % target.port)
            suite.wait_for(lambda: target.seen, what="the dial")
            self.kill(pid, signal.SIGSTOP)
            self.kill(auditor, signal.SIGCONT)
            granted = self.one.wait_record("granted")
            self.assertEqual(granted["local_port"], target.seen[0].peer[1])
            self.kill(pid)
            self.assertTrue(target.seen[0].over.wait(5))
            self.assertTrue(client.gone())
        self.ends("worker-crashed", 9)
        self.assertEqual(len(self.one.records("stream-end")), 1)

    def test_208_worker_with_data_in_flight(self):
        def slow(sock, seen):
            while True:
                data = sock.recv(4096)
                if not data:
                    return
                seen.take(data)
                if seen.received < 1 << 20:
                    time.sleep(0.0005)
        with targets.Target(slow, rcvbuf=8192) as target, \
                self.one.connect(target.path(), timeout=2) as client:
            pid = self.session()

            def flood():
                try:
                    while True:
                        client.send(bytes(65536))
                except OSError:
                    pass
            flooding = threading.Thread(target=flood)
            flooding.start()
            suite.wait_for(lambda: target.seen and target.seen[0].received > 100000)
            self.kill(pid)
            flooding.join()
            seen = target.wait_seen(seconds=30)
        # What the peer's kernel had acknowledged: all but what was on its way.
        end = self.one.wait_record("stream-end")
        self.assertGreater(end["bytes_up"], 100000)
        self.assertLessEqual(end["bytes_up"], seen.received)
        self.assertLess(seen.received - end["bytes_up"], 65536)
        self.ends("worker-crashed", 9)

    def test_213_signals_are_on_record(self):
        for count, number in enumerate((signal.SIGSEGV, signal.SIGSYS, signal.SIGABRT,
                                        signal.SIGBUS), 1):
            template = self.one.template()
            with self.one.connect("/netproxy") as client:
                self.kill(self.session(), number)
                self.assertTrue(client.gone())
            self.ends("worker-crashed", count=count)
            self.assertEqual(self.one.records("session-end")[-1]["signal"], number)
            self.one.wait_sessions(0)
            # After a crash the address layout is another one: a new template, which
            # comes with a session, at most once a second.
            suite.wait_for(lambda: self.serves() or
                           self.one.template() not in (None, template),
                           what="a new template")
        self.assertEqual([f for f in os.listdir(self.one.directory) if f.startswith("core")], [])
        self.serves()

    def test_205_the_template(self):
        with targets.Hold() as target, self.one.connect(target.path()) as client:
            client.recv_bytes(6)
            template = self.one.template()
            self.kill(template)
            suite.wait_for(lambda: self.one.template() != template)
            self.serves()  # the next session has a new one made
            client.finish()

    def test_a_crash_ends_no_other_session(self):
        with targets.Echo() as target:
            clients = [self.one.connect(target.path()) for _ in range(5)]
            self.one.wait_sessions(5)
            self.kill(self.one.sessions()[2], signal.SIGSEGV)
            self.ends("worker-crashed")
            alive = 0
            for client in clients:
                with client:
                    try:
                        client.send(b"x")
                        alive += client.recv_bytes(1) == b"x"
                    except (wsclient.Gone, OSError):
                        pass
            self.assertEqual(alive, 4)

    # --- the broker ---------------------------------------------------------------------------

    def broker_restarts(self, broker):
        suite.wait_for(lambda: [p for p in self.one.processes("broker") if p != broker],
                       what="a new broker")
        suite.wait_for(lambda: self.one.control("status").returncode == 0, what="service")

    def test_209_broker_idle(self):
        broker = self.one.pid("broker")
        self.kill(broker)
        self.broker_restarts(broker)
        self.serves()

    def test_209_broker_with_sessions(self):
        with targets.Hold() as target:
            clients = [self.one.connect(target.path()) for _ in range(20)]
            for client in clients:
                client.recv_bytes(6)
            broker = self.one.pid("broker")
            self.kill(broker)
            for client in clients:
                with client:
                    try:
                        client.recv_close()
                    except wsclient.Gone:
                        pass
            self.one.wait_sessions(0, seconds=5)
            for seen in target.seen:
                self.assertTrue(seen.over.wait(5))
            self.broker_restarts(broker)
            self.one.wait_record("session-end", count=20, reason="broker-lost")
        self.serves()

    def test_210_broker_between_record_and_grant(self):
        """The auditor stands still, so nothing is granted; then the broker dies."""
        with targets.Hold() as target, self.one.connect("/netproxy") as client:
            client.send_text('{"t":"write","id":1,"b64":""}')
            client.recv()
            auditor, broker = self.one.pid("auditor"), self.one.pid("broker")
            self.kill(auditor, signal.SIGSTOP)
            client.send_text('{"t":"open","id":1,"host":"127.0.0.1","port":%d}' % target.port)
            suite.wait_for(lambda: target.seen, what="the dial")
            client.sock.settimeout(1)
            with self.assertRaises(TimeoutError):  # connected, but not handed over
                client.recv()
            self.kill(broker)
            self.kill(auditor, signal.SIGCONT)
            client.sock.settimeout(10)
            with self.assertRaises((wsclient.Gone, wsclient.Closed)):
                while True:
                    self.assertNotIn(b"opened", client.recv()[1])
            self.assertTrue(target.wait_seen().over.is_set())
            self.broker_restarts(broker)
        self.ends("broker-lost")
        self.serves()

    # --- the listener ----------------------------------------------------------------------------

    def test_211_listener(self):
        with targets.Echo() as target:
            clients = [self.one.connect(target.path()) for _ in range(25)]
            for client in clients[20:]:  # their places in the broker are used again
                client.finish()
            self.one.wait_record("session-end", count=5)
            del clients[20:]
            listener = self.one.pid("listener")
            self.kill(listener, signal.SIGSTOP)
            waiting = wsclient.Client(self.one.address, timeout=20)
            waiting.send_raw(waiting.request(target.path()))
            self.kill(listener)
            for client in clients:  # sessions live on
                client.send(b"still")
                self.assertEqual(client.recv_bytes(5), b"still")
            with waiting:           # and what waited in the queue is served
                self.assertEqual(waiting.read_answer().status, 101)
                waiting.send(b"new")
                self.assertEqual(waiting.recv_bytes(3), b"new")
                waiting.finish()
            for _ in range(8):
                self.serves()
            for client in clients:
                client.finish()
        self.one.wait_record("session-end", count=5 + 1 + 8 + 20)
        self.assertEqual(len(self.one.records("session-end", reason="listener-lost")), 20)

    # --- the helpers --------------------------------------------------------------------------------

    def test_212_resolver_and_authenticator(self):
        for role in ("resolver", "authenticator"):
            with self.subTest(role):
                old = self.one.pid(role)
                self.kill(old)
                suite.wait_for(lambda: [p for p in self.one.processes(role) if p != old])
                suite.wait_for(lambda: self.one.control("status").returncode == 0)
                self.serves()

    def test_212_auditor(self):
        with targets.Echo() as target, self.one.connect(target.path()) as client:
            client.send(b"x")
            client.recv_bytes(1)
            for _ in range(3):
                old = self.one.pid("auditor")
                self.kill(old)
                client.send(b"y")  # what is granted goes on
                self.assertEqual(client.recv_bytes(1), b"y")
                suite.wait_for(lambda: [p for p in self.one.processes("auditor") if p != old])
                suite.wait_for(lambda: self.one.control("status").returncode == 0)
                self.serves()
            client.finish()

    def test_212_nothing_is_granted_without_a_record(self):
        auditor = self.one.pid("auditor")
        with targets.Echo() as target:
            self.kill(auditor, signal.SIGSTOP)
            client = wsclient.Client(self.one.address, timeout=1.5)
            with client:
                client.send_raw(client.request(target.path()) + wsclient.frame(2, b"early"))
                try:
                    client.read_answer()
                    client.recv()
                    self.fail("something came back without a record")
                except TimeoutError:
                    pass
                self.assertFalse(target.seen and target.seen[0].received)
                self.kill(auditor, signal.SIGCONT)
                client.sock.settimeout(10)
                if client.answer is None:
                    client.read_answer()
                self.assertEqual(client.recv_bytes(5), b"early")
                client.finish()


class Starved(unittest.TestCase):
    seconds = 90

    def test_214_broker_without_descriptors(self):
        rules = suite.policy({"open": suite.grant(explain=True, limits={"channels": 200})})
        with targets.Hold() as target, \
                suite.Suite(rules, rlimits={"RLIMIT_NOFILE": 128}) as one:
            with one.connect(target.path()) as bystander:
                self.assertEqual(bystander.recv_bytes(6), b"hello\n")
                clients = [one.connect("/netproxy") for _ in range(4)]
                broker = one.pid("broker")
                opened = refused = 0
                for client in clients:
                    for id in range(50):
                        client.send_text('{"t":"open","id":%d,"host":"127.0.0.1","port":%d}'
                                         % (id, target.port))
                        answer = b""
                        while b'"opened"' not in answer and b'"error"' not in answer:
                            answer = client.recv()[1]
                        opened += b'"opened"' in answer
                        refused += b'"error"' in answer
                self.assertEqual(opened + refused, 200)
                self.assertGreater(opened, 50)
                self.assertGreater(refused, 50)
                self.assertEqual(one.pid("broker"), broker)
                bystander.send(b"x")
                for client in clients:
                    client.finish()
                one.wait_record("stream-end", count=opened)
                with one.connect(target.path()) as again:
                    self.assertEqual(again.recv_bytes(6), b"hello\n")
            one.stop()
            story.check(one.records())


if __name__ == "__main__":
    sys.exit(tap.main())
