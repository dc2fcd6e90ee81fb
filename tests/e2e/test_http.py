#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The handshake, byte by byte: cases 1 to 13."""

import base64
import os
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import suite
import tap
import wsclient

RULES = suite.policy({
    "program": suite.grant(),
    "page": suite.grant(auth=suite.tokens(suite.TOKEN), origins=[suite.ORIGIN]),
}, hosts=["127.0.0.1", "localhost", "gw.example.test"],
    limits={"sessions_per_source": 500, "handshake_timeout": "30s"})


def lines(*more, start="GET /netproxy HTTP/1.1", drop=()):
    """A request as lines of bytes: the ordinary ones but those in drop, and more."""
    ordinary = [("Host", "127.0.0.1"), ("Upgrade", "websocket"), ("Connection", "Upgrade"),
                ("Sec-WebSocket-Version", "13"),
                ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]
    kept = ["%s: %s" % pair for pair in ordinary if pair[0] not in drop]
    return "\r\n".join([start] + kept + list(more) + ["", ""]).encode("latin-1")


class Handshake(suite.SuiteCase):
    rules = RULES

    def ask(self, request):
        """Send; the answer and whatever followed it up to the end of the connection."""
        with wsclient.Client(self.suite.address) as client:
            try:
                client.send_raw(request)
            except ConnectionError:
                pass  # it may answer, and close, before it got everything
            return client.read_refusal()

    def refused(self, request, *statuses):
        answer = self.ask(request)
        self.assertIn(answer.status, statuses)
        self.assertIn("close", answer.header("connection").split(", "))
        self.assertEqual(answer.body.count(b"HTTP/1.1"), 0, "a second answer")
        return answer

    def upgraded(self, request):
        with wsclient.Client(self.suite.address) as client:
            client.send_raw(request)
            return client.read_answer().status

    def outcome(self, **how):
        """What becomes of a whole handshake: 0 when it is open, else the close code."""
        with self.suite.connect("/netproxy", **how) as client:
            client.send_text('{"t":"nonsense","id":1}')
            try:
                client.recv()
            except wsclient.Closed as closed:
                return closed.code, closed.reason
            return 0, ""

    # --- the negative control: the request that all others differ from ---------------

    def test_00_the_ordinary_request_is_upgraded(self):
        self.assertEqual(self.upgraded(lines()), 101)
        self.assertEqual(self.outcome(), (0, ""))

    def test_00_sample_of_rfc_6455(self):
        with wsclient.Client(self.suite.address) as client:
            client.send_raw(lines())
            answer = client.read_answer()
        self.assertEqual(answer.header("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")

    # --- 1, 2: the request line --------------------------------------------------------

    def test_01_other_methods(self):
        for method in ("POST", "PUT", "HEAD", "CONNECT", "DELETE", "TRACE", "get", "GETT"):
            with self.subTest(method):
                self.refused(lines(start=method + " /netproxy HTTP/1.1"), 400, 405)

    def test_02_other_versions_and_blanks(self):
        for start in ("GET /netproxy HTTP/1.0", "GET /netproxy HTTP/2.0", "GET /netproxy http/1.1",
                      "GET  /netproxy HTTP/1.1", "GET /netproxy  HTTP/1.1", "GET /netproxy",
                      " GET /netproxy HTTP/1.1", "GET /netproxy HTTP/1.1 ", "GET\t/netproxy HTTP/1.1",
                      "GET /netproxy HTTP/1.10", "GET netproxy HTTP/1.1", "GET  HTTP/1.1",
                      "GET http://127.0.0.1/netproxy HTTP/1.1", "GET * HTTP/1.1"):
            with self.subTest(start):
                self.refused(lines(start=start), 400)

    # --- 3, 4, 5: the upgrade's fields ------------------------------------------------

    def test_03_other_websocket_versions(self):
        version = "Sec-WebSocket-Version"
        for more in ([version + ": 8"], [version + ": 0"], [version + ": 13, 8"],
                     [version + ": 13 8"], [], [version + ": 13", version + ": 13"],
                     [version + ": 13", version + ": 8"], [version + ": 013"]):
            with self.subTest(more):
                answer = self.refused(lines(*more, drop=[version]), 426)
                self.assertEqual(answer.header("sec-websocket-version"), "13")

    def test_04_half_an_upgrade(self):
        for drop, more in ((["Connection"], []), (["Upgrade"], []),
                           (["Upgrade"], ["Upgrade: websocket2"]),
                           (["Upgrade"], ["Upgrade: h2c"]),
                           (["Connection"], ["Connection: close"]),
                           (["Connection"], ["Connection: Upgraded"]),
                           (["Connection"], ["Connection: keep-alive"])):
            with self.subTest(drop=drop, more=more):
                self.refused(lines(*more, drop=drop), 400, 426)

    def test_04_lists_and_letter_case_are_fine(self):
        for drop, more in ((["Connection"], ["connection: keep-alive, UPGRADE"]),
                           (["Upgrade"], ["upgrade: WebSocket"]),
                           (["Connection"], ["Connection: keep-alive", "Connection: upgrade"])):
            with self.subTest(more):
                self.assertEqual(self.upgraded(lines(*more, drop=drop)), 101)

    def test_05_bad_keys(self):
        name = "Sec-WebSocket-Key"
        for keys in ([base64.b64encode(bytes(15)).decode()], [base64.b64encode(bytes(17)).decode()],
                     ["AAAAAAAAAAAAAAAAAAAAAB=="], ["AAAAAAAAAAAAAAAAAAAAAA"],
                     ["AAAAAAAAAAAAAAAAAAAAAA="], ["AAAAAAAAAAAA AAAAAAAAAA=="],
                     ["_AAAAAAAAAAAAAAAAAAAAA=="], [""], [],
                     ["AAAAAAAAAAAAAAAAAAAAAA=="] * 2):
            with self.subTest(keys):
                self.refused(lines(*["%s: %s" % (name, key) for key in keys], drop=[name]), 400)

    # --- 6, 7: the origin ----------------------------------------------------------------

    def page(self, origin):
        return self.outcome(origin=origin, protocols=["sockward", "auth." + base64.urlsafe_b64encode(
            suite.TOKEN.encode()).decode().rstrip("=")])

    def test_06_the_origin_must_be_exact(self):
        self.assertEqual(self.page(suite.ORIGIN)[0], 0)
        self.assertEqual(self.page("HTTP://App.Example.TEST:8080")[0], 0)
        for origin in (None, "null", "", suite.ORIGIN + ".evil.test", "http://app.example.test:8081",
                       "http://app.example.test", "https://app.example.test:8080",
                       "http://app.example.test.:8080", "http://user@app.example.test:8080",
                       "http://evil.test", suite.ORIGIN + "/", "http://xapp.example.test:8080"):
            with self.subTest(origin=origin):
                code, reason = self.page(origin)
                self.assertEqual(code, 4003, reason)
                self.assertIn("origin-not-allowed", reason)
        self.suite.wait_record("refused", reason="origin-not-allowed",
                               claimed_origin="http://evil.test")

    def test_07_two_origins(self):
        for more in ([("Origin", suite.ORIGIN)] * 2, [("Origin", suite.ORIGIN + " http://evil.test")],
                     [("Origin", suite.ORIGIN + ", " + suite.ORIGIN)]):
            with self.subTest(more):
                self.refused(lines(*["%s: %s" % pair for pair in more]), 400)

    # --- 8: the host ------------------------------------------------------------------------

    def test_08_malformed_hosts(self):
        for hosts in ([], ["127.0.0.1", "127.0.0.1"], ["127.0.0.1", "evil.test"], ["a b"],
                      ["user@127.0.0.1"], ["127.0.0.1/x"], ["127.0.0.1:"], ["127.0.0.1:x"],
                      ["127.0.0.1:1:2"], [""], ["127.0.0.1,evil.test"]):
            with self.subTest(hosts):
                self.refused(lines(*["Host: " + host for host in hosts], drop=["Host"]), 400, 421)

    def test_08_hosts_that_are_not_served(self):
        for host in ("evil.test", "127.0.0.1.evil.test", "sub.gw.example.test", "0x7f000001",
                     "gw.example.test.", "127.1", "[::1]"):
            with self.subTest(host):
                code, reason = self.outcome(host=host)
                self.assertEqual(code, 4003, reason)
                self.assertIn("host-not-served", reason)
        for host in ("localhost", "LocalHost:99", "gw.example.test:1", "127.0.0.1"):
            with self.subTest(host):
                self.assertEqual(self.outcome(host=host), (0, ""))

    # --- 9: smuggling -------------------------------------------------------------------------

    def test_09_no_body(self):
        for more, body in ((["Content-Length: 5"], b"hello"), (["Content-Length: 0"], b""),
                           (["Transfer-Encoding: chunked"], b"0\r\n\r\n"),
                           (["Expect: 100-continue"], b""),
                           (["Content-Length: 0", "Transfer-Encoding: identity"], b"")):
            with self.subTest(more):
                self.refused(lines(*more) + body, 400)

    def test_09_nothing_behind_a_refusal_is_answered(self):
        second = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        for first in (lines("Content-Length: 5"), lines(drop=["Sec-WebSocket-Version"]),
                      second, lines(start="GET /nowhere HTTP/1.1"),
                      lines(start="POST /netproxy HTTP/1.1")):
            with self.subTest(first[:20]):
                self.assertEqual(self.ask(first + second * 3).body.count(b"HTTP/1.1"), 0)

    # --- 10: who the client is ------------------------------------------------------------------

    def test_10_forwarding_fields_are_ignored(self):
        fields = [("X-Forwarded-For", "203.0.113.9"), ("X-Real-IP", "203.0.113.9"),
                  ("Forwarded", "for=203.0.113.9")]
        with self.suite.connect("/netproxy", headers=fields) as client:
            address, port = client.sock.getsockname()
            self.suite.wait_record("session-open", client=address, client_port=port)
            client.finish()
        self.assertEqual([r for r in self.suite.records() if r.get("client") == "203.0.113.9"], [])

    def test_10_a_proxy_header_is_refused(self):
        for header in (b"PROXY TCP4 203.0.113.9 127.0.0.1 1 2\r\n",
                       b"\r\n\r\n\0\r\nQUIT\n!\x11\0\x0c\xcb\0\x71\x09\x7f\0\0\1\0\1\0\2"):
            with self.subTest(header[:5]):
                self.refused(header + lines(), 400)

    # --- 11, 12: bytes ------------------------------------------------------------------------

    def test_11_malformed_heads(self):
        good = lines()
        for bad in (good.replace(b"\r\n", b"\n"), good.replace(b"Host:", b"Host :"),
                    good.replace(b"Upgrade: w", b"Upgrade:\r\n w"), lines("X: a\0b"),
                    lines("X: a\rb"), lines("X\x80: a"), lines(": a"), lines("X"), lines("X Y: a"),
                    lines("X: a\x01b"), lines("X: a\x7fb"), lines(" X: folded"),
                    good.replace(b"\r\n\r\n", b"\r\n\n"), good.replace(b"\r\n", b"\r\r\n"),
                    lines(start="GET /net\xe9proxy HTTP/1.1"), lines(start="GET /a%zz HTTP/1.1"),
                    lines(start="GET /a%00b HTTP/1.1"), b"\r\n" + good):
            with self.subTest(bad[:60]):
                self.refused(bad, 400)

    def test_12_caps(self):
        self.refused(lines("X: " + "a" * (1 << 20)), 431)
        self.refused(lines(*["X%d: y" % i for i in range(10000)]), 431)
        self.refused(b"GET /" + b"a" * 20000, 431)
        self.refused(lines(*["X: y"] * 60), 431)
        self.assertEqual(self.upgraded(lines(*["X: y"] * 59)), 101)

    def test_12_one_byte_a_segment(self):
        with wsclient.Client(self.suite.address) as client:
            for byte in lines():
                client.send_raw(bytes([byte]))
            self.assertEqual(client.read_answer().status, 101)

    # --- what is no upgrade ------------------------------------------------------------------

    def test_14_ordinary_requests(self):
        def plain(start):
            return self.ask((start + "\r\nHost: 127.0.0.1\r\n\r\n").encode())
        health = plain("GET /health HTTP/1.1")
        self.assertEqual((health.status, health.body.strip()), (200, b"ok"))
        self.assertIsNone(health.header("server"))
        self.assertEqual(plain("GET / HTTP/1.1").status, 404)
        self.assertEqual(plain("GET /%68ealth HTTP/1.1").status, 404)
        self.assertEqual(plain("GET /netproxy HTTP/1.1").status, 426)
        preflight = plain("OPTIONS /netproxy HTTP/1.1")
        self.assertEqual(preflight.status, 204)
        self.assertEqual(preflight.header("access-control-allow-origin"), "*")

    def test_14_unknown_paths_are_no_sessions(self):
        for path in ("/", "/raw", "/raw/", "/raw/127.0.0.1", "/raw/127.0.0.1/", "/netproxy/x",
                     "/raw/127.0.0.1/80/x", "//netproxy", "/NETPROXY"):
            with self.subTest(path):
                self.refused(lines(start="GET %s HTTP/1.1" % path), 404)

    def test_14_a_client_that_leaves_in_the_middle(self):
        before = len(self.suite.records("session-end"))
        for cut in (0, 1, 40, len(lines()) - 1):
            sock = socket.create_connection(self.suite.address)
            sock.sendall(lines()[:cut])
            sock.close()
        self.suite.wait_record("session-end", count=before + 4)
        self.assertEqual(self.outcome(), (0, ""))


class Slow(suite.SuiteCase):
    """Case 13: the deadline is absolute, and the listener's."""

    rules = suite.policy(limits={"sessions_per_source": 400, "handshake_timeout": "3s"})
    COUNT = 120

    def test_13_slow_heads(self):
        began = time.monotonic()
        slow = [socket.create_connection(self.suite.address) for _ in range(self.COUNT)]
        ended = {}
        head = lines()

        def drip():
            left = set(slow)
            for at in range(40):
                for sock in list(left):
                    try:
                        sock.send(head[at:at + 1])
                        sock.setblocking(False)
                        if sock.recv(4096) == b"":
                            raise ConnectionResetError
                    except BlockingIOError:
                        continue
                    except OSError:
                        ended[sock] = time.monotonic() - began
                        left.discard(sock)
                if not left:
                    return
                time.sleep(0.5)

        dripping = threading.Thread(target=drip)
        dripping.start()
        honest = 0
        while dripping.is_alive():
            with self.suite.connect("/netproxy") as client:
                client.finish()
            honest += 1
            time.sleep(0.1)
        dripping.join()
        self.assertEqual(len(ended), self.COUNT)
        self.assertGreaterEqual(min(ended.values()), 2.9)
        self.assertLess(max(ended.values()), 15)
        self.assertGreater(honest, 5)
        self.suite.wait_record("session-end", count=self.COUNT, reason="handshake-timeout")
        for sock in slow:
            sock.close()

    def test_13_a_client_that_sends_nothing(self):
        with wsclient.Client(self.suite.address, timeout=15) as client:
            self.assertTrue(client.gone())


if __name__ == "__main__":
    sys.exit(tap.main())
