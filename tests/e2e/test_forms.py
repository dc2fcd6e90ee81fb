#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The other forms of one stream a session: raw by query, with commands, with datagrams;
and wsproxy."""

import base64
import os
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import suite
import tap
import targets
import wsclient
from suite import to

BOTH = ("tcp", "udp")
EXPLAINED = "tell-me-why-0123456789"
TARGETS = [to("127.0.0.1:*", BOTH), to("[::1]:*"), to("localhost:*", private=True)]
RULES = suite.policy({
    "open": suite.grant(TARGETS, deny=[to("*:9")]),
    "explains": suite.grant(TARGETS, deny=[to("*:9")], explain=True, auth=suite.tokens(EXPLAINED)),
}, dialects=["raw", "wisp"])
PORT = b"\xff\xff\xff\xffport\x6d\x38"


class Datagrams:
    """Answers each datagram with itself."""

    def __enter__(self):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        threading.Thread(target=self.loop, daemon=True).start()
        return self

    def loop(self):
        while True:
            data, peer = self.sock.recvfrom(65536)
            if data == b"the end":
                return
            self.sock.sendto(data, peer)

    def __exit__(self, *_):
        self.sock.sendto(b"the end", ("127.0.0.1", self.port))


class Forms(suite.SuiteCase):
    rules = RULES
    seconds = 120

    def record(self, dialect):
        record = self.suite.wait_record("authenticated", dialect=dialect)
        self.assertEqual(record["dialect"], dialect)

    def echoes(self, path, data=b"hello", before=b"", **how):
        with self.suite.connect(path, **how) as client:
            client.send(before + data)
            self.assertEqual(client.recv_bytes(len(data)), data)
            client.close(1000)

    def test_where_the_destination_stands(self):
        with targets.Echo() as target, targets.Echo(address="::1") as other:
            for path in ("/wsproxy/127.0.0.1:%d", "/wsproxy/localhost:%d",
                         "/wsproxy/?token=%s&/127.0.0.1:%%d" % EXPLAINED,
                         "/raw?address=127.0.0.1:%d", "/raw/?address=127.0.0.1%%3A%d&eof=message",
                         "/raw/127.0.0.1/%d?emscripten=tcp"):
                with self.subTest(path):
                    self.echoes(path % target.port)
            for path in ("/wsproxy/::1:%d", "/wsproxy/[::1]:%d", "/raw?address=[::1]:%d"):
                with self.subTest(path):
                    self.echoes(path % other.port)
        self.record("wisp")
        self.record("raw")

    def test_51_what_is_no_destination(self):
        for path in ("/raw", "/raw?address=127.0.0.1", "/raw?address=:80", "/raw?host=127.0.0.1",
                     "/wsproxy", "/wsproxy/127.0.0.1", "/wsproxy/127.0.0.1:80/", "/wsproxy/?/",
                     "/raw?host=127.0.0.1&port=80&host=127.0.0.2"):
            with self.subTest(path), wsclient.Client(self.suite.address) as client:
                client.send_raw(client.request(path))
                self.assertEqual(client.read_answer().status, 404)

    def test_51_bytes_that_no_host_has(self):
        for path in ("/wsproxy/127.1:80", "/wsproxy/h%0Ax:80", "/raw?address=0x7f000001:80",
                     "/raw?address=127.0.0.1%2f:80"):
            with self.subTest(path), wsclient.Client(self.suite.address) as client:
                client.send_raw(client.request(path))
                answer = client.read_answer()
                if "%0A" in path:
                    self.assertEqual(answer.status, 400)
                else:
                    self.assertEqual(client.recv_close()[0], 4004)

    def test_wsproxy_subprotocol(self):
        token = "auth." + base64.urlsafe_b64encode(EXPLAINED.encode()).decode().rstrip("=")
        with targets.Echo() as target:
            for offered, chosen in (((), None), (("any", "binary"), "any"), ((token, "x"), "x")):
                with self.subTest(offered), self.suite.connect(
                        "/wsproxy/127.0.0.1:%d" % target.port, protocols=offered) as client:
                    self.assertEqual(client.answer.header("sec-websocket-protocol"), chosen)

    def test_wsproxy_ends(self):
        data = targets.pattern(3, 300000)
        with targets.Source(len(data), seed=3) as target, \
                self.suite.connect("/wsproxy/127.0.0.1:%d" % target.port) as client:
            self.assertEqual(client.recv_bytes(len(data)), data)
            self.assertEqual(client.recv_close()[0], 1000)
        with targets.Sink() as target, \
                self.suite.connect("/wsproxy/127.0.0.1:%d" % target.port) as client:
            client.send(b"")
            client.send(b"after an empty message")
            client.close(1000)
            self.assertEqual(target.wait_seen().head, b"after an empty message")
            self.assertTrue(target.seen[0].eof)

    def test_refusals(self):
        for path, why, quiet in (("/wsproxy/127.0.0.1:9", 4003, 4004),
                                 ("/raw?address=127.0.0.1:9", 4003, 4004),
                                 ("/raw?host=127.0.0.1&port=9", 3000, 3000)):
            for query, code, word in (("", quiet, "unavailable"),
                                      ("token=" + EXPLAINED, why, "rule-denies")):
                separator = "?" if "?" not in path else "&"
                with self.subTest(path + query), self.suite.connect(
                        path + (separator + query if query else "")) as client:
                    if code == 3000:
                        self.assertEqual(client.recv(), (wsclient.BINARY, b""))
                    got = client.recv_close()
                    self.assertEqual(got[0], code)
                    self.assertIn(word, str(got[1]))

    def test_commands(self):
        with targets.Echo() as target:
            path = "/raw/?host=127.0.0.1&port=%d" % target.port
            self.echoes(path, before=b"\x01")
            with self.suite.connect(path, protocols=["binary"]) as client:
                client.send(b"\x02\x06\x01\x01")
                client.send(b"\x02\x01\x09\x01")
                client.send(b"\x01\x02two")
                self.assertEqual(client.recv_bytes(4), b"\x02two")
                client.send(b"\x05")
                self.assertEqual(client.recv_close()[0], 1002)
            self.assertEqual([seen.received for seen in target.seen], [5, 4])

    def test_datagrams(self):
        with Datagrams() as target:
            path = "/raw/127.0.0.1/%d?emscripten=udp" % target.port
            with self.suite.connect(path, protocols=["binary"]) as client:
                client.send(PORT)
                for data in (b"x", b"two\n", os.urandom(1472), PORT):
                    client.send(data)
                    self.assertEqual(client.recv(), (wsclient.BINARY, data))
                client.close(1000)
            end = self.suite.wait_record("stream-end", protocol="udp")
            self.assertEqual(end["claimed_up"], 1 + 4 + 1472 + 10)
            self.assertEqual(end["claimed_down"], end["claimed_up"])


if __name__ == "__main__":
    sys.exit(tap.main())
