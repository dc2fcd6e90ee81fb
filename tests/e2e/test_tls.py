#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""TLS to the destination, in the dialects that have it, through the real programs."""

import base64
import contextlib
import json
import os
import shutil
import signal
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

ALL = ("tcp", "tls")
RULES = [to("127.0.0.1:*", ALL), to("%s:*" % certs.NUMBER, ALL), to("[::1]:*", ALL),
         to("localhost:*", ALL, private=True)]
BIG = 8 << 20
WORDS = {"expired": "tls-expired", "not-yet": "tls-not-yet-valid",
         "other-host": "tls-wrong-host",
         "unknown": "tls-unknown-issuer", "self-signed": "tls-unknown-issuer",
         "client": "tls-certificate"}


def rules(seconds=10, **more):
    return suite.policy({"open": suite.grant(RULES, limits={"connect_timeout": "%ds" % seconds},
                                             **more)},
                        dialects=["raw", "netproxy", "wasmnet"])


def setUpModule():
    global box
    box = unittest.enterModuleContext(certs.Box())


class Wasmnet:
    """A wasmnet session, in JSON."""

    def __init__(self, one):
        self.ws = one.connect("/wasmnet")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ws.sock.close()

    def say(self, op, id=1, **members):
        if "data" in members:
            members["data"] = base64.b64encode(members["data"]).decode()
        self.ws.send_text(json.dumps(dict(members, op=op, id=id)))

    def hear(self):
        event = json.loads(self.ws.recv()[1])
        if "data" in event:
            event["data"] = base64.b64decode(event["data"], validate=True)
        return event

    def connect(self, target, host="localhost", id=1):
        self.say("connect_tls", id, addr=host, port=target.port)
        return self.hear()

    def opened(self, target, host="localhost", id=1):
        event = self.connect(target, host, id)
        assert event == {"ev": "connected", "id": id}, event
        return self

    def read_all(self):
        """What comes up to `closed', and that nothing comes behind it."""
        data = []
        while True:
            event = self.hear()
            if event["ev"] == "closed":
                break
            assert event["ev"] == "data", event
            data.append(event["data"])
        self.say("listen", 99)
        assert self.hear() == {"ev": "listening", "id": 99, "port": 0}
        return b"".join(data)


