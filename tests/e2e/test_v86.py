#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""npm's v86 as a client of the Wisp dialect: the real emulator in Node, with a guest that is
a few frames on its bus (v86_guest.mjs). Names are looked up by v86 itself, by HTTPS and not
through Wisp; its server is on loopback here."""

import json
import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))

import certs
import nodejs
import suite
import tap
import targets
from suite import to

NAME = "service.example"
SIZE = 400000  # more than twice the credit, in segments
PAGE = targets.pattern(6, 150001)


def dns_over_https(asked):
    """serve function: every question has one answer, 127.0.0.1."""
    def serve(sock, seen):
        data = b""
        while b"\r\n\r\n" not in data:
            data += sock.recv(65536)
        head, body = data.split(b"\r\n\r\n", 1)
        length = [int(line.split(b":")[1]) for line in head.split(b"\r\n")
                  if line.lower().startswith(b"content-length:")][0]
        while len(body) < length:
            body += sock.recv(65536)
        asked.append((head.split(b"\r\n")[0], body))
        answer = (body[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + body[12:] +
                  b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1")
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/dns-message\r\n"
                     b"Content-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(answer), answer))
    return serve


class V86(unittest.TestCase):
    seconds = 120

    def guest(self, box, **config):
        nodejs.need_ws()
        nodejs.need("v86")
        config.update(v86=os.path.join(nodejs.MODULES, "v86"),
                      ws=os.path.join(nodejs.MODULES, "ws"), name=NAME, size=SIZE)
        done = subprocess.run(
            ["node", os.path.join(HERE, "v86_guest.mjs"), json.dumps(config)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90,
            env=dict(os.environ, NODE_EXTRA_CA_CERTS=box.trust,
                     NODE_OPTIONS="--dns-result-order=ipv4first"))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return json.loads(done.stdout.splitlines()[-1])

    def test_a_guest_over_wisp(self):
        asked = []
        rules = suite.policy({"guest": suite.grant(
            [to("127.0.0.0/8:*")], auth=suite.tokens(suite.TOKEN), explain=True)},
            dialects=["wisp"])
        with certs.Box() as box, targets.closed_port() as closed, \
                certs.Serve(dns_over_https(asked), box.context()) as doh, \
                targets.Target(targets.http_page({"/page": PAGE}, [])) as web, \
                targets.Echo() as echo, suite.Suite(rules) as one:
            saw = self.guest(box, doh="localhost:%d" % doh.port, page=web.port,
                             echo=echo.port, closed=closed.getsockname()[1],
                             relay="wisp://%s:%d/wisp/?token=%s&/" % (*one.address, suite.TOKEN))
            ends = [one.wait_record("stream-end", n, peer_port=echo.port) for n in (1, 2, 3)]
            refused = one.records("refused")
            sessions = {r["session"] for r in one.records("granted")}
        self.network(saw, asked)
        self.assertEqual(saw["credit"], 128)
        page = saw["page"]
        self.assertEqual((page["head"][:15], page["body"], page["ended"]),
                         ("HTTP/1.1 200 OK", targets.digest(PAGE), True))
        for seed, got in enumerate(saw["echo"]):
            sent = bytes((i * 7 + (i >> 8) + seed) & 255 for i in range(SIZE))
            self.assertEqual(got, {"size": SIZE, "sha256": targets.digest(sent), "ended": True,
                                   "reset": False})
        nothing = {"size": 0, "sha256": targets.digest(b""), "ended": True, "reset": False}
        self.assertEqual((saw["denied"], saw["nobody"]), (nothing, nothing))
        self.assertEqual((saw["streams"], saw["left"]), (6, ["0"]))
        for end in ends:
            self.assertEqual((end["bytes_up"], end["bytes_down"]), (SIZE, SIZE))
        self.assertEqual([(r["host"], r["reason"]) for r in refused],
                         [("10.0.0.1", "no-rule"), ("127.0.0.1", "peer-refused")])
        self.assertEqual(len(sessions), 1)

    def network(self, saw, asked):
        """What v86 does by itself."""
        for what, kind in (("offer", 2), ("lease", 5)):
            self.assertEqual(saw[what], {"kind": kind, "address": "192.168.86.100",
                                         "router": "192.168.86.1", "dns": "192.168.86.1"})
        self.assertEqual(saw["router"], "525400010203")
        self.assertEqual(saw["resolved"], "127.0.0.1")
        (line, question), = asked
        self.assertEqual(line, b"POST /dns-query HTTP/1.1")
        self.assertIn(b"\x07service\x07example\0", question)


if __name__ == "__main__":
    sys.exit(tap.main())
