#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Front proxies: who must send a PROXY header, who must not, and what is on record."""

import json
import os
import signal
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import memory
import suite
import tap
import targets
import wsclient

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
HEALTH = b"GET /health HTTP/1.1\r\nHost: balancer\r\n\r\n"
TOLD = ("203.0.113.9", 40001)
TOLD6 = ("2001:db8::7", 40002)


def v1(told=TOLD):
    return b"PROXY TCP%d %s %s %d 443\r\n" % (
        6 if ":" in told[0] else 4, told[0].encode(),
        b"2001:db8::1" if ":" in told[0] else b"192.0.2.1", told[1])


def v2(told=TOLD, command=0x21, tlvs=b""):
    family = socket.AF_INET6 if ":" in told[0] else socket.AF_INET
    ip = socket.inet_pton(family, told[0])
    block = ip + bytes(len(ip)) + struct.pack(">HH", told[1], 443) + tlvs
    return SIGNATURE + struct.pack(">BBH", command, 0x21 if len(ip) == 16 else 0x11,
                                   len(block)) + block


LOCAL = SIGNATURE + b"\x20\0\0\0"


def rules(*proxies, **limits):
    return suite.policy(proxies=list(proxies),
                        limits=dict({"handshake_timeout": "20s"}, **limits))


class Asks:
    """For cases with a suite."""

    suite = None

    def proxied(self, header, path="/netproxy", cut=0):
        """A connection of the proxy: its header, then a client's handshake."""
        client = wsclient.Client(self.suite.address)
        if cut:
            for at in range(0, len(header), cut):
                client.send_raw(header[at:at + cut])
        else:
            client.send_raw(header)
        client.open(path)
        return client

    def ask(self, *parts):
        """Bytes as they are; the answer, or None where the connection just ends; its record."""
        with wsclient.Client(self.suite.address) as client:
            port = client.sock.getsockname()[1]
            answer = None
            try:
                for part in parts:
                    client.send_raw(part)
                answer = client.read_refusal()
            except (ConnectionError, wsclient.Gone):
                pass
        return answer, self.end_of(port)

    def number_of(self, port):
        return self.suite.session_at(port)

    def end_of(self, port):
        return self.suite.wait_record("session-end", session=self.number_of(port))

    def records_of(self, client):
        """All records of the session that has this client, which ends it."""
        port = client.sock.getsockname()[1]
        client.finish()
        client.sock.close()
        number = self.end_of(port)["session"]
        return self.suite.records(session=number)

    def told(self, records, told):
        """The proxy's address in all, the told one from AUTH on."""
        for record in records:
            self.assertEqual(record["client"], "127.0.0.1")
            if record["event"] == "session-open" or told is None:
                self.assertNotIn("claimed_client", record)
                self.assertNotIn("claimed_client_port", record)
            else:
                self.assertEqual((record["claimed_client"], record["claimed_client_port"]), told)
        self.assertEqual([r["event"] for r in records][:1], ["session-open"])
        self.assertEqual([r["event"] for r in records][-1:], ["session-end"])


