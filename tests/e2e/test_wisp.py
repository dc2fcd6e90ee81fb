#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The Wisp dialect: the conformance suite of tests/wisp/, npm's wisp-js, and what the
suite cannot know, such as paths, tokens, records and what a policy says."""

import base64
import json
import os
import struct
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))

import nodejs
import suite
import tap
import targets
import wsclient
from suite import to

BOTH = ("tcp", "udp")
EXPLAINED = "tell-me-why-0123456789"
RULES = suite.policy({
    "open": suite.grant([to("127.0.0.1:*", BOTH), to("nothing.invalid:*", BOTH)],
                        deny=[to("127.0.0.2:*")], explain=True, limits={"channels": 64}),
    "quiet": suite.grant([to("127.0.0.1:*", BOTH)], auth=suite.tokens(suite.TOKEN)),
    "small": suite.grant([to("127.0.0.1:*")], explain=True, auth=suite.tokens(EXPLAINED),
                         limits={"channels": 1, "message_bytes": "1KiB"}),
}, dialects=["raw", "wisp"])
CONNECT, DATA, CONTINUE, CLOSE, INFO = 1, 2, 3, 4, 5


def in_protocol(token):
    return "auth." + base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


def packet(kind, stream, payload=b""):
    return struct.pack("<BI", kind, stream) + payload


def connect(stream, host, port, kind=1):
    return packet(CONNECT, stream, struct.pack("<BH", kind, port) + host.encode())


class Wisp(suite.SuiteCase):
    rules = RULES
    seconds = 300

    def url(self):
        return "ws://%s:%d/wisp/" % self.suite.address

    def test_conformance(self):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", os.path.join(HERE, "..", "wisp", "suite.py"),
             self.url(), "--tcp", "127.0.0.1:0", "--udp", "127.0.0.1:0",
             "--denied", "127.0.0.2", "--unknown", "nothing.invalid"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=280)
        wrong = [line for line in done.stdout.splitlines() if not line.startswith("ok ")]
        self.assertEqual(done.returncode, 0, "\n".join(wrong) + done.stderr)
        plan = int(done.stdout.splitlines()[1].split("..")[1])
        self.assertGreater(plan, 80)
        self.assertEqual(done.stdout.count("\nok "), plan)

    # --- wisp-js ----------------------------------------------------------------------

    def wisp_js(self, version, query=""):
        nodejs.need_ws()
        module = os.path.join(nodejs.MODULES, "@mercuryworkshop", "wisp-js")
        if not os.path.isdir(module):
            raise unittest.SkipTest("no npm package @mercuryworkshop/wisp-js")
        refused = targets.closed_port()
        with targets.Echo() as tcp, targets.UdpEcho() as udp, refused:
            done = subprocess.run(
                ["node", os.path.join(HERE, "wisp_client.mjs"),
                 os.path.join(module, "dist", "wisp-client.cjs"), self.url() + query, str(version),
                 str(tcp.port), str(udp.port), str(refused.getsockname()[1])],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        saw = json.loads(done.stdout.splitlines()[-1])
        self.assertEqual(saw["version"], version)
        self.assertEqual(saw["credit"], 128)
        self.assertIs(saw["tcp"], True)
        self.assertEqual(saw["datagram"], "question")
        return saw

    def test_wisp_js_version_1(self):
        saw = self.wisp_js(1)
        self.assertIsNone(saw["motd"])
        self.assertEqual((saw["refused"], saw["unknown"]), (0x44, 0x42))

    def test_wisp_js_version_2(self):
        saw = self.wisp_js(2)
        self.assertIs(saw["udp"], True)
        self.assertIn("64 streams", saw["motd"])
        self.assertIn("1048576 bytes", saw["motd"])
        self.assertEqual((saw["refused"], saw["unknown"]), (0x44, 0x42))

    def test_wisp_js_with_a_token(self):
        """It takes no URL but one that ends with a slash."""
        saw = self.wisp_js(2, "?token=%s&/" % suite.TOKEN)
        self.assertEqual((saw["refused"], saw["unknown"]), (0x42, 0x42))
        self.assertTrue(self.suite.records("authenticated", grant="quiet"))

    # --- paths and tokens -----------------------------------------------------------------

    def test_paths(self):
        for path in ("/wisp", "/wisp/", "/wisp/?x=y"):
            with self.subTest(path), self.suite.connect(path) as client:
                self.assertEqual(client.recv(), (wsclient.BINARY, packet(
                    CONTINUE, 0, struct.pack("<I", 128))))
                self.assertEqual(client.finish()[0], 1000)
        for path in ("/wisp//", "/wisp/x", "/Wisp/", "/wisps/"):
            with self.subTest(path), self.assertRaises(wsclient.Refused) as refused:
                self.suite.connect(path)
            self.assertEqual(refused.exception.answer.status, 404)

    def limits(self, *args, **how):
        """The message of the day that a session in version 2 gets."""
        with self.suite.connect(*args, **how) as client:
            _, info = client.recv()
            self.assertEqual(info[0], INFO)
            return info

    def test_tokens(self):
        small = b"at most 1 streams at a time, and 1024 bytes in a message"
        self.assertNotIn(small, self.limits("/wisp/", protocols=["wisp-v2"]))
        self.assertIn(small, self.limits("/wisp/?token=" + EXPLAINED, protocols=["wisp-v2"]))
        self.assertIn(small, self.limits("/wisp/", protocols=["wisp-v2", in_protocol(EXPLAINED)]))
        self.assertIn(small, self.limits("/wisp/", protocols=["wisp-v2"], headers=[
            ("Authorization", "Bearer " + EXPLAINED)]))
        with self.suite.connect("/wisp/?token=wrong-token-0123456789") as client:
            self.assertEqual(client.recv_close()[0], 4001)

    def test_a_token_alone_is_no_version_2(self):
        with self.suite.connect("/wisp/", protocols=[in_protocol(EXPLAINED)]) as client:
            self.assertIsNone(client.answer.header("sec-websocket-protocol"))
            self.assertEqual(client.recv()[1][:5], packet(CONTINUE, 0))

    # --- what the policy says ---------------------------------------------------------------

    def reason(self, path, *destination):
        with self.suite.connect(path) as client:
            client.recv()
            client.send(connect(1, *destination))
            _, answer = client.recv()
            self.assertEqual(answer[:5], packet(CLOSE, 1))
            return answer[5]

    def test_reasons(self):
        for host, reason in (("10.0.0.1", 0x48), ("127.0.0.2", 0x48), ("a b", 0x41),
                             ("", 0x41), ("nothing.invalid", 0x42)):
            with self.subTest(host):
                self.assertEqual(self.reason("/wisp/", host, 80), reason)

    def test_without_explanations(self):
        with targets.closed_port() as closed:
            for host, port in (("10.0.0.1", 80), ("127.0.0.1", closed.getsockname()[1]),
                               ("a b", 80)):
                with self.subTest(host):
                    self.assertEqual(self.reason("/wisp/?token=" + suite.TOKEN, host, port), 0x42)

    def test_a_malformed_host_is_on_record(self):
        self.assertEqual(self.reason("/wisp/", "not a name", 80), 0x41)
        record = self.suite.wait_record("refused", host="not a name")
        self.assertEqual(record["reason"], "name-invalid")
        self.assertEqual(record["dialect"], "wisp")

    def test_one_stream_too_many(self):
        with targets.Hold() as target:
            with self.suite.connect("/wisp/?token=" + EXPLAINED) as client:
                client.recv()
                client.send(connect(1, "127.0.0.1", target.port))
                self.assertEqual(client.recv()[1], packet(DATA, 1, b"hello\n"))
                client.send(connect(2, "127.0.0.1", target.port))
                self.assertEqual(client.recv()[1], packet(CLOSE, 2, b"\x49"))
                client.send(packet(DATA, 1, b"still there"))
                self.assertEqual(client.finish()[0], 1000)
            self.assertEqual(target.wait_seen().head, b"still there")

    def test_a_message_too_long(self):
        with self.suite.connect("/wisp/?token=" + EXPLAINED) as client:
            client.recv()
            client.send(packet(DATA, 1, bytes(1020)))
            self.assertEqual(client.recv_close()[0], 1009)

    def test_counts_on_record(self):
        with targets.Echo() as tcp, targets.UdpEcho() as udp, self.suite.connect("/wisp/") as client:
            client.recv()
            client.send(connect(1, "127.0.0.1", tcp.port))
            client.send(packet(DATA, 1, b"x" * 300))
            self.assertEqual(client.recv()[1], packet(DATA, 1, b"x" * 300))
            client.send(connect(2, "127.0.0.1", udp.port, 2))
            client.send(packet(DATA, 2, b"y" * 200))
            self.assertEqual(client.recv()[1], packet(DATA, 2, b"y" * 200))
            client.finish()
            for protocol, port, n in (("tcp", tcp.port, 300), ("udp", udp.port, 200)):
                with self.subTest(protocol):
                    granted = self.suite.wait_record("granted", peer_port=port)
                    self.assertEqual(granted["protocol"], protocol)
                    end = self.suite.wait_record("stream-end", peer_port=port)
                    # The kernel does not count datagrams: there the claim is all there is.
                    kind = "claimed" if protocol == "udp" else "bytes"
                    self.assertEqual((end[kind + "_up"], end[kind + "_down"]), (n, n))


if __name__ == "__main__":
    sys.exit(tap.main())
