#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""TLS to the destination through the real programs: certificates, ends, floods, records."""

import contextlib
import os
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import certs
import suite
import tap
import targets
from suite import to
from tlstalk import Wasmnet, rules

BIG = 8 << 20
WORDS = {"expired": "tls-expired", "not-yet": "tls-not-yet-valid",
         "other-host": "tls-wrong-host",
         "unknown": "tls-unknown-issuer", "self-signed": "tls-unknown-issuer",
         "client": "tls-certificate"}


def setUpModule():
    global box
    box = unittest.enterModuleContext(certs.Box())


def plain(what):
    """A service that is not TLS's: what(socket)."""
    def run(sock, seen):
        seen.take(sock.recv(65536))
        what(sock)
    return targets.Target(run)


def trickle(sock, data):
    for at in range(len(data)):
        sock.sendall(data[at:at + 1])


class Tls(suite.SuiteCase):
    rules = rules()

    @classmethod
    def setUpClass(cls):
        cls.args = ("--trust", box.trust)
        super().setUpClass()

    def fails(self, target, text, host="localhost"):
        with Wasmnet(self.suite) as talk:
            event = talk.connect(target, host)
            self.assertEqual(event, {"ev": "error", "id": 1, "msg": "TLS error: " + text})

    def works(self, target, host="localhost"):
        with Wasmnet(self.suite) as talk:
            talk.opened(target, host).say("send", data=b"hello")
            self.assertEqual(talk.hear()["data"], b"hello")
            talk.say("close")
            self.assertEqual(talk.read_all(), b"")
        seen = target.wait_seen(len(target.seen) - 1)
        self.assertTrue(seen.wire.ended and seen.eof)  # close_notify, and it came as an end
        return seen

    # --- who is believed -----------------------------------------------------------------

    def test_certificates(self):
        issuer = "the destination's certificate is of an issuer that is not trusted here"
        for kind, text in (
                ("expired", "the destination's certificate has expired"),
                ("not-yet", "the destination's certificate is not valid yet"),
                ("other-host", "the destination's certificate is for another host"),
                ("unknown", issuer), ("self-signed", issuer),
                ("client", "the destination's certificate is not acceptable")):
            for host in ("localhost", "127.0.0.1"):
                with self.subTest(kind, host=host), box.serve(kind=kind) as target:
                    self.fails(target, text, host)
                    self.assertEqual(target.wait_seen().received, 0)
                    ended = self.suite.wait_record("stream-end", peer_port=target.port)
                    self.assertEqual(ended["claimed_reason"], WORDS[kind])

    def test_names_and_numbers(self):
        with box.serve() as target:
            self.works(target)
            self.works(target, "LOCALHOST.")
            self.works(target, "127.0.0.1")
            self.assertEqual([hello.sni for hello in target.hellos],
                             ["localhost", "localhost", None])
        with box.serve(kind="name-only") as target:
            self.works(target)
            self.fails(target, "the destination's certificate is for another host", "127.0.0.1")
        with box.serve(kind="number-as-name") as target:
            self.fails(target, "the destination's certificate is for another host", "127.0.0.1")

    def test_a_number_of_ipv6(self):
        with box.serve(address="::1") as target:
            self.works(target, "::1")

    def test_versions(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            for kind in ("good", "rsa"):
                with self.subTest(version, kind=kind), box.serve(kind=kind, version=version) as target:
                    self.assertEqual(self.works(target).version, version.name.replace("_", "."))
        with box.serve(version=ssl.TLSVersion.TLSv1_1) as target:
            self.fails(target, "TLS with the destination failed")

    def test_what_is_offered(self):
        with box.serve() as target:
            self.works(target)
            hello = target.hellos[0]
        self.assertNotIn(16, hello.extensions)  # ALPN
        self.assertNotIn(35, hello.extensions)  # session tickets
        self.assertNotIn(41, hello.extensions)  # pre-shared keys
        self.assertEqual(hello.extensions[43], b"\x04\x03\x04\x03\x03")  # versions

    @unittest.skipUnless(shutil.which("openssl"), "needs openssl")
    def test_ocsp_answers(self):
        """The ssl module sends no OCSP answer along; openssl(1) does."""
        def served(*more):
            return subprocess.Popen(
                ["openssl", "s_server", "-accept", "127.0.0.1:0", "-key", pem, "-cert", pem,
                 *more], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, text=True)
        pem = os.path.join(box.directory, "good.pem")
        for more, event in (((), {"ev": "connected", "id": 1}),
                            (("-status_file", box.valid()), {"ev": "connected", "id": 1}),
                            (("-status_file", box.expensive()),
                             {"ev": "error", "id": 1, "msg": "TLS error: the destination's "
                                                             "certificate is not acceptable"}),
                            (("-status_file", box.revoked()),
                             {"ev": "error", "id": 1, "msg": "TLS error: the destination's "
                                                             "certificate was revoked"})):
            with served(*more) as process, Wasmnet(self.suite) as talk:
                line = next(line for line in process.stdout if line.startswith("ACCEPT "))
                port = int(line.rsplit(":", 1)[1])
                talk.say("connect_tls", addr="localhost", port=port)
                heard = talk.hear()
                process.kill()
                self.assertEqual(heard, event)

    # --- who is no TLS server ----------------------------------------------------------------

    def test_no_tls(self):
        failed = "TLS with the destination failed"
        for name, what in (
                ("plain", lambda sock: sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")),
                ("garbage", lambda sock: sock.sendall(os.urandom(100000))),
                ("alert", lambda sock: sock.sendall(b"\x15\x03\x03\0\x02\x02\x28")),
                ("closes", lambda sock: None),
                ("half a record", lambda sock: sock.sendall(b"\x16\x03\x03\0\x7a\x02\0\0")),
                ("resets", lambda sock: sock.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)))):
            with self.subTest(name), plain(what) as target, Wasmnet(self.suite) as talk:
                event = talk.connect(target)
                self.assertEqual(event["ev"], "error")
                self.assertIn(event["msg"], ("TLS error: " + failed,) if name != "resets" else
                              ("TLS error: " + failed, "the connection could not be made"))
                self.assertEqual(target.seen[0].head[0], 22)

    def test_a_flood_before_the_handshake_is_left(self):
        def flood(sock):
            while True:
                sock.sendall(b"\x15\x03\x03\0\x02\x01\x5a" * 10000)
        with plain(flood) as target:
            self.fails(target, "TLS with the destination failed")
            self.assertIsInstance(target.wait_seen().error, OSError)

    def test_a_byte_at_a_time(self):
        def slow(sock, seen):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            wire = certs.Plain(sock, box.context())
            wire.put = lambda data: trickle(sock, data)
            seen.wire = wire
            wire.handshake()
            targets.Echo.serve(None, wire, seen)
        with targets.Target(slow) as target:
            self.works(target)

    # --- data -------------------------------------------------------------------------------------

    def test_large_both_ways(self):
        up = targets.pattern(3, BIG)

        def swap(wire, seen):
            # Its end is wasmnet's `closed', so it comes when all has come.
            other = threading.Thread(target=targets.drain, args=(wire, seen), daemon=True)
            other.start()
            wire.sendall(targets.pattern(4, BIG))
            other.join(60)
            wire.shutdown(socket.SHUT_WR)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version), box.serve(swap, version=version) as target, \
                    Wasmnet(self.suite) as talk:
                talk.opened(target)

                def send():
                    for at in range(0, BIG, 100003):
                        talk.say("send", data=up[at:at + 100003])
                    talk.say("close")
                sender = threading.Thread(target=send)
                sender.start()
                down = []
                while True:
                    event = talk.hear()
                    if event["ev"] == "closed":
                        break
                    down.append(event["data"])
                sender.join(30)
                self.assertEqual(targets.digest(b"".join(down)),
                                 targets.digest(targets.pattern(4, BIG)))
                seen = target.wait_seen()
                self.assertEqual((seen.received, seen.hash.hexdigest(), seen.wire.ended),
                                 (BIG, targets.digest(up), True))

    def test_half_closes(self):
        # ours first: the answer depends on all that was sent
        with box.serve(targets.Sink()) as target, Wasmnet(self.suite) as talk:
            talk.opened(target).say("send", data=b"x" * 70000)
            talk.say("close")
            self.assertEqual(talk.read_all(), b"70000 %s\n" % targets.digest(
                b"x" * 70000).encode())
        # and theirs
        with box.serve(targets.Source(300000, 5)) as target, Wasmnet(self.suite) as talk:
            talk.opened(target)
            self.assertEqual(talk.read_all(), targets.pattern(5, 300000))
            self.assertTrue(target.wait_seen().wire.ended)

    def test_sent_before_connected(self):
        with box.serve() as target, Wasmnet(self.suite) as talk:
            talk.say("connect_tls", addr="localhost", port=target.port)
            talk.say("send", data=b"early")
            self.assertEqual(talk.hear(), {"ev": "connected", "id": 1})
            self.assertEqual(talk.hear()["data"], b"early")
        with box.serve(kind="unknown") as target, Wasmnet(self.suite) as talk:
            talk.say("connect_tls", addr="localhost", port=target.port)
            talk.say("send", data=b"early")
            self.assertEqual(talk.hear()["ev"], "error")
            self.assertEqual(target.wait_seen().received, 0)

    def test_a_client_that_reads_nothing(self):
        with box.serve(targets.Endless()) as target, Wasmnet(self.suite) as talk:
            talk.opened(target)
            sent = targets.wait_until(lambda: target.seen[0].sent, what="the first bytes")
            # The worker keeps no more than a record: the rest is in the kernel's buffers.
            last = -1
            while sent != last:
                last = sent
                threading.Event().wait(0.5)
                sent = target.seen[0].sent
            self.assertLess(sent, 64 << 20)
            worker = self.suite.sessions()[-1]
            self.assertLess(int(suite.status_of(worker)["VmHWM"].split()[0]), 32 << 10)

    def test_a_destination_that_reads_nothing(self):
        stop = threading.Event()

        def hold(_wire, _seen):
            stop.wait(30)
        with box.serve(targets.Target(hold)) as target, Wasmnet(self.suite) as talk:
            talk.opened(target)
            talk.ws.sock.settimeout(2)
            sent = 0
            with self.assertRaises(TimeoutError):
                while sent < 64 << 20:
                    talk.say("send", data=bytes(60000))
                    sent += 60000
            stop.set()
            self.assertLess(sent, 64 << 20)

    # --- on record ----------------------------------------------------------------------------------

    def test_record(self):
        with box.serve() as target, Wasmnet(self.suite) as talk:
            talk.opened(target).say("send", data=b"counted")
            talk.hear()
            talk.say("close")
            talk.read_all()
            port, wire = target.port, target.wait_seen().wire
        granted = [r for r in self.suite.records("granted") if r["peer_port"] == port]
        self.assertEqual(len(granted), 1)
        self.assertEqual((granted[0]["protocol"], granted[0]["host"], granted[0]["rule"]),
                         ("tls", "localhost", "localhost:*"))
        ended = suite.wait_for(lambda: [r for r in self.suite.records("stream-end")
                                        if r["peer_port"] == port])[0]
        self.assertEqual((ended["protocol"], ended["peer"], ended["reason"]),
                         ("tls", "127.0.0.1", "peer-closed"))
        # What the kernel counts is what the far end took from its socket; so is the claim.
        self.assertEqual(ended["bytes_up"], wire.heard)
        self.assertEqual(ended["bytes_up"], ended["claimed_up"])
        self.assertEqual(ended["bytes_down"], ended["claimed_down"])