class Listed(Asks, suite.SuiteCase):
    rules = rules("192.0.2.10", "127.0.0.0/8", "2001:db8::/64", sessions_per_source=3)

    def test_each_form(self):
        for header, told in ((v1(), TOLD), (v2(), TOLD), (v1(TOLD6), TOLD6), (v2(TOLD6), TOLD6),
                             (v2(("::ffff:203.0.113.9", 40001)), TOLD),
                             (v2(tlvs=b"\4\0\3abc\x20\0\0"), TOLD),
                             (b"PROXY UNKNOWN\r\n", None), (LOCAL, None),
                             (v2(command=0x20), None)):
            with self.subTest(header[:20]), self.proxied(header) as client:
                self.told(self.records_of(client), told)

    def test_a_byte_a_segment(self):
        for header in (v1(), v2(TOLD6)):
            with self.subTest(header[:10]), self.proxied(header, cut=1) as client:
                self.told(self.records_of(client), TOLD if header == v1() else TOLD6)

    def test_streams_have_it_too(self):
        with targets.Echo() as echo, self.proxied(v2(), echo.path()) as client:
            client.send(b"through")
            self.assertEqual(client.recv_bytes(7), b"through")
            records = self.records_of(client)
        self.told(records, TOLD)
        self.assertIn("granted", [r["event"] for r in records])
        self.assertIn("stream-end", [r["event"] for r in records])

    def test_with_the_head_in_one_segment(self):
        answer, _ = self.ask(v2() + HEALTH)
        self.assertEqual((answer.status, answer.body.strip()), (200, b"ok"))

    def test_health(self):
        for header, told in ((v1(), TOLD), (v2(), TOLD), (LOCAL, None),
                             (b"PROXY UNKNOWN\r\n", None)):
            with self.subTest(header[:20]):
                answer, end = self.ask(header, HEALTH)
                self.assertEqual((answer.status, answer.body.strip()), (200, b"ok"))
                self.assertEqual(end["claimed_exit"], "not-upgraded")
                self.assertEqual(end.get("claimed_client"), told and told[0])

    def test_a_refused_head_is_on_record_with_the_address(self):
        answer, end = self.ask(v1() + b"GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n")
        self.assertEqual(answer.status, 404)
        self.assertEqual((end["claimed_client"], end["claimed_client_port"]), TOLD)
        self.assertEqual(end["claimed_http"], 404)

    def test_a_refused_session_is_on_record_with_the_address(self):
        with wsclient.Client(self.suite.address) as client:
            client.send_raw(v2())
            client.open("/netproxy", host="evil.test")
            self.assertEqual(client.recv_close()[0], 4003)
            end = self.end_of(client.sock.getsockname()[1])
        self.assertEqual(end["claimed_client"], TOLD[0])
        refused = self.suite.records("refused", session=end["session"])[0]
        self.assertEqual((refused["reason"], refused["claimed_client"]),
                         ("host-not-served", TOLD[0]))

    def test_wrong_headers(self):
        """Not a byte of an answer, and on record as what it is."""
        for parts in ((HEALTH,), (b"PROXY TCP4 203.0.113.09 192.0.2.1 1 2\r\n", HEALTH),
                      (v1().replace(b"\r\n", b"\n"), HEALTH), (b"PROXY " + b"a" * 200,),
                      (b"PROXY UNKNOWN " + b"a" * 10000,), (v2(command=0x22), HEALTH),
                      (SIGNATURE + b"\x21\x12\0\x0c" + bytes(12), HEALTH),
                      (SIGNATURE + b"\x21\x11\xff\xff" + bytes(70000),),
                      (v2(tlvs=b"\3\0\4abcd"), HEALTH), (v2(tlvs=b"\4\0\x09a"), HEALTH),
                      (b"\x16\3\1\2\0\1\0\1\xfc\3\3" + bytes(500),), (b"\0",),
                      (b"\r\n" + HEALTH,)):
            with self.subTest(parts[0][:30]):
                answer, end = self.ask(*parts)
                self.assertIsNone(answer)
                self.assertEqual(end["claimed_exit"], "proxy-violation")
                self.assertNotIn("claimed_client", end)
                self.assertNotIn("claimed_http", end)

    def test_a_second_header_is_the_clients(self):
        """Whoever sends one through a proxy is believed by nobody."""
        for second in (v1(("198.51.100.1", 1)), v2(("198.51.100.1", 1))):
            with self.subTest(second[:10]):
                answer, end = self.ask(v2() + second + HEALTH)
                self.assertEqual(answer.status, 400)
                self.assertEqual(end["claimed_client"], TOLD[0])

    def test_one_that_ends_in_the_middle(self):
        for part in (b"", b"PROXY", v1()[:-1], v2()[:14], v2()[:-1], v2()):
            with self.subTest(part[-10:]):
                with socket.create_connection(self.suite.address) as sock:
                    sock.sendall(part)
                    port = sock.getsockname()[1]
                end = self.end_of(port)
                self.assertEqual(end["claimed_exit"], "client-lost")

    @tap.needs_root
    def test_the_worker_forgets_the_request(self):
        """All of it, however long the header in front of it was."""
        secret = b"said-by-the-client-%d" % os.getpid()
        with wsclient.Client(self.suite.address) as client:
            # At the head's very end, in one segment with the header.
            client.send_raw(v2(tlvs=b"\4\1\xc8" + bytes(456)) +
                            client.request("/netproxy", headers=[("X-Last", secret.decode())]))
            client.read_answer()
            pid = max(self.suite.sessions(), key=suite.started)
            self.assertFalse(memory.in_memory(pid, secret))
            client.send_text('{"t":"%s"}' % secret.decode())
            client.recv()
            self.assertTrue(memory.in_memory(pid, secret), "the negative control")

    def test_sessions_are_shown_as_a_proxys(self):
        with self.proxied(v2()) as client:
            own = "127.0.0.1:%d" % client.sock.getsockname()[1]
            shown = json.loads(self.suite.control("sessions", "--json", check=True).stdout)
            self.assertEqual([one["proxy"] for one in shown if one["client"] == own], [True])
            self.assertIn(own + " (proxy)", self.suite.control("sessions", check=True).stdout)
            client.finish()

    def test_sessions_per_source_is_not_the_proxys(self):
        """3 is the limit of others."""
        clients = [self.proxied(v2(("203.0.113.%d" % i, 1))) for i in range(6)]
        try:
            self.suite.wait_sessions(6)
        finally:
            for client in clients:
                client.finish()
                client.sock.close()
        self.suite.wait_sessions(0)

    def test_what_is_told_is_no_subject_of_a_limit(self):
        """Nor whoever is told as one that may not connect."""
        for told in (("127.0.0.1", 0), ("0.0.0.0", 1), ("255.255.255.255", 1), ("::", 1)):
            with self.subTest(told), self.proxied(v2(told)) as client:
                self.told(self.records_of(client), told)


