#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""wss:// through HAProxy and nginx, with the files of examples/."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import certs
import fronts
import suite
import targets
import wsclient

HEALTH = b"GET /health HTTP/1.1\r\nHost: balancer\r\n\r\n"


class Front:
    """For each of them."""

    front_class = None
    rules = suite.policy(proxies=["127.0.0.1"], hosts=[fronts.HOST],
                         limits={"sessions_per_source": 2})

    @classmethod
    def setUpClass(cls):
        if not os.path.exists(cls.front_class.program):
            raise unittest.SkipTest("no " + cls.front_class.program)
        super().setUpClass()
        cls.box = certs.Box().__enter__()
        try:
            cls.front = cls.front_class(cls.box, cls.suite.address).__enter__()
        except BaseException:
            cls.box.__exit__()
            super().tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.front.__exit__()
        cls.box.__exit__()
        super().tearDownClass()

    def session(self, told):
        """All records of the session of the client that a proxy told of, when it is over."""
        end = self.suite.wait_record("session-end", claimed_client=told[0],
                                     claimed_client_port=told[1])
        return self.suite.records(session=end["session"])

    def test_an_echo(self):
        data = targets.pattern(7, 300000)
        for source in ("127.0.0.7", "::1"):
            with self.subTest(source), targets.Echo() as echo, \
                    self.front.connect(echo.path(), source) as client:
                told = client.sock.getsockname()[:2]
                client.send(data)
                self.assertEqual(client.recv_bytes(len(data)), data)
                client.finish()
                client.sock.close()
                records = self.session(told)
                self.assertEqual({r["client"] for r in records}, {"127.0.0.1"})
                self.assertEqual([r["event"] for r in records], [
                    "session-open", "authenticated", "granted", "stream-end", "session-end"])
                for record in records[1:]:
                    self.assertEqual((record["claimed_client"], record["claimed_client_port"]),
                                     told)
                self.assertEqual(records[3]["bytes_up"], len(data))
                self.assertEqual(records[3]["bytes_down"], len(data))

    def test_more_clients_than_a_source_may_have(self):
        clients = [self.front.connect("/netproxy", "127.0.0.%d" % i) for i in range(10, 14)]
        told = [client.sock.getsockname()[:2] for client in clients]
        for client in clients:
            client.send_text('{"t":"nonsense","id":1}')
            client.recv()
        for client in clients:
            client.finish()
            client.sock.close()
        for one in told:
            self.assertEqual(self.session(one)[-1]["claimed_close"], 1000)

    def test_the_fronts_own_limit(self):
        """64 connections of one address, as the example says; others have their own."""
        clients = [self.front.client("127.0.0.20") for _ in range(64)]
        try:
            with self.assertRaises((OSError, wsclient.Gone)):
                self.front.connect("/netproxy", "127.0.0.20")
            with self.front.connect("/netproxy", "127.0.0.21") as client:
                client.finish()
        finally:
            for client in clients:
                client.sock.close()
        suite.wait_for(lambda: not self.suite.sessions())

    def test_one_that_vanishes(self):
        with self.front.connect("/netproxy", "127.0.0.8") as client:
            told = client.sock.getsockname()[:2]
        self.assertEqual(self.session(told)[-1]["claimed_exit"], "client-lost")

    def test_health(self):
        with self.front.client("127.0.0.9") as client:
            told = client.sock.getsockname()[:2]
            client.send_raw(HEALTH)
            answer = client.read_answer()
            while len(client.buffer) < 2:
                client.fill()
            self.assertEqual((answer.status, client.buffer), (200, b"ok"))
        self.assertEqual(self.session(told)[-1]["claimed_exit"], "not-upgraded")

    def test_a_client_with_a_header_of_its_own(self):
        """Who it says it is stands on no record."""
        with self.front.client("127.0.0.11") as client:
            client.send_raw(b"PROXY TCP4 198.51.100.1 192.0.2.1 1 2\r\n" + HEALTH)
            self.assertEqual(client.read_refusal().status, 400)
        with self.front.connect("/netproxy", "127.0.0.11", headers=[
                ("X-Forwarded-For", "198.51.100.1"), ("Forwarded", "for=198.51.100.1")]) as client:
            told = client.sock.getsockname()[:2]
            client.finish()
        self.session(told)
        with open(self.suite.audit_file) as file:
            self.assertNotIn("198.51.100.1", file.read())


class HAProxy(Front, suite.SuiteCase):
    front_class = fronts.HAProxy

    def test_its_own_check(self):
        """LOCAL: it connects for nobody."""
        def checked():
            return [end for end in self.suite.records("session-end", claimed_exit="not-upgraded")
                    if "claimed_client" not in end]
        suite.wait_for(checked, 60, "HAProxy's own check")
        self.assertNotIn("is DOWN", self.front.log())


class Nginx(Front, suite.SuiteCase):
    front_class = fronts.Nginx


if __name__ == "__main__":
    import tap
    sys.exit(tap.main())