class Policy(suite.SuiteCase):
    """The protocol of a rule is tls, or it is not."""

    rules = suite.policy({"open": suite.grant([to("127.0.0.1:*"), to("localhost:*", ("tls",),
                                                                     private=True)])},
                         dialects=["wasmnet"])

    @classmethod
    def setUpClass(cls):
        cls.args = ("--trust", box.trust)
        super().setUpClass()

    def test_protocols(self):
        with box.serve() as target, Wasmnet(self.suite) as talk:
            talk.opened(target)
            self.assertEqual(talk.connect(target, "127.0.0.1", 2)["ev"], "denied")
            talk.say("connect", 3, addr="localhost", port=target.port)
            self.assertEqual(talk.hear()["ev"], "denied")


class Siblings(unittest.TestCase):
    """Sessions that were forked from one template share nothing that is random."""

    def test_no_two_hellos_are_alike(self):
        for spawn in ("fork", "exec"):
            with suite.Suite(rules(), args=["--trust", box.trust, "--spawn", spawn]) as one, \
                    box.serve() as target, contextlib.ExitStack() as stack:
                template = one.template() if spawn == "fork" else None
                for _ in range(40):
                    stack.enter_context(Wasmnet(one)).opened(target)
                self.assertEqual(len(one.sessions()), 40)
                if template:
                    self.assertEqual(one.template(), template)
                self.assertEqual(len(target.hellos), 40)
                for what in ("random", "session", "shares"):
                    seen = [str(getattr(hello, what)) for hello in target.hellos]
                    self.assertEqual(len(set(seen)), 40, what)


if __name__ == "__main__":
    sys.exit(tap.main())