class Slow(Asks, suite.SuiteCase):
    rules = rules("127.0.0.1", handshake_timeout="700ms")

    def test_the_deadline_holds_for_the_header(self):
        for part in (b"", b"PROXY TCP4 ", v2()[:20], v2()):
            with self.subTest(part[-10:]):
                with wsclient.Client(self.suite.address) as client:
                    client.send_raw(part)
                    self.assertTrue(client.gone())
                    end = self.end_of(client.sock.getsockname()[1])
                self.assertEqual(end["reason"], "handshake-timeout")


class Unlisted(Asks, suite.SuiteCase):
    rules = rules("192.0.2.0/24", "unix")

    def test_a_header_is_refused(self):
        for header in (v1(), v2(), LOCAL, b"PROXY UNKNOWN\r\n"):
            with self.subTest(header[:20]):
                answer, end = self.ask(header + HEALTH)
                self.assertEqual(answer.status, 400)
                self.assertEqual(end["claimed_exit"], "http-refused")
                self.assertNotIn("claimed_client", end)

    def test_nobody_needs_one(self):
        self.assertEqual(self.ask(HEALTH)[0].status, 200)
        with self.suite.connect("/netproxy") as client:
            shown = json.loads(self.suite.control("sessions", "--json", check=True).stdout)
            self.assertEqual({one["proxy"] for one in shown}, {False})
            self.assertNotIn("(proxy)", self.suite.control("sessions", check=True).stdout)
            client.finish()
        with self.suite.connect("/netproxy") as client:
            self.told(self.records_of(client), None)


class Reload(suite.SuiteCase):
    """A new list holds for who comes then; who is there stays what it was."""

    rules = rules("127.0.0.1")

    def generation(self):
        """Of the policy that the listener goes by."""
        return json.loads(self.suite.control("status", "--json").stdout)["generation"]

    def test_reload(self):
        with wsclient.Client(self.suite.address) as client:
            client.send_raw(v2())
            client.open("/netproxy")
            self.suite.write_policy(rules())
            before = self.generation()
            self.suite.process.send_signal(signal.SIGHUP)
            suite.wait_for(lambda: self.generation() > before)
            with self.suite.connect("/netproxy") as other:
                other.finish()
            client.finish()
        self.suite.wait_record("session-end", claimed_client=TOLD[0])
        self.suite.wait_sessions(0)


if __name__ == "__main__":
    sys.exit(tap.main())
