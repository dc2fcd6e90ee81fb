#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""TLS to the destination in the netproxy dialect, where port 443 is TLS."""

import base64
import json
import os
import socket
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import certs
import suite
import tap
import targets
from tlstalk import rules


def setUpModule():
    global box
    box = unittest.enterModuleContext(certs.Box())


class Netproxy:
    """A netproxy session."""

    def __init__(self, one):
        self.ws = one.connect("/netproxy")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ws.sock.close()

    def say(self, kind, **members):
        self.ws.send_text(json.dumps(dict(members, t=kind, id=1)))

    def hear(self):
        return json.loads(self.ws.recv()[1])

    def open(self, port=443, host=certs.NUMBER):
        self.say("open", host=host, port=port)
        return self.hear()


@tap.needs_root
class NetproxyPort(suite.SuiteCase):
    """Port 443, which is TLS in netproxy and takes root to listen on."""

    rules = rules(seconds=1)

    @classmethod
    def setUpClass(cls):
        cls.args = ("--trust", box.trust)
        super().setUpClass()

    def at_443(self, service=None, kind="good"):
        return certs.Serve(service or targets.Echo(), box.context(kind), address=certs.NUMBER,
                           port=443)

    def test_messages(self):
        with self.at_443() as target, Netproxy(self.suite) as talk:
            self.assertEqual(talk.open(), {"t": "opened", "id": 1})
            talk.say("write", b64="aGVsbG8=")
            self.assertEqual(talk.hear(), {"t": "data", "id": 1, "b64": "aGVsbG8="})
            talk.say("close")
            self.assertEqual(talk.hear(), {"t": "closed", "id": 1})
            self.assertTrue(target.wait_seen().wire.ended)

    def test_port_80_is_as_it_was(self):
        with targets.Echo(address=certs.NUMBER, port=80) as target, Netproxy(self.suite) as talk:
            self.assertEqual(talk.open(80)["t"], "opened")
            talk.say("write", b64="aGVsbG8=")
            self.assertEqual(talk.hear()["b64"], "aGVsbG8=")
            self.assertEqual(target.seen[0].head, b"hello")

    def test_failures(self):
        for kind, text in (("expired", "the destination's certificate has expired"),
                           ("other-host", "the destination's certificate is for another host")):
            with self.subTest(kind), self.at_443(kind=kind), Netproxy(self.suite) as talk:
                self.assertEqual(talk.open(), {"t": "error", "id": 1,
                                               "msg": "Connection failed: " + text})
                # the id is free again
                self.assertEqual(talk.open()["t"], "error")

    def test_a_server_that_never_answers(self):
        with targets.Target(targets.drain, address=certs.NUMBER, port=443), \
                Netproxy(self.suite) as talk:
            talk.say("open", host=certs.NUMBER, port=443)
            talk.say("write", b64="c2VjcmV0")
            self.assertEqual(talk.hear(), {"t": "error", "id": 1, "msg": "Connection timeout"})

    def test_truncation_is_no_end(self):
        def cut(wire, seen):
            wire.sendall(b"half of it")
            wire.sock.shutdown(socket.SHUT_WR)
            targets.drain(wire.sock, seen)
        with self.at_443(cut), Netproxy(self.suite) as talk:
            self.assertEqual(talk.open()["t"], "opened")
            self.assertEqual(base64.b64decode(talk.hear()["b64"]), b"half of it")
            self.assertEqual(talk.hear(), {
                "t": "error", "id": 1, "msg": "Connection failed: the destination broke off "
                                              "without ending TLS in order"})

    def test_an_end_in_order(self):
        with self.at_443(targets.Source(100000, 6)), Netproxy(self.suite) as talk:
            self.assertEqual(talk.open()["t"], "opened")
            data = b""
            while len(data) < 100000:
                data += base64.b64decode(talk.hear()["b64"])
            self.assertEqual(data, targets.pattern(6, 100000))
            self.assertEqual(talk.hear(), {"t": "closed", "id": 1})


if __name__ == "__main__":
    sys.exit(tap.main())