def serve(service=None, kind="good", address="127.0.0.1", **how):
    return certs.Serve(service or targets.Echo(), box.context(kind, **how), address=address)


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
                with self.subTest(kind, host=host), serve(kind=kind) as target:
                    self.fails(target, text, host)
                    self.assertEqual(target.wait_seen().received, 0)
                    ended = self.suite.wait_record("stream-end", peer_port=target.port)
                    self.assertEqual(ended["claimed_reason"], WORDS[kind])

    def test_names_and_numbers(self):
        with serve() as target:
            self.works(target)
            self.works(target, "LOCALHOST.")
            self.works(target, "127.0.0.1")
            self.assertEqual([hello.sni for hello in target.hellos],
                             ["localhost", "localhost", None])
        with serve(kind="name-only") as target:
            self.works(target)
            self.fails(target, "the destination's certificate is for another host", "127.0.0.1")
        with serve(kind="number-as-name") as target:
            self.fails(target, "the destination's certificate is for another host", "127.0.0.1")

    def test_a_number_of_ipv6(self):
        with serve(address="::1") as target:
            self.works(target, "::1")

    def test_versions(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            for kind in ("good", "rsa"):
                with self.subTest(version, kind=kind), serve(kind=kind, version=version) as target:
                    self.assertEqual(self.works(target).version, version.name.replace("_", "."))
        with serve(version=ssl.TLSVersion.TLSv1_1) as target:
            self.fails(target, "TLS with the destination failed")

    def test_what_is_offered(self):
        with serve() as target:
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
            with self.subTest(version), serve(swap, version=version) as target, \
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
        with serve(targets.Sink()) as target, Wasmnet(self.suite) as talk:
            talk.opened(target).say("send", data=b"x" * 70000)
            talk.say("close")
            self.assertEqual(talk.read_all(), b"70000 %s\n" % targets.digest(
                b"x" * 70000).encode())
        # and theirs
        with serve(targets.Source(300000, 5)) as target, Wasmnet(self.suite) as talk:
            talk.opened(target)
            self.assertEqual(talk.read_all(), targets.pattern(5, 300000))
            self.assertTrue(target.wait_seen().wire.ended)

    def test_sent_before_connected(self):
        with serve() as target, Wasmnet(self.suite) as talk:
            talk.say("connect_tls", addr="localhost", port=target.port)
            talk.say("send", data=b"early")
            self.assertEqual(talk.hear(), {"ev": "connected", "id": 1})
            self.assertEqual(talk.hear()["data"], b"early")
        with serve(kind="unknown") as target, Wasmnet(self.suite) as talk:
            talk.say("connect_tls", addr="localhost", port=target.port)
            talk.say("send", data=b"early")
            self.assertEqual(talk.hear()["ev"], "error")
            self.assertEqual(target.wait_seen().received, 0)

    def test_a_client_that_reads_nothing(self):
        with serve(targets.Endless()) as target, Wasmnet(self.suite) as talk:
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
        with serve(targets.Target(hold)) as target, Wasmnet(self.suite) as talk:
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
        with serve() as target, Wasmnet(self.suite) as talk:
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


class Netproxy:
    """A netproxy session."""

    def __init__(self, one):
        self.ws = one.connect("/netproxy")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ws.sock.close()

    def say(self, kind, **members):
        self.ws.send_text(json.dumps(dict(members, t=kind, id=1)))

    def hear(self):
        return json.loads(self.ws.recv()[1])

    def open(self, port=443, host=certs.NUMBER):
        self.say("open", host=host, port=port)
        return self.hear()


@tap.needs_root
class NetproxyPort(suite.SuiteCase):
    """Port 443, which is TLS in netproxy and takes root to listen on."""

    rules = rules(seconds=1)

    @classmethod
    def setUpClass(cls):
        cls.args = ("--trust", box.trust)
        super().setUpClass()

    def at_443(self, service=None, kind="good"):
        return certs.Serve(service or targets.Echo(), box.context(kind), address=certs.NUMBER,
                           port=443)

    def test_messages(self):
        with self.at_443() as target, Netproxy(self.suite) as talk:
            self.assertEqual(talk.open(), {"t": "opened", "id": 1})
            talk.say("write", b64="aGVsbG8=")
            self.assertEqual(talk.hear(), {"t": "data", "id": 1, "b64": "aGVsbG8="})
            talk.say("close")
            self.assertEqual(talk.hear(), {"t": "closed", "id": 1})
            self.assertTrue(target.wait_seen().wire.ended)

    def test_port_80_is_as_it_was(self):
        with targets.Echo(address=certs.NUMBER, port=80) as target, Netproxy(self.suite) as talk:
            self.assertEqual(talk.open(80)["t"], "opened")
            talk.say("write", b64="aGVsbG8=")
            self.assertEqual(talk.hear()["b64"], "aGVsbG8=")
            self.assertEqual(target.seen[0].head, b"hello")

    def test_failures(self):
        for kind, text in (("expired", "the destination's certificate has expired"),
                           ("other-host", "the destination's certificate is for another host")):
            with self.subTest(kind), self.at_443(kind=kind), Netproxy(self.suite) as talk:
                self.assertEqual(talk.open(), {"t": "error", "id": 1,
                                               "msg": "Connection failed: " + text})
                # the id is free again
                self.assertEqual(talk.open()["t"], "error")

    def test_a_server_that_never_answers(self):
        with targets.Target(targets.drain, address=certs.NUMBER, port=443), \
                Netproxy(self.suite) as talk:
            talk.say("open", host=certs.NUMBER, port=443)
            talk.say("write", b64="c2VjcmV0")
            self.assertEqual(talk.hear(), {"t": "error", "id": 1, "msg": "Connection timeout"})

    def test_truncation_is_no_end(self):
        def cut(wire, seen):
            wire.sendall(b"half of it")
            wire.sock.shutdown(socket.SHUT_WR)
            targets.drain(wire.sock, seen)
        with self.at_443(cut), Netproxy(self.suite) as talk:
            self.assertEqual(talk.open()["t"], "opened")
            self.assertEqual(base64.b64decode(talk.hear()["b64"]), b"half of it")
            self.assertEqual(talk.hear(), {
                "t": "error", "id": 1, "msg": "Connection failed: the destination broke off "
                                              "without ending TLS in order"})

    def test_an_end_in_order(self):
        with self.at_443(targets.Source(100000, 6)), Netproxy(self.suite) as talk:
            self.assertEqual(talk.open()["t"], "opened")
            data = b""
            while len(data) < 100000:
                data += base64.b64decode(talk.hear()["b64"])
            self.assertEqual(data, targets.pattern(6, 100000))
            self.assertEqual(talk.hear(), {"t": "closed", "id": 1})


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
        with serve() as target, Wasmnet(self.suite) as talk:
            talk.opened(target)
            self.assertEqual(talk.connect(target, "127.0.0.1", 2)["ev"], "denied")
            talk.say("connect", 3, addr="localhost", port=target.port)
            self.assertEqual(talk.hear()["ev"], "denied")


class Siblings(unittest.TestCase):
    """Sessions that were forked from one template share nothing that is random."""

    def test_no_two_hellos_are_alike(self):
        for spawn in ("fork", "exec"):
            with suite.Suite(rules(), args=["--trust", box.trust, "--spawn", spawn]) as one, \
                    serve() as target, contextlib.ExitStack() as stack:
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


class Stores(unittest.TestCase):
    """What the trust store is, and what is without one."""

    def refused(self, one):
        with serve() as target, Wasmnet(one) as talk:
            self.assertEqual(talk.connect(target), {
                "ev": "error", "id": 1,
                "msg": "TLS error: the server has no trust store, so no TLS is made"})
            self.assertEqual(target.wait_seen().wire.heard, 0)
        with targets.Echo() as target, one.connect(target.path()) as client:
            client.send(b"x")
            self.assertEqual(client.recv_bytes(1), b"x")
            client.finish()

    def test_no_certificate_in_it(self):
        for spawn in ("fork", "exec"):
            with suite.Suite(rules(), args=["--trust", "/etc/hostname", "--spawn", spawn]) as one:
                self.refused(one)

    @tap.needs_root
    def test_unreadable(self):
        path = box.write("closed.pem", box.trusted.pem)
        os.chmod(path, 0o600)  # the listener has another uid
        for spawn in ("fork", "exec"):
            with suite.Suite(rules(), args=["--trust", path, "--spawn", spawn]) as one:
                self.refused(one)
                self.assertEqual(one.stderr().count(
                    "cannot read the trust store %s, so TLS streams are refused: "
                    "Permission denied" % path), 1)

    def test_missing(self):
        done = suite.sockward("run", "--listen", "127.0.0.1:0", "--policy", "/dev/null",
                              "--trust", "/nonexistent/store.pem")
        self.assertNotEqual(done.returncode, 0)

    def test_a_new_template_reads_it_again(self):
        path = box.write("changing.pem", box.other.pem)
        with suite.Suite(rules(), args=["--trust", path]) as one, serve() as target:
            with Wasmnet(one) as talk:
                self.assertEqual(talk.connect(target)["ev"], "error")
            os.rename(box.write("next.pem", box.trusted.pem), path)
            old = one.template()
            os.kill(old, signal.SIGKILL)
            suite.wait_for(lambda: one.template() != old, what="the old template's end")
            with Wasmnet(one) as talk:  # which has a new one made
                talk.opened(target)


if __name__ == "__main__":
    tap.main()
