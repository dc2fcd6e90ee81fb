#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Cases 43 to 52 through each dialect that they make sense for; for netproxy, and where
another file has the case for a dialect, see docs/TESTS.md."""

import os
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import dialects
import places
import players
import suite
import tap
import targets
import wsclient
from dialects import through
from suite import to

BOTH = ("tcp", "udp")
RULES = suite.policy(
    {"open": suite.grant([to("127.0.0.1:*", BOTH)], explain=True,
                         limits={"channels": 64, "connect_timeout": "2s"})},
    dialects=["raw", "wasmnet", "wisp", "udp-relay"])
WASMNET = ("wasmnet-json", "wasmnet-binary")
WASMNET_UDP = ("wasmnet-json-udp", "wasmnet-binary-udp")
HOST = "127.0.0.1"
RESIDENT_KIB = 16384


@dialects.table
class Messages(suite.SuiteCase):
    rules = RULES

    def setUp(self):
        self.tcp, self.udp, self.hold = targets.Echo(), players.Mirror(), targets.Hold()
        for service in (self.tcp, self.udp, self.hold):
            self.enterContext(service)

    def session(self, way):
        s = self.enterContext(dialects.session(self.suite, way))
        if way == "wasmnet-send-to":
            s.base(HOST, self.udp.port)
        return s

    def port(self, s):
        return (self.udp if s.kind == "udp" else self.tcp).port

    def opens(self, s, stream, port=None):
        """It opens, where the dialect says so, and nothing else is said."""
        s.open(stream, HOST, port or self.port(s))
        if s.says:
            self.assertEqual(s.hear()[:2], ("opened", stream))

    def echoes(self, s, stream, data=b"alive"):
        """What comes next is what was sent on it."""
        s.send(stream, data)
        got = b""
        while len(got) < len(data):
            what, whose, value = s.hear()
            self.assertEqual((what, whose), ("data", stream))
            got += value
        self.assertEqual(got, data)

    def alive(self, s, stream=99):
        """Whatever was refused before: nothing more is said of it, and others go on."""
        self.opens(s, stream)
        self.echoes(s, stream)
        s.close(stream)
        self.assertEqual(s.hear()[:2], ("closed", stream))

    def is_invalid(self, s, text):
        s.ws.send_text(text)
        what, stream, said = s.hear()
        self.assertEqual((what, stream), ("refused", 0), text)
        self.assertTrue(said.startswith("error: invalid request: "), said)

    # --- 43 to 46: JSON, numbers, base64 ----------------------------------------------------

    @through("wasmnet-json")
    def case_43_deep_nesting(self, way):
        s = self.session(way)
        for text in ("[" * 10000 + "]" * 10000, '{"a":' * 10000 + "1" + "}" * 10000,
                     '{"op":"connect","id":1,"addr":"%s","port":%d,"x":%s}' % (
                         HOST, self.tcp.port, "[" * 40 + "]" * 40)):
            with self.subTest(text[:30]):
                self.is_invalid(s, text)
        self.assertEqual(self.tcp.seen, [])
        self.alive(s)

    @through("wasmnet-json")
    def case_44_duplicate_members(self, way):
        s = self.session(way)
        for text in ('"op":"connect","id":1,"id":2,"addr":"127.0.0.1","port":%d',
                     '"op":"connect","id":1,"addr":"10.0.0.1","addr":"127.0.0.1","port":%d',
                     '"op":"connect","id":1,"addr":"127.0.0.1","port":22,"port":%d',
                     '"op":"resolve","op":"connect","id":1,"addr":"127.0.0.1","port":%d',
                     '"op":"connect","id":1,"addr":"127.0.0.1","port":%d,"\\u0070ort":22'):
            with self.subTest(text):
                self.is_invalid(s, "{" + text % self.tcp.port + "}")
        self.assertEqual(self.tcp.seen, [])
        self.alive(s)

    @through("wasmnet-json")
    def case_45_ids(self, way):
        s = self.session(way)
        for number in ("-1", "1.5", "1e400", "18446744073709551615", "18446744073709551616",
                       "1e2", '"1"', "null", "true", "[]", "{}", "-0"):
            with self.subTest(number):
                self.is_invalid(s, '{"op":"connect","id":%s,"addr":"%s","port":%d}' % (
                    number, HOST, self.tcp.port))
        self.assertEqual(self.tcp.seen, [])
        for number in (0, 2**53 + 1, 2**64 - 2):  # and none of them is rounded
            self.alive(s, number)

    @through("wasmnet-binary", "wasmnet-binary-udp")
    def case_45_ids_in_frames(self, way):
        s = self.session(way)
        s.open(2**64 - 1, HOST, self.port(s))
        self.assertEqual(s.hear()[0], "refused")
        for number in (0, 2**53 + 1, 2**63, 2**64 - 2):
            self.alive(s, number)

    @through("wisp", "wisp-udp")
    def case_45_wisp_ids(self, way):
        s = self.session(way)
        for number in (1, 2**31, 2**32 - 1):
            self.alive(s, number)
        s.open(0, HOST, self.port(s))
        self.assertEqual(s.ws.recv_close()[0], 1002)

    @through("wasmnet-json")
    def case_45_ports(self, way):
        s = self.session(way)
        for port in ("65536", "-1", "443.0", '"443"', "4.43e2", "null", "true",
                     "%d.0" % self.tcp.port, '"%d"' % self.tcp.port,
                     str(65536 + self.tcp.port), str(2**32 + self.tcp.port)):
            with self.subTest(port):
                self.is_invalid(s, '{"op":"connect","id":1,"addr":"%s","port":%s}' % (HOST, port))
        self.assertEqual(self.tcp.seen, [])
        self.alive(s)

    def test_45_ports_raw(self):
        for port in ("0", "65536", "-1", "443.0", "4.43e2", "%d.0" % self.tcp.port, "0x50",
                     "0%d" % self.tcp.port, "+%d" % self.tcp.port, "%d%%20" % self.tcp.port,
                     str(65536 + self.tcp.port), str(2**32 + self.tcp.port), "http"):
            with self.subTest(port):
                s = self.session("raw")
                s.open(1, HOST, port)
                what, _, said = s.hear()
                self.assertEqual((what, said.split(":")[0]), ("refused", "4003 name-invalid"))
        self.assertEqual(self.tcp.seen, [])

    @through("wisp", "wisp-udp", *WASMNET, *WASMNET_UDP)
    def case_45_port_0(self, way):
        s = self.session(way)
        s.open(1, HOST, 0)
        self.assertEqual(s.hear()[:2], ("refused", 1))
        self.alive(s)

    def test_45_port_0_udp_relay(self):
        s = self.session("udp-relay")
        s.open(1, HOST, 0)
        s.send(1, b"nobody's")
        s.port = self.udp.port
        self.echoes(s, 1)
        self.assertEqual(self.udp.count, 1)

    @through("wasmnet-json")
    def case_46_base64(self, way):
        """What is none is ignored without a word, as this dialect has it; all of it."""
        s = self.session(way)
        self.opens(s, 1)
        for bad in ("eA", "eA=", "eA===", "e A==", "eA==\\n", "-_-_", "eB==", "e=A=", "=eA=",
                    "eA==eA==", "eHh=", "é===", "eHg"):
            s.ws.send_text('{"op":"send","id":1,"data":"%s"}' % bad)
        s.ws.send_text('{"op":"send","id":1,"data":""}')
        self.echoes(s, 1, b"good")
        self.assertEqual(self.tcp.seen[0].received, 4)

    @through("wasmnet-json", "wasmnet-binary", "wisp", "udp-relay")
    def case_46_a_huge_message(self, way):
        """Its length alone ends the session."""
        s = self.session(way)
        if not s.ws:
            s.open(1, HOST, self.port(s))
        opcode = wsclient.TEXT if way == "wasmnet-json" else wsclient.BINARY
        s.ws.send_raw(wsclient.frame(opcode, b"{", length=64 << 20))
        self.assertEqual(s.ws.recv_close()[0], 1009)

    # --- 47 and 49: ids, and what comes before the answer --------------------------------------

    @through("wisp", "wisp-udp", *WASMNET, *WASMNET_UDP)
    def case_47_ids_in_use(self, way):
        """Of the same kind or another: the first one stays."""
        s = self.session(way)
        self.opens(s, 1)
        for kind in ("tcp", "udp"):
            s.open(1, HOST, self.hold.port, kind)
            if s.says:
                self.assertEqual(s.hear(), ("refused", 1, "error: id in use"))
            self.echoes(s, 1, b"first")
        self.assertEqual(self.hold.seen, [])
        s.close(1)
        self.assertEqual(s.hear()[:2], ("closed", 1))
        self.alive(s, 1)

    @through("wisp", "wisp-udp", *WASMNET, *WASMNET_UDP)
    def case_47_unknown_ids(self, way):
        s = self.session(way)
        self.opens(s, 1)
        self.alive(s, 7)
        for stream in (5, 7, 2**32 - 1):  # never opened, closed, never opened
            s.send(stream, b"to nobody")
            s.close(stream)
        self.echoes(s, 1)
        self.alive(s, 5)

    @through("raw", "wisp", "wisp-udp", "udp-relay", *WASMNET, *WASMNET_UDP)
    def case_49_order(self, way):
        """What is sent right behind the request arrives, in order."""
        s = self.session(way)
        s.open(1, HOST, self.port(s))
        pieces = [b"%04d" % number for number in range(200)]
        for piece in pieces:
            s.send(1, piece)
        if s.says:
            self.assertEqual(s.hear()[:2], ("opened", 1))
        if s.kind == "udp":
            self.assertEqual([s.hear() for _ in pieces], [("data", 1, one) for one in pieces])
        else:
            self.assertEqual(s.read_bytes(1, 800), b"".join(pieces))

    @through("raw", "wisp", *WASMNET)
    def case_49_sends_without_end(self, way):
        """20 MB to where nobody answers: bounded, refused in the end, and others go on."""
        with targets.Blackhole() as hole:
            s = self.session(way)
            s.open(1, HOST, hole.port)
            pid = self.suite.sessions()[-1]
            sender = threading.Thread(target=self.flood, args=(s,), daemon=True)
            sender.start()
            what, stream, said = s.hear()
            self.assertEqual((what, stream), ("refused", 1))
            self.assertIn(said.split(" ")[0], ("4008", "0x43", "error:"))
            peak = int(suite.status_of(pid)["VmHWM"].split()[0])
            self.assertLess(peak, RESIDENT_KIB)
            if s.many:
                sender.join(30)
                self.assertFalse(sender.is_alive())
                self.alive(s)

    def flood(self, s):
        try:
            for _ in range(10000):
                s.send(1, bytes(2000))
        except OSError:
            pass  # raw: the session is over

    # --- 50 to 52 ---------------------------------------------------------------------------

    def test_50_text_wisp(self):
        s = self.session("wisp")
        s.ws.send_text("\1\1\0\0\0\1P\0" + HOST)
        self.assertEqual(s.ws.recv_close()[0], 1003)

    @through(*WASMNET)
    def case_50_the_other_framing(self, way):
        """A message is what its opcode says: nothing is guessed from its bytes."""
        s = self.session(way)
        text = '{"op":"connect","id":1,"addr":"%s","port":%d}' % (HOST, self.tcp.port)
        frame = b"\1" + bytes(7) + b"\1" + self.tcp.port.to_bytes(2, "big") + HOST.encode()
        if s.binary:
            s.ws.send(text.encode())
        elif all(byte < 0x80 for byte in frame):
            s.ws.send_text(frame.decode())
        else:
            s.ws.send_text("\1\0\0\0\0\0\0\0\1\0P127.0.0.1")
        what, stream, said = s.hear()
        self.assertEqual((what, stream), ("refused", 0))
        self.assertIn("invalid binary frame: " if s.binary else "invalid request: ", said)
        self.assertEqual(self.tcp.seen, [])
        self.alive(s)

    def on_record(self, s, host):
        """As it was written, as far as a record takes it."""
        kept = host.replace("\0", "?") or " ..."
        if len(kept.encode()) > 255:
            kept = kept[:251] + " ..." if s.many or len(kept) <= 1023 else " ..."
        return kept

    def in_a_path(self, host):
        """What the path of a URL cannot carry has an HTTP status instead of a record."""
        if any(ord(c) < 0x20 or ord(c) == 0x7f for c in host):
            return "HTTP 400"
        if not host:
            return "HTTP 404"
        return "HTTP 431" if len(host) > 2000 else None

    @through("raw", "wisp", "wisp-udp", "udp-relay", "wasmnet-send-to", *WASMNET, *WASMNET_UDP)
    def case_51_hosts_of_the_wrong_grammar(self, way):
        s = self.session(way)
        for host in places.MALFORMED:
            with self.subTest(repr(host)):
                kept = self.on_record(s, host)
                before = len(self.suite.records("refused", host=kept))
                said = s.ask(host, 80)
                self.assertIsNotNone(said)
                if not s.many and self.in_a_path(host):
                    self.assertEqual(said, self.in_a_path(host))
                    continue
                record = self.suite.wait_record("refused", host=kept, count=before + 1)
                self.assertEqual((record["dialect"], record["protocol"], record["peer_port"],
                                  record["reason"]),
                                 (s.word, s.kind, 80, "no-rule" if host in places.MALFORMED[-2:]
                                  else "name-invalid"))
        if s.many and way != "wasmnet-send-to":
            self.alive(s, 9999)

    @through(*WASMNET)
    def case_51_names_to_resolve(self, way):
        s = self.session(way)
        for number, host in enumerate(places.MALFORMED):
            with self.subTest(repr(host)):
                kept = self.on_record(s, host)
                before = len(self.suite.records("refused", host=kept))
                s.say("resolve", number, name=host)
                self.assertEqual(s.hear()[:2], ("refused", number))
                self.suite.wait_record("refused", host=kept, count=before + 1)
        self.alive(s, 9999)

    @through("wisp-udp", "udp-relay", "wasmnet-send-to", *WASMNET_UDP)
    def case_52_sizes_of_datagrams(self, way):
        """Each is one, also an empty one; what is too long is lost, and nothing else."""
        s = self.session(way)
        self.opens(s, 1) if way != "wasmnet-send-to" else s.open(1, HOST, self.udp.port)
        for size in (0, 1, 1472, 9000, 65507):
            data = os.urandom(size)
            s.send(1, data)
            self.assertEqual(s.hear(), ("data", 1, data))
        s.send(1, bytes(65508))
        s.send(1, b"next")
        self.assertEqual(s.hear(), ("data", 1, b"next"))
        self.assertEqual(self.udp.count, 6)

    @through("wisp-udp", *WASMNET_UDP)
    def case_52_only_the_peer_is_heard(self, way):
        s = self.session(way)
        self.opens(s, 1)
        self.echoes(s, 1, b"here I am")
        near, = self.udp.by[b"here"]
        with socket.socket(type=socket.SOCK_DGRAM) as stranger:
            for _ in range(20):
                stranger.sendto(b"let me in", near)
        self.echoes(s, 1, b"again")


if __name__ == "__main__":
    sys.exit(tap.main())
