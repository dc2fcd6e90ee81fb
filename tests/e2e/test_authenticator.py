#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""sockward-authenticator alone: who gets which grant, by host, dialect, origin and token."""

import os
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import authbox
import ipcwire as wire
import tap
from authbox import TOKENS, digest

RAW, NETPROXY, WISP = 1, 2, 5


class Authenticator(authbox.Judging):
    def test_static_tokens(self):
        for token, grant in zip(TOKENS, ("page", "page", "tool")):
            subject = "token:" + digest(token)[7:15]
            origin = "https://app.test" if grant == "page" else None
            self.assertEqual(self.judge(token=token, origin=origin), ("none", grant, subject, 0))

    def test_no_token(self):
        self.assertEqual(self.judge(), ("none", "open", "", 0))
        self.assertEqual(self.judge(origin="http://anything.test"), ("none", "open", "", 0))

    def test_wrong_tokens(self):
        right = TOKENS[0]
        wrong = [right[:i] + chr(ord(right[i]) ^ 1) + right[i + 1:] for i in range(len(right))]
        wrong += ["", right[:-1], right + "x", right.upper(), " " + right, digest(right),
                  digest(right)[7:], "x" * 4095, right + "\n"]
        for token in wrong:
            self.refused(token)

    def test_host(self):
        for host in ("gw.test", "gw.test:8086", "127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:8086"):
            self.assertEqual(self.judge(host=host)[0], "none", host)
        for host in ("", "evil.test", "gw.test.", "gw.test.evil.test", "evil.gw.test", "GW.test",
                     "gw.test:80x", "[::1", "::1", "[::2]", "127.0.0.1.evil.test", "gw.tes",
                     "gw.test:80:80", ":80"):
            self.assertEqual(self.judge(host=host)[0], "host-not-served", host)

    def test_dialect(self):
        self.assertEqual(self.judge(dialect=NETPROXY)[0], "none")
        for dialect in (0, WISP, 3, 7, 8, 31, 32, 64, 255):
            self.assertEqual(self.judge(dialect=dialect)[0], "dialect-not-enabled", dialect)

    def test_origin(self):
        good = ("https://app.test", "http://127.0.0.1:8080")
        for origin in good:
            self.assertEqual(self.judge(token=TOKENS[0], origin=origin)[0], "none")
        for origin in (None, "", "null", "http://app.test", "https://app.test/",
                       "https://app.test:443", "https://app.test.evil", "https://APP.test",
                       "http://127.0.0.1", "http://127.0.0.1:80800"):
            self.assertEqual(self.judge(token=TOKENS[0], origin=origin)[0], "origin-not-allowed")
        self.assertEqual(self.judge(token=TOKENS[2])[0], "none")
        self.assertEqual(self.judge(token=TOKENS[2], origin=good[0])[0], "origin-not-allowed")

    def test_the_order_of_refusals(self):
        self.assertEqual(self.judge(host="evil", dialect=99, token="x", origin="y")[0],
                         "host-not-served")
        self.assertEqual(self.judge(dialect=99, token="x", origin="y")[0], "dialect-not-enabled")
        self.assertEqual(self.judge(token="x", origin="y")[0], "token-wrong")

    def test_texts_without_an_end(self):
        for what in ({"host": b"x" * 256}, {"origin": b"x" * 256}, {"token": b"x" * 4096},
                     {"token": TOKENS[2].encode() + b"\0rest"}):
            self.assertEqual(self.judge(**what), ("protocol-violation", "", "", 0))

    # --- the channel -----------------------------------------------------------------------

    def test_illegal_messages_end_one_client(self):
        good = wire.verify()
        for message in (good[:-1], good + b"\0", struct.pack("=I", 77) + good[4:], b"x",
                        wire.lookup("a.test"), bytes(wire.TABLE["VERDICT"][1])):
            with self.helper.connect(seconds=5) as other:
                other.send(message)
                self.assertTrue(wire.cut_off(other))
        self.assertEqual(self.judge()[0], "none")

    def test_many_questions_in_a_row(self):
        self.channel.setblocking(False)
        sent = []
        try:
            while len(sent) < 2000:
                self.channel.send(wire.verify(len(sent), token=TOKENS[2]))
                sent.append(len(sent))
                time.sleep(0.0005)
        except BlockingIOError:
            pass
        self.channel.settimeout(5)
        got = [wire.unpack(self.channel.recv(4096))[1] for _ in sent]
        self.assertEqual([g[0] for g in got], sent)
        self.assertEqual({g[1:3] for g in got}, {("none", "tool")})


if __name__ == "__main__":
    sys.exit(tap.main())
