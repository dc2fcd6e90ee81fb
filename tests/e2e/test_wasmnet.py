#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The wasmnet dialect, in both of its framings, against the real programs."""

import base64
import contextlib
import json
import os
import socket
import struct
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import netns
import suite
import tap
import targets
import wsclient
from suite import to

BOTH = ("tcp", "udp")
TARGETS = [to("127.0.0.1:*", BOTH), to("[::1]:*", BOTH), to("localhost:*", BOTH, private=True)]
DIALECTS = ["raw", "wasmnet"]
FRAMINGS = (False, True)  # binary?

OPS = {"connect": 1, "bind": 2, "listen": 3, "send": 4, "close": 5, "connect_udp": 6,
       "send_to": 7, "resolve": 8, "connect_tls": 9}
EVENTS = {0x81: "connected", 0x82: "data", 0x83: "listening", 0x84: "accepted", 0x85: "closed",
          0x86: "error", 0x87: "denied", 0x88: "data_from", 0x89: "resolved", 0x8a: "udp_bound"}


def rules(channels=8, **more):
    return suite.policy({"open": suite.grant(TARGETS, deny=[to("*:9", BOTH)],
                                             limits={"channels": channels}, **more)},
                        dialects=DIALECTS)


def pack(request):
    """A request as a binary frame."""
    head = struct.pack(">BQ", OPS[request["op"]], request["id"])
    peer = b""
    if "addr" in request:
        addr = request["addr"].encode()
        peer = struct.pack(">H", request["port"])
        if request["op"] == "send_to":
            peer += struct.pack(">H", len(addr))
        peer += addr
    return head + peer + request.get("name", "").encode() + request.get("data", b"")


def unpack(frame):
    """A binary frame as the JSON event with the same meaning; bytes are bytes."""
    kind, id = struct.unpack(">BQ", frame[:9])
    event, body = {"ev": EVENTS[kind], "id": id}, frame[9:]
    if event["ev"] == "data":
        event["data"] = body
    elif event["ev"] in ("listening", "udp_bound"):
        event["port"], = struct.unpack(">H", body)
    elif event["ev"] == "accepted":
        event.update(conn_id=struct.unpack(">Q", body[:8])[0], remote=body[8:].decode())
    elif event["ev"] in ("error", "denied"):
        event["msg"] = body.decode()
    elif event["ev"] == "data_from":
        port, n = struct.unpack(">HH", body[:4])
        event.update(port=port, addr=body[4:4 + n].decode(), data=body[4 + n:])
    elif event["ev"] == "resolved":
        event["addrs"] = json.loads(body)
    else:
        assert not body, "%s has a payload: %r" % (event["ev"], body)
    return event


class Talk:
    """A WebSocket that speaks the dialect; events must come as it spoke last."""

    def __init__(self, one, binary=False):
        self.ws = one.connect("/wasmnet")
        self.binary = binary

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ws.sock.close()

    def say(self, op, id, **members):
        request = dict({"op": op, "id": id}, **members)
        if self.binary:
            self.ws.send(pack(request))
            return
        if "data" in request:
            request["data"] = base64.b64encode(request["data"]).decode()
        self.ws.send_text(json.dumps(request))

    def hear(self):
        opcode, payload = self.ws.recv()
        assert opcode == (wsclient.BINARY if self.binary else wsclient.TEXT), opcode
        if self.binary:
            return unpack(payload)
        event = json.loads(payload)
        if "data" in event:
            event["data"] = base64.b64decode(event["data"], validate=True)
        return event

    def ask(self, op, id, **members):
        self.say(op, id, **members)
        return self.hear()

    def connect(self, id, port, addr="127.0.0.1"):
        return self.ask("connect", id, addr=addr, port=port)

    def read(self, id, n):
        data = b""
        while len(data) < n:
            event = self.hear()
            assert event["ev"] == "data" and event["id"] == id, event
            assert len(event["data"]) <= 16384, len(event["data"])
            data += event["data"]
        return data


