#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Connections from outside into a session: `bind' of wasmnet, through all of the suite."""

import os
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import suite  # noqa: E402
import tap  # noqa: E402
import targets  # noqa: E402
from test_wasmnet import Talk  # noqa: E402

FRAMINGS = (False, True)  # binary?
ACCEPTS = 1000000         # ids of connections: the listener's times this, and 1 more with each


def free_range(n):
    """The first of n ports in a row of which none is taken now."""
    for _ in range(100):
        with socket.create_server(("127.0.0.1", 0)) as one:
            low = one.getsockname()[1]
        try:
            for port in range(low, low + n):
                socket.create_server(("127.0.0.1", port)).close()
            return low
        except (OSError, OverflowError):
            continue
    raise AssertionError("no free ports")


LOW = free_range(4)
HIGH = LOW + 3


class Inbound(suite.SuiteCase):
    rules = suite.policy({"open": suite.grant(
        [suite.to("127.0.0.1:*")], limits={"channels": 40, "connects_per_minute": 0},
        listen={"address": "127.0.0.1", "ports": "%d-%d" % (LOW, HIGH),
                "from": ["127.0.0.1/32", "127.0.0.2/32"], "most": 3})}, dialects=["wasmnet"])

    def bind(self, talk, id, port=0, addr="0.0.0.0"):
        answer = talk.ask("bind", id, addr=addr, port=port)
        self.assertEqual((answer["ev"], answer["id"]), ("listening", id), answer)
        self.assertEqual(talk.ask("listen", id), {"ev": "listening", "id": id, "port": 0})
        return answer["port"]

    def come(self, port, source="127.0.0.1"):
        client = socket.create_connection(("127.0.0.1", port), 10, source_address=(source, 0))
        client.settimeout(10)
        self.addCleanup(client.close)
        return client

    def accepted(self, talk, client, id, n=1):
        self.assertEqual(talk.hear(), {"ev": "accepted", "id": id, "conn_id": id * ACCEPTS + n,
                                       "remote": "%s:%d" % client.getsockname()})
        return id * ACCEPTS + n

    def test_a_server_in_the_page(self):
        for binary in FRAMINGS:
            with self.subTest(binary=binary), Talk(self.suite, binary) as talk:
                port = self.bind(talk, 7)
                self.assertTrue(LOW <= port <= HIGH, port)
                first = self.come(port)
                one = self.accepted(talk, first, 7)
                second = self.come(port, "127.0.0.2")
                two = self.accepted(talk, second, 7, 2)
                second.sendall(b"to two")
                self.assertEqual(talk.read(two, 6), b"to two")
                big = targets.pattern(binary, 300000)
                first.sendall(big)
                self.assertEqual(talk.read(one, len(big)), big)
                talk.say("send", one, data=b"from one")
                self.assertEqual(first.recv(64), b"from one")
                talk.say("close", one)
                self.assertEqual(first.recv(64), b"")
                first.close()
                self.assertEqual(talk.hear(), {"ev": "closed", "id": one})
                second.close()
                self.assertEqual(talk.hear(), {"ev": "closed", "id": two})
                self.assertEqual(talk.ask("close", 7), {"ev": "closed", "id": 7})
                self.free_again(talk, port)

    def free_again(self, talk, port):
        """The port is given back: soon, as END is on its way to the broker."""
        for _ in range(100):
            answer = talk.ask("bind", 8, addr="127.0.0.1", port=port)
            if answer["ev"] == "listening":
                return
            self.assertEqual(answer["msg"], "bind failed: the port is in use")
            time.sleep(0.05)
        self.fail("the port stays taken")

    def test_what_was_sent_at_once_comes_first(self):
        """Lost by the original: bytes before the program has heard of the connection."""
        with Talk(self.suite) as talk:
            port = self.bind(talk, 1)
            client = self.come(port)
            client.sendall(b"first words")
            client.shutdown(socket.SHUT_WR)
            one = self.accepted(talk, client, 1)
            self.assertEqual(talk.read(one, 11), b"first words")
            self.assertEqual(talk.hear(), {"ev": "closed", "id": one})

    def test_refusals(self):
        """Where the grant does not listen, in the original's words."""
        with Talk(self.suite) as talk:
            denied = {"ev": "denied", "id": 1}
            for port, addr in ((HIGH + 1, "0.0.0.0"), (80, "127.0.0.1"), (LOW, "192.0.2.1"),
                               (LOW, "::1")):
                self.assertEqual(talk.ask("bind", 1, addr=addr, port=port), dict(
                    denied, msg="port %d not in allowed bind range" % port), addr)
            for id in (2, 3, 4):
                self.bind(talk, id)
            self.assertEqual(talk.ask("bind", 5, addr="0.0.0.0", port=0),
                             {"ev": "error", "id": 5, "msg": "max connections reached"})
        for reason, count in (("no-rule", 4), ("channels-limit", 1)):
            which = {"protocol": "listen", "reason": reason}
            self.suite.wait_record("refused", count, **which)
            self.assertEqual(len(self.suite.records("refused", **which)), count, reason)

    def test_a_port_has_one_listener(self):
        """Also one that another session has."""
        with Talk(self.suite) as talk, Talk(self.suite) as other:
            port = self.bind(talk, 1)
            self.assertEqual(other.ask("bind", 1, addr="127.0.0.1", port=port), {
                "ev": "error", "id": 1, "msg": "bind failed: the port is in use"})
            self.assertNotEqual(self.bind(other, 2), port)

    def test_who_may_not_come(self):
        with Talk(self.suite) as talk:
            port = self.bind(talk, 1)
            stranger = self.come(port, "127.0.0.3")
            self.assertEqual(stranger.recv(1), b"")
            friend = self.come(port)
            self.accepted(talk, friend, 1)  # and nothing was said of the other
            refused = self.suite.wait_record("refused", protocol="inbound")
            self.assertEqual((refused["reason"], refused["peer"], refused["local_port"]),
                             ("no-rule", "127.0.0.3", port))

    def test_on_record(self):
        with Talk(self.suite) as talk:
            port = self.bind(talk, 1)
            client = self.come(port)
            one = self.accepted(talk, client, 1)
            client.sendall(b"12345")
            self.assertEqual(talk.read(one, 5), b"12345")
            talk.say("send", one, data=b"123")
            self.assertEqual(client.recv(8), b"123")
            client.close()
            self.assertEqual(talk.hear(), {"ev": "closed", "id": one})
            talk.say("close", one)
            session = self.suite.records("granted", local_port=port)[-1]["session"]
            end = self.suite.wait_record("stream-end", session=session, protocol="inbound")
        self.assertEqual((end["bytes_up"], end["bytes_down"]), (3, 5))
        self.assertEqual((end["rule"], end["local"], end["local_port"], end["reason"]),
                         ("from 127.0.0.1/32", "127.0.0.1", port, "peer-closed"))
        self.assertNotIn("host", end)
        end = self.suite.wait_record("stream-end", session=session, protocol="listen")
        self.assertEqual((end["rule"], end["local"], end["local_port"]),
                         ("listen 127.0.0.1:%d-%d" % (LOW, HIGH), "127.0.0.1", port))
        self.assertNotIn("peer", end)
        self.assertNotIn("bytes_up", end)

    def test_a_crowd_comes_whole(self):
        with Talk(self.suite, True) as talk:
            port = self.bind(talk, 1)
            clients = [self.come(port) for _ in range(36)]
            seen = {}
            for _ in clients:
                event = talk.hear()
                self.assertEqual(event["ev"], "accepted")
                seen[event["remote"]] = event["conn_id"]
            self.assertEqual(set(seen), {"%s:%d" % c.getsockname() for c in clients})
            for client in clients:
                id = seen["%s:%d" % client.getsockname()]
                talk.say("send", id, data=b"%d" % id)
                self.assertEqual(client.recv(64), b"%d" % id)


if __name__ == "__main__":
    sys.exit(tap.main())
