#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""WebSocket frames, bit by bit: cases 21 to 33. Case 35 is in test_raw.py."""

import os
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import suite
import tap
import targets
import wsclient
from wsclient import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_body, frame

RULES = suite.policy({"open": suite.grant(limits={"message_bytes": "1MiB"})})


class Frames(suite.SuiteCase):
    rules = RULES

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.target = targets.Echo().__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.target.__exit__()
        super().tearDownClass()

    def open(self):
        return self.suite.connect(self.target.path(), protocols=["binary"])

    def text(self):
        return self.suite.connect("/netproxy")

    def closes(self, client, code, data):
        """What it sends must end in that close, and in the end of the connection."""
        with client:
            try:
                client.send_raw(data)
            except ConnectionError:
                pass
            got, reason = client.recv_close()
            self.assertEqual(got, code, reason)
            client.close(got)
            self.assertTrue(client.gone())
        return reason

    def echoes(self, client, payload=b"still here"):
        client.send(payload)
        self.assertEqual(client.recv_bytes(len(payload)), payload)

    def nothing_forwarded(self):
        """No byte of a frame that was refused came to the target."""
        self.suite.wait_sessions(0)
        for seen in self.target.seen:
            self.assertNotIn(b"secret", seen.head)

    def test_00_an_echo(self):
        with self.open() as client:
            for n in (1, 125, 126, 127, 65535, 65536, 300000):
                self.echoes(client, os.urandom(n))
            self.assertEqual(client.finish()[0], 1000)

    def test_21_unmasked(self):
        for opcode in (TEXT, BINARY, PING, CLOSE):
            with self.subTest(opcode):
                self.closes(self.open(), 1002, frame(opcode, b"\x03\xe8secret", masked=False))
        self.nothing_forwarded()

    def test_22_reserved_bits(self):
        for rsv in range(1, 8):
            for opcode in (BINARY, PING):
                with self.subTest(rsv=rsv, opcode=opcode):
                    self.closes(self.open(), 1002, frame(opcode, b"secret", rsv=rsv))
        self.nothing_forwarded()

    def test_23_reserved_opcodes(self):
        for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
            with self.subTest(opcode):
                self.closes(self.open(), 1002, frame(opcode, b"secret"))
        self.nothing_forwarded()

    def test_24_huge_lengths(self):
        for length in (2**63 - 1, 2**63, 2**64 - 1, 2**40):
            with self.subTest(length):
                self.closes(self.open(), 1002 if length >= 2**63 else 1009,
                            frame(BINARY, b"", length=length))
        self.suite.wait_sessions(0)
        self.assertEqual(self.suite.records("session-end", reason="worker-crashed"), [])

    def test_24_a_message_over_the_limit(self):
        limit = 1 << 20
        with self.open() as client:
            self.echoes(client, bytes(limit))
        self.closes(self.open(), 1009, frame(BINARY, b"", length=limit + 1))
        half = bytes(limit // 2)
        self.closes(self.open(), 1009, frame(BINARY, half, fin=False) +
                    frame(CONTINUATION, half, fin=False) + frame(CONTINUATION, b"x"))

    def test_25_lengths_that_are_not_minimal(self):
        for data in (frame(BINARY, b"12345", form=16), frame(BINARY, bytes(200), form=64),
                     frame(BINARY, b"", form=16), frame(BINARY, bytes(65535), form=64)):
            with self.subTest(data[:4]):
                self.closes(self.open(), 1002, data)

    def test_26_split_at_every_byte(self):
        data = (frame(BINARY, b"ab", fin=False) + frame(PING, b"p") + frame(CONTINUATION, b"cd") +
                frame(BINARY, bytes(126)) + frame(PONG, b""))
        end = frame(CLOSE, close_body(1000))
        for first in range(1, len(data), 10):  # few enough pings for their budget
            with self.open() as client:
                for at in range(first, min(first + 10, len(data))):
                    client.send_raw(data[:at])
                    time.sleep(0.001)
                    client.send_raw(data[at:])
                    self.assertEqual(client.recv_bytes(130), b"abcd" + bytes(126))
                client.send_raw(end[:first % len(end)])
                time.sleep(0.001)
                client.send_raw(end[first % len(end):])
                self.assertEqual(client.recv_close()[0], 1000)
                self.assertEqual(set(client.pongs), {b"p"})

    def test_26_one_byte_a_segment(self):
        data = frame(BINARY, b"hello", fin=False) + frame(CONTINUATION, bytes(70000))
        with self.open() as client:
            for at in range(64):
                client.send_raw(data[at:at + 1])
            client.send_raw(data[64:])
            self.assertEqual(client.recv_bytes(70005), b"hello" + bytes(70000))
            for byte in frame(CLOSE, close_body(1000)):
                client.send_raw(bytes([byte]))
            self.assertEqual(client.recv_close()[0], 1000)

    def test_27_empty_fragments_without_end(self):
        client = self.open()
        pid = self.suite.sessions()[-1]
        before = rss(pid)
        block = frame(CONTINUATION, b"", fin=False) * 4096
        client.send_raw(frame(BINARY, b"x", fin=False))
        sent, most = 0, 0
        try:
            while sent < 1000000:
                client.send_raw(block)
                sent += 4096
                most = max(most, rss(pid))
        except ConnectionError:
            pass
        code, _ = client.recv_close()
        client.sock.close()
        self.assertIn(code, (1008, 1009))
        self.assertLess(most - before, 4096, "KiB of memory more")

    def test_27_small_fragments(self):
        block = b"".join(frame(CONTINUATION, bytes(64), fin=False) for _ in range(64))
        with self.open() as client:
            client.send_raw(frame(BINARY, b"", fin=False))
            for _ in range(64):
                client.send_raw(block)
            client.send_raw(frame(CONTINUATION, b"end"))
            self.assertTrue(client.recv_bytes(64 * 64 * 64 + 3).endswith(b"end"))

    def test_28_bad_control_frames(self):
        for data in (frame(PING, bytes(126)), frame(PING, b"p", fin=False),
                     frame(CLOSE, bytes(126)), frame(PONG, b"", fin=False),
                     frame(CLOSE, close_body(1000), fin=False), frame(PING, bytes(65536))):
            with self.subTest(data[:2]):
                self.closes(self.open(), 1002, data)

    def test_29_pings(self):
        with self.open() as client:
            for payload in (b"", b"x", bytes(125)):
                client.send(payload, PING)
            self.echoes(client)
            targets.wait_until(lambda: self.pong(client), what="the pong")
            self.assertEqual(client.pongs[-1], bytes(125))
            client.send(b"never asked", PONG)
            client.send(b"never asked", PONG)
            self.echoes(client)

    @staticmethod
    def pong(client):
        client.send(b".")
        client.recv()
        return client.pongs and client.pongs[-1] == bytes(125)

    def test_29_a_flood_of_pings_that_are_not_read(self):
        client = wsclient.connect(self.suite.address, self.target.path(), rcvbuf=4096)
        pid = self.suite.sessions()[-1]
        before, most = rss(pid), 0
        block = b"".join(frame(PING, bytes(125)) for _ in range(500))
        client.sock.settimeout(3)
        try:
            for _ in range(200):
                client.send_raw(block)
                most = max(most, rss(pid))
        except (ConnectionError, TimeoutError):
            pass
        client.sock.settimeout(15)
        try:
            code = client.recv_close()[0]
        except wsclient.Gone:
            code = 1008  # it may leave such a client without a word
        client.sock.close()
        self.assertEqual(code, 1008)
        self.assertLess(most - before, 2048, "KiB of memory more")

    def test_30_fragments_out_of_order(self):
        for data in (frame(CONTINUATION, b"x"), frame(CONTINUATION, b"x", fin=False),
                     frame(BINARY, b"a", fin=False) + frame(BINARY, b"b"),
                     frame(BINARY, b"a", fin=False) + frame(TEXT, b"b", fin=False),
                     frame(BINARY, b"a") + frame(CONTINUATION, b"b")):
            with self.subTest(len(data)):
                self.closes(self.open(), 1002, data)

    def test_31_text_that_is_not_utf8(self):
        for bad in (b"\xc0\x80", b"\xc1\xbf", b"\xe0\x80\x80", b"\xed\xa0\x80", b"\xed\xbf\xbf",
                    b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"\x80", b"\xc3", b"\xe2\x82",
                    b"\xf0\x9f\x98", b"ok\xff", b"\xf0\x80\x80\x80"):
            with self.subTest(bad):
                self.closes(self.text(), 1007, frame(TEXT, bad))

    def test_31_at_the_first_bad_byte(self):
        self.closes(self.text(), 1007, frame(TEXT, b"\xed\xa0", fin=False, length=1000))

    def test_31_a_character_over_two_frames(self):
        text = '{"t":"é€😀","id":1}'.encode()
        for at in range(1, len(text)):
            with self.subTest(at):
                with self.text() as client:
                    client.send_raw(frame(TEXT, text[:at], fin=False) +
                                    frame(CONTINUATION, text[at:]))
                    self.assertIn(b'"error"', client.recv()[1])

    def test_32_close_frames(self):
        def body(code, reason=b""):
            return frame(CLOSE, close_body(code, reason))
        for code in [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]:
            with self.subTest(code):
                self.closes(self.open(), 1002, body(code))
        self.closes(self.open(), 1002, frame(CLOSE, b"\x03"))
        self.closes(self.open(), 1007, body(1000, b"bad \xff"))
        self.closes(self.open(), 1007, body(1000, b"cut \xe2\x82"))
        self.closes(self.open(), 1002, frame(CLOSE, close_body(1000, bytes(124))))

    def test_32_close_codes_that_are_answered(self):
        for code in (1000, 1001, 1003, 1007, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999):
            with self.subTest(code):
                with self.open() as client:
                    client.close(code, "bye €".encode())
                    self.assertEqual(client.recv_close()[0], code)
                    self.assertTrue(client.gone())
        with self.open() as client:
            client.send(b"", CLOSE)
            self.assertIn(client.recv_close()[0], (1000, 1005))

    def test_32_bad_reason_byte_by_byte(self):
        with self.open() as client:
            for byte in frame(CLOSE, close_body(1000, b"\xff\xff\xff")):
                client.send_raw(bytes([byte]))
            self.assertEqual(client.recv_close()[0], 1007)

    def test_33_after_the_close(self):
        with targets.Echo() as target, self.suite.connect(target.path()) as client:
            self.echoes(client, b"first ")
            client.send_raw(frame(BINARY, b"before") + frame(CLOSE, close_body(1000)) +
                            frame(BINARY, b"after") + frame(CLOSE, close_body(1001)) + b"garbage")
            self.assertEqual(client.recv_close()[0], 1000)
            self.assertTrue(client.gone())
            self.assertEqual(target.wait_seen().head, b"first before")

    def test_33_a_reset_after_the_close(self):
        before = len(self.suite.records("session-end"))
        with self.open() as client:
            client.close(1000)
            client.recv_close()
            client.sock.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SO_LINGER: reset
        end = self.suite.wait_record("session-end", count=before + 1)
        self.assertNotEqual(end["reason"], "worker-crashed")

    def test_34_compression_is_declined(self):
        for offer in ("permessage-deflate", "permessage-deflate; client_max_window_bits",
                      "permessage-deflate; server_max_window_bits=99", "x-unknown; a=\"b\"",
                      "permessage-deflate, permessage-deflate"):
            with self.subTest(offer):
                with self.suite.connect(self.target.path(),
                                        headers=[("Sec-WebSocket-Extensions", offer)]) as client:
                    self.echoes(client)


def rss(pid):
    """Resident KiB of a process; 0 when it is gone."""
    facts = suite.status_of(pid)
    return int(facts["VmRSS"].split()[0]) if facts and "VmRSS" in facts else 0


if __name__ == "__main__":
    sys.exit(tap.main())
