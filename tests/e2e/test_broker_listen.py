#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The broker alone: what listens, and who comes in."""

import os
import select
import signal
import socket
import struct
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import brokerbox  # noqa: E402
import suite  # noqa: E402
import tap  # noqa: E402
from brokerbox import LISTEN, open_raw, receive_fd  # noqa: E402
from ipcwire import REASONS, REASON_WORDS, number_of  # noqa: E402

TAG = 77
LISTEN_BIT, INBOUND_BIT = 8, 16


def free_range(n=8):
    """The first of n ports in a row of which none is taken now."""
    for _ in range(100):
        with socket.create_server(("127.0.0.1", 0)) as one:
            low = one.getsockname()[1]
        try:
            for port in range(low, min(low + n, 65536)):
                socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        if low + n < 65536:
            return low
    raise AssertionError("no free ports")


def policy(low, high, sources=("127.0.0.0/8",), most=2, address="127.0.0.1", **limits):
    grant = suite.grant(allow=[suite.to("127.0.0.1:*")],
                        limits=dict({"sessions": 100, "channels": 64}, **limits))
    if address:
        ports = "%d-%d" % (low, high) if low < high else str(low)
        grant["listen"] = {"address": address, "ports": ports,
                           "from": list(sources), "most": most}
    return {"version": 1, "hosts": ["127.0.0.1"], "dialects": ["raw"], "grants": {"demo": grant}}


