#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Datagrams end to end, through the udp-relay dialect: cases 52, 53 and 108, as far as they
are of UDP; what is on record of them."""

import hashlib
import os
import socket
import struct
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import suite
import tap
import wsclient
from suite import to

UDP = [to("127.0.0.1:*", protocols=["udp"]), to("localhost:*", protocols=["udp"], private=True)]
RULES = suite.policy({"open": suite.grant(UDP, deny=[to("127.0.0.1:9", protocols=["udp"])], explain=True,
                                          limits={"channels": 8})},
                     dialects=["raw", "netproxy", "udp-relay"])


class Echo:
    """Answers each datagram with itself, and keeps who sent what."""

    def __init__(self, address="127.0.0.1", port=0):
        self.family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.sock = socket.socket(self.family, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.sock.bind((address, port))
        self.port = self.sock.getsockname()[1]
        self.seen = []
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            data, sender = self.sock.recvfrom(70000)
            if data == b"the end":
                return
            self.seen.append((sender, data))
            self.sock.sendto(data, sender)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with socket.socket(self.family, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"the end", self.sock.getsockname())
        self.thread.join(10)
        self.sock.close()


def packet(source, destination, payload):
    return struct.pack(">BHHH", 1, source, 0, destination) + payload


def parts(message):
    kind, source, zero, destination = struct.unpack(">BHHH", message[:7])
    assert (kind, zero) == (1, 0), message[:7]
    return source, destination, message[7:]


class Datagrams(suite.SuiteCase):
    seconds = 90
    rules = RULES

    def relay(self, host="127.0.0.1"):
        return self.suite.connect("/udp-relay/" + host)

    def ask(self, client, source, destination, payload):
        client.send(packet(source, destination, payload))
        return parts(client.recv()[1])

    def test_there_and_back(self):
        # Whichever address of localhost comes first.
        with Echo() as echo, Echo("::1", echo.port), self.relay() as client, \
                self.relay("localhost") as named:
            for peer in (client, named):
                for payload in (b"", b"x", bytes(1472), os.urandom(9000), os.urandom(65507)):
                    self.assertEqual(self.ask(peer, 5029, echo.port, payload),
                                     (echo.port, 5029, payload))

    def test_one_near_port_for_one_port_of_the_guest(self):
        with Echo() as one, Echo() as two, self.relay() as client:
            for port, echo in ((1000, one), (1000, two), (2000, one)):
                self.assertEqual(self.ask(client, port, echo.port, b"%d" % port),
                                 (echo.port, port, b"%d" % port))
            self.assertEqual(one.seen[0][0], two.seen[0][0])
            self.assertNotEqual(one.seen[0][0], one.seen[1][0])

    def test_only_the_peer_is_heard(self):
        with Echo() as echo, self.relay() as client, \
                socket.socket(type=socket.SOCK_DGRAM) as stranger:
            self.ask(client, 7, echo.port, b"hello")
            for _ in range(20):
                stranger.sendto(b"let me in", echo.seen[0][0])
            self.assertEqual(self.ask(client, 7, echo.port, b"again"), (echo.port, 7, b"again"))

    def test_order_and_bytes(self):
        with Echo() as echo, self.relay() as client:
            sent, got = hashlib.sha256(), hashlib.sha256()
            for number in range(300):
                payload = struct.pack(">I", number) + os.urandom(number * 4)
                sent.update(payload)
                got.update(self.ask(client, 9999, echo.port, payload)[2])
            self.assertEqual(sent.digest(), got.digest())

    def test_108_what_the_policy_denies(self):
        with self.relay() as client:
            client.send(packet(1, 9, b"discard"))
            code, reason = client.recv_close()
            self.assertEqual((code, reason.split(":")[0]), (4003, "rule-denies"))
        for host, port, why in (("10.0.0.1", 5000, "no-rule"), ("127.0.0.1", 53, "port-closed")):
            with self.subTest(host), self.relay(host) as client:
                client.send(packet(1, port, b"x"))
                self.assertEqual(client.recv_close()[1].split(":")[0], why)
        refused = self.suite.wait_record("refused", reason="port-closed")
        self.assertEqual((refused["protocol"], refused["dialect"]), ("udp", "udp-relay"))

    def test_no_tcp_by_a_rule_for_udp(self):
        with self.suite.connect("/raw/127.0.0.1/5000") as client:
            self.assertEqual(client.recv_close()[1].split(":")[0], "no-rule")

    def test_what_is_on_record(self):
        with Echo() as echo, self.relay() as client:
            self.ask(client, 77, echo.port, b"12345")
            near = echo.seen[0][0][1]
            client.finish()
        end = self.suite.wait_record("stream-end", local_port=near)
        self.assertEqual((end["protocol"], end["peer"], end["peer_port"], end["claimed_up"],
                          end["claimed_down"]), ("udp", "127.0.0.1", echo.port, 5, 5))
        self.assertNotIn("bytes_up", end)
        granted = self.suite.wait_record("granted", local_port=near)
        self.assertEqual(granted["rule"], "127.0.0.1:*")

    def test_a_minute_has_its_limit(self):
        """Both ways together; what is beyond it is dropped, and the stream lives on."""
        with self.limited() as one, Echo() as echo:
            with one.connect("/udp-relay/127.0.0.1") as client:
                for data in (b"1", b"22", b"333"):
                    self.assertEqual(self.ask(client, 77, echo.port, data)[2], data)
                client.send(packet(77, echo.port, b"beyond"))
                client.send(packet(77, echo.port, b"beyond"))
                client.finish()
            end = one.wait_record("stream-end", protocol="udp")
            self.assertEqual(len(echo.seen), 3)
        self.assertEqual({key: end[key] for key in end if key.startswith("claimed_")}, {
            "claimed_reason": "client-closed", "claimed_up": 6, "claimed_down": 6, "claimed_datagrams_up": 3,
            "claimed_datagrams_down": 3, "claimed_dropped": 2})

    def limited(self):
        return suite.Suite(suite.policy({"open": suite.grant(
            [suite.to("127.0.0.1:*", ["udp"])], limits={"datagrams_per_minute": 6})},
            dialects=["udp-relay"]))

    def test_text_is_a_violation(self):
        with self.relay() as client:
            client.send_text("hello")
            self.assertEqual(client.recv_close()[0], 1003)

    def test_what_is_no_path(self):
        for path in ("/udp-relay", "/udp-relay/", "/udp-relay/a/b"):
            with self.subTest(path), self.assertRaises(wsclient.Refused) as refused:
                self.suite.connect(path)
            self.assertEqual(refused.exception.answer.status, 404)


if __name__ == "__main__":
    sys.exit(tap.main())