@contextlib.contextmanager
def udp_echo(address="127.0.0.1"):
    """Answers each datagram with it and its sender's port; its port, and the ports seen."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.bind((address, 0))
    seen = []

    def serve():
        while True:
            data, peer = sock.recvfrom(65536)
            if data == b"stop" and peer[1] == sock.getsockname()[1]:
                return
            seen.append(peer[1])
            sock.sendto(data, peer)
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield sock.getsockname()[1], seen
    finally:
        sock.sendto(b"stop", sock.getsockname())
        thread.join(10)
        sock.close()


class Wasmnet(suite.SuiteCase):
    rules = rules(explain=True)

    def talk(self, binary=False):
        return Talk(self.suite, binary)

    def alive(self, talk, port, id=99):
        """Whatever was refused before: the session goes on."""
        self.assertEqual(talk.connect(id, port), {"ev": "connected", "id": id})
        talk.say("send", id, data=b"alive")
        self.assertEqual(talk.read(id, 5), b"alive")
        self.assertEqual(talk.ask("close", id), {"ev": "closed", "id": id})

    # --- TCP --------------------------------------------------------------------------

    def test_connect_send_data_close(self):
        with targets.Echo() as target:
            for binary in FRAMINGS:
                with self.subTest(binary=binary), self.talk(binary) as talk:
                    for host in ("127.0.0.1", "localhost"):
                        self.assertEqual(talk.connect(1, target.port, host),
                                         {"ev": "connected", "id": 1})
                        data = os.urandom(50000)
                        talk.say("send", 1, data=data)
                        self.assertEqual(talk.read(1, len(data)), data)
                        self.assertEqual(talk.ask("close", 1), {"ev": "closed", "id": 1})
        ends = [r for r in self.suite.records("stream-end") if r["bytes_up"] == 50000]
        self.assertEqual([r["bytes_down"] for r in ends], [50000] * len(ends))

    def test_close_ends_one_way(self):
        """The service answers after the client has ended, and all of it arrives."""
        def late(sock, seen):
            targets.drain(sock, seen)
            sock.sendall(targets.pattern(3, 300000))
        with targets.Target(late) as target:
            for binary in FRAMINGS:
                with self.subTest(binary=binary), self.talk(binary) as talk:
                    self.assertEqual(talk.connect(1, target.port)["ev"], "connected")
                    talk.say("send", 1, data=b"question")
                    talk.say("close", 1)
                    self.assertEqual(talk.read(1, 300000), targets.pattern(3, 300000))
                    self.assertEqual(talk.hear(), {"ev": "closed", "id": 1})

    def test_what_comes_at_once(self):
        """Bytes and the end right behind the connect are neither lost nor early."""
        def banner(sock, seen):
            sock.sendall(b"220 ready\r\n")
        with targets.Target(banner) as target:
            for binary in FRAMINGS:
                with self.subTest(binary=binary), self.talk(binary) as talk:
                    for id in range(1, 30):
                        self.assertEqual(talk.connect(id, target.port),
                                         {"ev": "connected", "id": id})
                        self.assertEqual(talk.read(id, 11), b"220 ready\r\n")
                        self.assertEqual(talk.hear(), {"ev": "closed", "id": id})

    def test_alternating(self):
        with targets.Echo() as target, Talk(self.suite) as talk:
            self.assertEqual(talk.connect(1, target.port)["ev"], "connected")
            for i in range(20):
                talk.binary = not talk.binary
                talk.say("send", 1, data=b"%d" % i)
                self.assertEqual(talk.read(1, len(b"%d" % i)), b"%d" % i)

    def test_places_are_free_again(self):
        """More connections one after the other than there are places, whoever ends first."""
        def first(sock, seen):
            sock.sendall(b"x")
        with targets.Target(first) as target, targets.Echo() as echo:
            for binary in FRAMINGS:
                with self.subTest(binary=binary), self.talk(binary) as talk:
                    for id in range(60):
                        port = (target if id % 2 else echo).port
                        self.assertEqual(talk.connect(id, port), {"ev": "connected", "id": id})
                        if id % 2:
                            self.assertEqual(talk.read(id, 1), b"x")
                        else:
                            talk.say("close", id)
                        self.assertEqual(talk.hear(), {"ev": "closed", "id": id})

    def test_too_many(self):
        with targets.Echo() as target:
            for binary in FRAMINGS:
                with self.subTest(binary=binary), self.talk(binary) as talk:
                    for id in range(8):
                        self.assertEqual(talk.connect(id, target.port)["ev"], "connected")
                    self.assertEqual(talk.connect(8, target.port),
                                     {"ev": "error", "id": 8, "msg": "max connections reached"})
                    self.assertEqual(talk.ask("close", 0), {"ev": "closed", "id": 0})
                    self.assertEqual(talk.connect(9, target.port)["ev"], "connected")

    # --- refusals ---------------------------------------------------------------------

    def test_refusals(self):
        with targets.Echo() as target, targets.closed_port() as closed:
            for binary in FRAMINGS:
                with self.subTest(binary=binary), self.talk(binary) as talk:
                    for host, port, event, text in (
                            ("10.0.0.1", 80, "denied", "address not in allow list: 10.0.0.1:80"),
                            ("2001:db8::1", 80, "denied",
                             "address not in allow list: [2001:db8::1]:80"),
                            ("nowhere.invalid", 80, "denied",
                         "DNS resolution failed: the name does not resolve"),
                            ("127.0.0.1", 9, "denied", "private IP range blocked: 127.0.0.1"),
                            ("127.1", 80, "denied", "DNS resolution failed: "),
                            ("127.0.0.1", closed.getsockname()[1], "error", "")):
                        with self.subTest(host=host, port=port):
                            answer = talk.connect(5, port, host)
                            self.assertEqual(answer["ev"], event, answer)
                            self.assertTrue(answer["msg"].startswith(text), answer)
                    self.assertEqual(talk.ask("connect_tls", 5, addr="127.0.0.1", port=443)["msg"],
                                     "address not in allow list: 127.0.0.1:443")
                    self.alive(talk, target.port)

    def test_51_malformed_hosts_are_on_record(self):
        hosts = ("127.1", "", "a..test", "a b", "\"\x1b[31m", "fe80::1%lo", "１２７.0.0.1")
        for binary in FRAMINGS:
            with self.subTest(binary=binary), self.talk(binary) as talk:
                for host in hosts:
                    with self.subTest(repr(host)):
                        before = len(self.suite.records("refused", reason="name-invalid"))
                        self.assertEqual(talk.connect(1, 80, host)["ev"], "denied")
                        record = self.suite.wait_record("refused", before + 1,
                                                        reason="name-invalid")
                        self.assertEqual(record["host"], host or " ...")

    def test_unexplained(self):
        """What is decided about a destination is one event with one text."""
        with suite.Suite(rules()) as one, targets.closed_port() as closed:
            for binary in FRAMINGS:
                with Talk(one, binary) as talk:
                    for host, port in (("10.0.0.1", 80), ("127.0.0.1", 9), ("127.1", 80),
                                       ("127.0.0.1", closed.getsockname()[1])):
                        self.assertEqual(talk.connect(1, port, host),
                                         {"ev": "denied", "id": 1,
                                          "msg": "the destination is not available"})

    def test_bad_messages(self):
        with targets.Echo() as target, Talk(self.suite) as talk:
            for text in ("", "null", "{}", '{"op":"connect"}', '{"op":"close","id":-1}',
                         '{"op":"close","id":18446744073709551616}', "[" * 10000,
                         '{"op":"connect","id":1,"addr":"127.0.0.1","port":65536}'):
                talk.ws.send_text(text)
                answer = talk.hear()
                self.assertEqual((answer["ev"], answer["id"]), ("error", 0), text)
                self.assertTrue(answer["msg"].startswith("invalid request: "), answer)
            talk.binary = True
            for frame in (b"", b"\x05" + bytes(7), b"\x00" + bytes(8), b"\x81" + bytes(8),
                          b"\x01" + bytes(9), b"\x07" + bytes(8) + b"\x00\x35\xff\xffabc"):
                talk.ws.send(frame)
                answer = talk.hear()
                self.assertEqual((answer["ev"], answer["id"]), ("error", 0), frame)
                self.assertTrue(answer["msg"].startswith("invalid binary frame: "), answer)
            self.alive(talk, target.port)

    # --- UDP and names ----------------------------------------------------------------

    def test_udp(self):
        with udp_echo() as (port, seen), udp_echo() as (other, seen_other):
            for binary in FRAMINGS:
                with self.subTest(binary=binary), self.talk(binary) as talk:
                    answer = talk.ask("connect_udp", 1, addr="127.0.0.1", port=port)
                    self.assertEqual((answer["ev"], answer["id"]), ("udp_bound", 1))
                    for data in (b"\x00\xff", b"", bytes(9000)):
                        self.assertEqual(talk.ask("send", 1, data=data),
                                         {"ev": "data_from", "id": 1, "addr": "127.0.0.1",
                                          "port": port, "data": data})
                    self.assertEqual(
                        talk.ask("send_to", 1, addr="127.0.0.1", port=other, data=b"to"),
                        {"ev": "data_from", "id": 1, "addr": "127.0.0.1", "port": other,
                         "data": b"to"})
                    # both know it by one port
                    self.assertEqual((seen[-1], seen_other[-1]), (answer["port"],) * 2)
                    denied = talk.ask("send_to", 1, addr="10.0.0.1", port=80, data=b"x")
                    self.assertEqual(denied["ev"], "denied")
                    self.assertEqual(talk.ask("close", 1), {"ev": "closed", "id": 1})
                    self.assertEqual(talk.ask("connect_udp", 1, addr="10.0.0.1", port=80)["ev"],
                                     "denied")

    def test_resolve(self):
        for binary in FRAMINGS:
            with self.subTest(binary=binary), self.talk(binary) as talk:
                answer = talk.ask("resolve", 1, name="localhost")
                self.assertEqual((answer["ev"], answer["id"]), ("resolved", 1), answer)
                self.assertTrue(set(answer["addrs"]) <= {"127.0.0.1", "::1"}, answer)
                self.assertTrue(answer["addrs"])
                self.assertEqual(talk.ask("resolve", 1, name="127.0.0.1"),
                                 {"ev": "resolved", "id": 1, "addrs": ["127.0.0.1"]})
                self.assertEqual(talk.ask("resolve", 1, name="nowhere.invalid")["ev"],
                                 "error")
                self.assertEqual(talk.ask("resolve", 1, name="127.1")["ev"], "error")


@tap.needs_root
class Captured(suite.SuiteCase):
    """Frames of wasmnet's client, as captured, to the addresses in them: on a network of ours."""

    ID_1, ID_2, ID_3 = "0000000000000001", "0000000000000002", "0000000000000003"
    CONNECT = "01 " + ID_1 + " 0050 6578616d706c652e636f6d"        # example.com:80
    SEND = "04 " + ID_1 + " 00ff"
    CLOSE = "05 " + ID_1
    CONNECT_UDP = "06 " + ID_2 + " 0035 382e382e382e38"            # 8.8.8.8:53
    SEND_TO = "07 " + ID_2 + " 14e9 0007 392e392e392e39 010203"    # 9.9.9.9:5353
    RESOLVE = "08 " + ID_3 + " 78"                                 # x

    @classmethod
    def setUpClass(cls):
        cls.pair = netns.Pair(datagrams=[("8.8.8.8", 53), ("9.9.9.9", 5353)]).__enter__()
        try:
            cls.suite = suite.Suite(suite.policy({"open": suite.grant(
                [to("example.com:80"), to("x:80"), to("8.8.8.8:53", ["udp"]),
                 to("9.9.9.9:5353", ["udp"])])}, dialects=["wasmnet"]))
            hosts = os.path.join(cls.suite.directory, "hosts")
            with open(hosts, "w") as file:
                file.write("8.8.4.4 example.com\n8.8.4.5 x\n")
            cls.suite.prefix = ["unshare", "-m", "sh", "-c",
                                'mount --bind "$0" /etc/hosts && exec "$@"', hosts]
            cls.suite.start()
        except BaseException:
            cls.pair.__exit__()
            raise

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.pair.__exit__()

    def ask(self, ws, frame, answer):
        """Send a frame; the answer, in hex without blanks, is a pattern."""
        ws.send(bytes.fromhex(frame))
        opcode, payload = ws.recv()
        self.assertEqual(opcode, wsclient.BINARY)
        self.assertRegex(payload.hex(), "^" + answer.replace(" ", "") + "$")

    def test_replay(self):
        with self.suite.connect("/wasmnet") as ws:
            self.assertIsNone(ws.answer.header("sec-websocket-protocol"))
            self.ask(ws, self.CONNECT, "81 " + self.ID_1)
            self.ask(ws, self.SEND, "82 " + self.ID_1 + " 00ff")
            self.ask(ws, self.CONNECT_UDP, "8a " + self.ID_2 + "[0-9a-f]{4}")
            self.ask(ws, self.SEND_TO, "88 " + self.ID_2 + " 14e9 0007 392e392e392e39 010203")
            self.ask(ws, self.SEND.replace(self.ID_1, self.ID_2),
                     "88 " + self.ID_2 + " 0035 0007 382e382e382e38 00ff")
            self.ask(ws, self.RESOLVE, "89 " + self.ID_3 + b'["8.8.4.5"]'.hex())
            for id in (self.ID_1, self.ID_2):
                self.ask(ws, self.CLOSE.replace(self.ID_1, id), "85 " + id)
            self.assertEqual(ws.finish()[0], 1000)
        self.assertEqual(self.pair.arrived, [("8.8.4.4", 80)])


if __name__ == "__main__":
    sys.exit(tap.main())