class Listen(unittest.TestCase):
    seconds = 120

    def setUp(self):
        self.low = free_range()

    def answer(self, b, session):
        """(name, fields, descriptors) of the next message to a worker."""
        channel = b.ends[session]
        b.pump(until=lambda: select.select([channel], [], [], 0)[0], watch=channel)
        message, fds = receive_fd(channel)
        return brokerbox.names()[struct.unpack_from("=I", message)[0]], message, fds

    def ask(self, b, session, port, tag=TAG, host="127.0.0.1", **more):
        b.ends[session].send(open_raw(brokerbox.number(host, port), b"", tag, kind=LISTEN, **more))
        name, message, fds = self.answer(b, session)
        self.assertEqual(fds, [], "what listens never leaves")
        number, stream = struct.unpack_from("=II", message, 4)
        self.assertEqual(number, tag)
        return name, REASON_WORDS.get(stream) if name == "REFUSED" else stream

    def listening(self, b, session, port, tag=TAG):
        name, stream = self.ask(b, session, port, tag)
        self.assertEqual(name, "LISTENING")
        return stream

    def come(self, port, source="127.0.0.1"):
        client = socket.create_connection(("127.0.0.1", port), 10, source_address=(source, 0))
        self.addCleanup(client.close)
        return client

    def taken(self, b, session, tag=TAG):
        """The next connection: (id, socket)."""
        name, message, fds = self.answer(b, session)
        self.assertEqual((name, len(fds)), ("OPENED", 1))
        self.assertEqual(struct.unpack_from("=I", message, 4)[0], tag)
        server = socket.socket(fileno=fds[0])
        self.addCleanup(server.close)
        server.settimeout(10)
        return struct.unpack_from("=I", message, 8)[0], server

    def refusals(self, b, session):
        return [r["reason"] for r in b.of(session, "refused")]

    def test_a_connection_comes_in(self):
        with brokerbox.Broker(policy(self.low, self.low + 7)) as b:
            session = b.session()
            listener = self.listening(b, session, self.low + 3)
            granted = b.of(session, "granted")[0]
            self.assertEqual((granted["protocol"], granted["stream"]), (LISTEN_BIT, listener))
            self.assertEqual(granted["rule"], "listen 127.0.0.1:%d-%d" % (self.low, self.low + 7))
            self.assertEqual(granted["peer"][:2], (4, self.low + 3))
            client = self.come(self.low + 3)
            stream, server = self.taken(b, session)
            self.assertNotEqual(stream, listener)
            self.assertEqual(server.getpeername(), client.getsockname())
            record = b.of(session, "granted")[1]
            self.assertEqual((record["protocol"], record["stream"], record["rule"]),
                             (INBOUND_BIT, stream, "from 127.0.0.0/8"))
            self.assertEqual(record["peer"][:2], (4, client.getsockname()[1]))
            self.assertEqual(record["local"][:2], (4, self.low + 3))
            client.sendall(b"inwards")
            self.assertEqual(server.recv(64), b"inwards")
            server.sendall(b"outwards!")
            self.assertEqual(client.recv(64), b"outwards!")

            # the listener goes; what it brought stays, and ends with the kernel's counts
            b.ends[session].send(brokerbox.end(listener))
            b.pump(until=lambda: b.of(session, "stream-end"))
            with self.assertRaises(ConnectionRefusedError):
                self.come(self.low + 3)
            client.sendall(b"still")
            self.assertEqual(server.recv(64), b"still")
            client.close()
            server.close()
            b.ends[session].send(brokerbox.end(stream))
            b.pump(until=lambda: len(b.of(session, "stream-end")) == 2)
            ends = b.of(session, "stream-end")
            self.assertEqual([r["protocol"] for r in ends], [LISTEN_BIT, INBOUND_BIT])
            self.assertEqual((ends[1]["bytes_up"], ends[1]["bytes_down"]), (9, 12))

    def test_105_who_may_come(self):
        """The peer is judged; who may not come is on record, and uses up nothing."""
        rules = policy(self.low, self.low, ["127.0.0.2/32"], connects_per_minute=2, channels=2)
        with brokerbox.Broker(rules) as b:
            session = b.session()
            self.listening(b, session, self.low)
            for n in range(1, 6):
                client = self.come(self.low)
                self.assertEqual(client.recv(1), b"")
                b.pump(until=lambda: len(b.of(session, "refused")) == n)
            self.assertEqual(set(self.refusals(b, session)), {"no-rule"})
            self.assertEqual(b.of(session, "refused")[0]["protocol"], INBOUND_BIT)
            self.come(self.low, "127.0.0.2")
            self.taken(b, session)  # and the worker was told of no other
            self.assertEqual(self.come(self.low, "127.0.0.2").recv(1), b"")
            b.pump(until=lambda: len(b.of(session, "refused")) == 6)
            self.assertEqual(self.refusals(b, session)[-1], "channels-limit")

    def test_105_a_range_of_all_opens_no_special_block(self):
        with brokerbox.Broker(policy(self.low, self.low, ["0.0.0.0/0", "::/0"])) as b:
            session = b.session()
            self.listening(b, session, self.low)
            self.assertEqual(self.come(self.low).recv(1), b"")
            b.pump(until=lambda: b.of(session, "refused"))
            refused = b.of(session, "refused")[0]
            self.assertEqual((refused["reason"], refused["rule"]), ("special-address", "loopback"))

    def test_ipv6(self):
        with brokerbox.Broker(policy(self.low, self.low + 1, ["::1/128"], address="::1")) as b:
            session = b.session()
            name, _ = self.ask(b, session, self.low, host="::1")
            self.assertEqual(name, "LISTENING")
            client = socket.create_connection(("::1", self.low), 10)
            self.addCleanup(client.close)
            _, server = self.taken(b, session)
            self.assertEqual(server.getpeername(), client.getsockname())
            self.assertEqual([r["rule"] for r in b.of(session, "granted")],
                             ["listen [::1]:%d-%d" % (self.low, self.low + 1), "from ::1/128"])

    def test_105_what_is_denied_wholly_may_not_come(self):
        rules = policy(self.low, self.low)
        rules["grants"]["demo"]["deny"] = [{"to": "127.0.0.2:*"}, {"to": "127.0.0.3:80"}]
        with brokerbox.Broker(rules) as b:
            session = b.session()
            self.listening(b, session, self.low)
            self.assertEqual(self.come(self.low, "127.0.0.2").recv(1), b"")
            b.pump(until=lambda: b.of(session, "refused"))
            refused = b.of(session, "refused")[0]
            self.assertEqual((refused["reason"], refused["rule"]), ("rule-denies", "127.0.0.2:*"))
            self.come(self.low, "127.0.0.3")  # that rule speaks of destinations
            self.taken(b, session)

    def test_connects_are_limited(self):
        with brokerbox.Broker(policy(self.low, self.low, connects_per_minute=3)) as b:
            session = b.session()
            self.listening(b, session, self.low)
            for _ in range(2):
                self.come(self.low)
                self.taken(b, session)
            self.assertEqual(self.come(self.low).recv(1), b"")
            b.pump(until=lambda: b.of(session, "refused"))
            self.assertEqual(self.refusals(b, session), ["connects-limit"])

    def test_105_where_nobody_listens(self):
        taken = socket.create_server(("127.0.0.1", self.low + 1))
        self.addCleanup(taken.close)
        with brokerbox.Broker(policy(self.low, self.low + 2)) as b:
            session = b.session()
            for port, host, reason in ((self.low + 3, "127.0.0.1", "no-rule"),
                                       (self.low - 1, "127.0.0.1", "no-rule"),
                                       (self.low, "127.0.0.2", "no-rule"),
                                       (self.low, "0.0.0.0", "no-rule"),
                                       (self.low, "::1", "no-rule"),
                                       (0, "127.0.0.1", "port-closed")):
                self.assertEqual(self.ask(b, session, port, host=host), ("REFUSED", reason), host)
            b.ends[session].send(open_raw(brokerbox.number("127.0.0.1", self.low + 1), b"", TAG,
                                          kind=LISTEN))
            _, message, _ = self.answer(b, session)
            self.assertEqual(struct.unpack_from("=I", message, 8)[0], 1024 + 98)  # EADDRINUSE
            self.listening(b, session, self.low, 1)
            self.listening(b, session, self.low + 2, 2)
            self.assertEqual(self.ask(b, session, self.low + 2, 3), ("REFUSED", "channels-limit"))
            b.pump(until=lambda: len(b.of(session, "refused")) == 8)

    def test_what_is_no_request_to_listen(self):
        near = brokerbox.number("127.0.0.1", self.low)
        wrong = [open_raw(near, b"localhost", kind=LISTEN),
                 open_raw(brokerbox.number("", self.low), b"", kind=LISTEN),
                 open_raw(near, b"", protocol=0, kind=LISTEN),
                 open_raw(near, b"", protocol=LISTEN_BIT),
                 open_raw(near, b"", protocol=INBOUND_BIT),
                 open_raw(near, b"a.test", protocol=INBOUND_BIT | 1)]
        with brokerbox.Broker(policy(self.low, self.low)) as b:
            for message in wrong:
                session = b.session()
                b.ends[session].send(message)
                b.pump(until=lambda: session in b.killed)
                b.finish(session)
                self.assertEqual(b.of(session, "session-end")[0]["reason"], "protocol-violation")

    def test_a_grant_without_listen(self):
        with brokerbox.Broker(policy(0, 0, address=None)) as b:
            session = b.session()
            self.assertEqual(self.ask(b, session, self.low), ("REFUSED", "no-rule"))
            # and what rules let out lets nobody listen, nor what listens lets out
            self.assertTrue(b.alive(session))
        with brokerbox.Broker(policy(self.low, self.low, ["203.0.113.0/24"])) as b:
            session = b.session()
            b.ends[session].send(brokerbox.open_("203.0.113.9", 80))
            self.assertEqual(self.answer(b, session)[0], "REFUSED")
            self.assertEqual(self.refusals(b, session), ["no-rule"])
            # nor does RESOLVE answer for all names because a range may come
            b.ends[session].send(open_raw(brokerbox.number("", 0), b"any.test", 7, protocol=0,
                                          kind=brokerbox.RESOLVE))
            self.assertEqual(self.answer(b, session)[0], "REFUSED")

    def test_105_a_crowd(self):
        """More than are taken at once: all come, in time."""
        with brokerbox.Broker(policy(self.low, self.low, connects_per_minute=0)) as b:
            session = b.session()
            self.listening(b, session, self.low)
            clients = [self.come(self.low) for _ in range(45)]
            ports = {self.taken(b, session)[1].getpeername()[1] for _ in range(45)}
            self.assertEqual(ports, {client.getsockname()[1] for client in clients})

    def test_a_new_policy_holds(self):
        with brokerbox.Broker(policy(self.low, self.low)) as b:
            session = b.session()
            self.listening(b, session, self.low)
            b.reload(policy(self.low, self.low, ["127.0.0.9/32"]))
            self.assertEqual(self.come(self.low).recv(1), b"")
            b.pump(until=lambda: b.of(session, "refused"))
            self.assertEqual(self.refusals(b, session), ["no-rule"])
            self.come(self.low, "127.0.0.9")
            self.taken(b, session)

    def test_it_ends_with_its_session(self):
        with brokerbox.Broker(policy(self.low, self.low)) as b:
            before = b.fds()
            session = b.session()
            self.listening(b, session, self.low)
            client = self.come(self.low)
            _, server = self.taken(b, session)
            server.close()
            b.finish(session)
            with self.assertRaises(ConnectionRefusedError):
                self.come(self.low)
            self.assertIn(self.ended(client), (b"", None))
            self.assertEqual(len(b.of(session, "stream-end")), 2)
            self.assertEqual(b.fds(), before)
            again = b.session()  # and the port is free for the next one at once
            self.listening(b, again, self.low)

    def ended(self, client):
        try:
            return client.recv(1)
        except ConnectionResetError:
            return None

    def test_none_without_a_record(self):
        """While the auditor stores nothing, nobody is told of a connection."""
        with brokerbox.Broker(policy(self.low, self.low)) as b:
            session = b.session()
            self.listening(b, session, self.low)
            b.store = False
            self.come(self.low)
            b.pump(until=lambda: len(b.of(session, "granted")) == 2)
            self.assertEqual(select.select([b.ends[session]], [], [], 0)[0], [])
            b.store = True
            b.store_all()
            self.taken(b, session)

    def test_a_new_policy_holds_for_the_near_end(self):
        """Nobody comes in where the grant listens no more."""
        with brokerbox.Broker(policy(self.low, self.low)) as b:
            session = b.session()
            self.listening(b, session, self.low)
            b.reload(policy(self.low + 1, self.low + 1))
            self.assertEqual(self.come(self.low).recv(1), b"")
            b.pump(until=lambda: b.of(session, "refused"))
            self.assertEqual(self.refusals(b, session), ["no-rule"])

    def test_who_comes_before_the_record_waits(self):
        """What listens is not heard before it is on record, and not ended by who comes."""
        with brokerbox.Broker(policy(self.low, self.low)) as b:
            session = b.session()
            b.store = False
            b.ends[session].send(open_raw(brokerbox.number("127.0.0.1", self.low), b"", TAG,
                                          kind=LISTEN))
            b.pump(until=lambda: b.of(session, "granted"))
            client = self.come(self.low)
            # a refusal at its pace: several ticks later
            b.ends[session].send(brokerbox.open_("203.0.113.9", 80, 5))
            name, message, _ = self.answer(b, session)
            self.assertEqual((name, struct.unpack_from("=I", message, 4)[0]), ("REFUSED", 5))
            b.store = True
            b.store_all()
            self.assertEqual(self.answer(b, session)[0], "LISTENING")
            self.assertEqual(self.taken(b, session)[1].getpeername(), client.getsockname())

    def test_105_who_is_gone_already_is_known(self):
        """One that resets before it is taken is on record with its address all the same."""
        with brokerbox.Broker(policy(self.low, self.low, ["127.0.0.2/32"])) as b:
            session = b.session()
            self.listening(b, session, self.low)
            b.process.send_signal(signal.SIGSTOP)
            client = self.come(self.low, "127.0.0.3")
            port = client.getsockname()[1]
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
            b.process.send_signal(signal.SIGCONT)
            b.pump(until=lambda: b.of(session, "refused"))
            refused = b.of(session, "refused")[0]
            self.assertEqual(refused["reason"], "no-rule")
            self.assertEqual(refused["peer"][:2], (4, port))
            self.assertEqual(refused["peer"][2][:4], bytes([127, 0, 0, 3]))

    def test_a_failed_dial_has_no_near_end(self):
        with brokerbox.Broker(policy(self.low, self.low)) as b:
            session = b.session()
            b.ends[session].send(brokerbox.open_("127.0.0.1", self.low))
            b.pump(until=lambda: b.of(session, "refused"))
            refused = b.of(session, "refused")[0]
            self.assertEqual((refused["reason"], refused["local"][:2]), ("peer-refused", (0, 0)))

    def test_a_stop_ends_it(self):
        with brokerbox.Broker(policy(self.low, self.low)) as b:
            session = b.session()
            self.listening(b, session, self.low)
            b.listener.send(struct.pack("=IIQII", number_of("STOP"), REASONS["killed"], session,
                                        60000, 0))
            self.assertEqual(self.answer(b, session)[0], "DRAIN")
            self.assertEqual(self.come(self.low).recv(1), b"")
            b.pump(until=lambda: b.of(session, "refused"))
            self.assertEqual(self.refusals(b, session), ["draining"])


if __name__ == "__main__":
    sys.exit(tap.main())
