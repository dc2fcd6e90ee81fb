#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Who asks for metrics and status: at sockets where no order is taken, and by one HTTP
request."""

import contextlib
import os
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import ipcwire as wire
import openmetrics
import suite
import tap
import targets
from test_metrics import RULES, TYPE, numbers, status


class Sockets(suite.SuiteCase):
    rules = RULES

    def client(self, name):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.addCleanup(sock.close)
        sock.settimeout(10)
        sock.connect(os.path.join(self.suite.runtime, name + ".sock"))
        return sock

    def ask(self, sock, name):
        sock.send(wire.number_of(name).to_bytes(4, sys.byteorder))
        return len(sock.recv(65536))

    def test_no_orders_are_taken(self):
        for name in ("status", "metrics"):
            for message, size in (("CTL_LIST", 8), ("CTL_KILL", 16), ("CTL_DRAIN", 16),
                                  ("RECORD", 1328), ("CTL_STATUS", 5), ("METRICS", 5)):
                with self.subTest(name=name, message=message):
                    sock = self.client(name)
                    sock.send(wire.number_of(message).to_bytes(4, sys.byteorder) + bytes(size - 4))
                    self.assertTrue(wire.cut_off(sock))
        self.assertEqual(status(self.suite)[0], 0)

    def test_many_clients_keep_nobody_out(self):
        for name, question, size in (("status", "CTL_STATUS", 256), ("metrics", "METRICS", 2240)):
            with self.subTest(name):
                silent = [self.client(name) for _ in range(20)]
                self.assertEqual(self.ask(self.client(name), question), size)
                self.assertTrue(all(wire.cut_off(sock) for sock in silent[:16]))
        self.assertEqual(self.suite.control("sessions").returncode, 0)
        self.assertEqual(status(self.suite)[0], 0)

    def test_one_that_never_reads(self):
        for name, question in (("status", "CTL_STATUS"), ("metrics", "METRICS")):
            sock = self.client(name)
            sock.setblocking(False)
            message = wire.number_of(question).to_bytes(4, sys.byteorder)
            with contextlib.suppress(OSError):
                for _ in range(100000):
                    sock.send(message)
            with targets.Echo() as target, self.suite.connect(target.path()) as client:
                client.send(b"x")
                self.assertEqual(client.recv_bytes(1), b"x")
                client.finish()
        self.assertEqual(status(self.suite)[0], 0)
        self.assertEqual(numbers(self.suite)["sockward_up", "part=auditor"], 1)


class Http(suite.SuiteCase):
    rules = RULES
    seconds = 90
    ASK = b"GET /metrics HTTP/1.1\r\nHost: x\r\n"

    def start(self, stdin, **how):
        return subprocess.Popen([suite.SOCKWARD, "metrics", "--http", "--runtime-dir",
                                 self.suite.runtime], stdin=stdin, stderr=subprocess.PIPE, **how)

    def once(self, data, end=True):
        """What a connection gets; the command must end with 0 and say nothing."""
        ours, theirs = socket.socketpair()
        ours.settimeout(20)
        with ours:
            process = self.start(theirs, stdout=theirs)
            theirs.close()
            got = b""
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                ours.sendall(data)
                if end:
                    ours.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionResetError):
                while True:
                    more = ours.recv(65536)
                    if not more:
                        break
                    got += more
            said = process.communicate(timeout=20)[1]
        self.assertEqual((process.returncode, said), (0, b""), data[:80])
        return got

    def check(self, got, wanted, body=True):
        """An answer of exactly its length; returns the headers and the body."""
        head, _, text = got.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        self.assertEqual(lines[0].split(" ")[:2], ["HTTP/1.1", str(wanted)], got[:200])
        headers = dict(line.split(": ", 1) for line in lines[1:])
        self.assertEqual(len(headers), len(lines) - 1)
        self.assertEqual(headers["Connection"], "close")
        self.assertEqual(len(text), int(headers["Content-Length"]) if body else 0)
        return headers, text.decode()

    def test_one_request(self):
        for ask in (self.ASK + b"\r\n", self.ASK + b"Accept: a\r\nX: \xff\ty\r\n\r\n",
                    self.ASK + b"content-length: 0\r\n\r\n",
                    b"GET /metrics HTTP/1.0\r\n\r\n", self.ASK + b"\r\n" + self.ASK + b"\r\n"):
            headers, text = self.check(self.once(ask, end=False), 200)
            self.assertEqual(headers["Content-Type"], TYPE)
            found = openmetrics.parse(text)
            self.assertEqual(found["sockward_up", "part=listener"], 1)
            self.assertEqual(found["sockward_up", "part=auditor"], 1)

    def test_head(self):
        headers, _ = self.check(self.once(b"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), 200,
                                body=False)
        self.assertEqual(headers["Content-Type"], TYPE)
        self.assertGreater(int(headers["Content-Length"]), 1000)

    def test_bad_requests(self):
        rest = b" HTTP/1.1\r\nHost: x\r\n\r\n"
        for data, wanted in (
                (b"GET /" + rest, 404), (b"GET /metrics/" + rest, 404),
                (b"GET /metrics?a=b" + rest, 404), (b"GET /%6detrics" + rest, 404),
                (b"GET /../metrics" + rest, 404), (b"POST /x" + rest, 404),
                (b"GET http://x/metrics" + rest, 404), (b"GET * HTTP/1.0\r\n\r\n", 404),
                (b"POST /metrics" + rest, 405), (b"get /metrics" + rest, 405),
                (b"OPTIONS /metrics" + rest, 405), (b"TRACE /metrics" + rest, 405),
                (b"GET /metrics HTTP/2.0\r\n\r\n", 505), (b"GET /metrics HTTP/0.9\r\n\r\n", 505),
                (b"GET /metrics\r\n\r\n", 400), (b"GET  /metrics" + rest, 400),
                (b"GET /metrics  HTTP/1.1\r\nHost: x\r\n\r\n", 400), (b"\r\n\r\n", 400),
                (b"GET /metrics http/1.1\r\nHost: x\r\n\r\n", 400), (b" GET /metrics" + rest, 400),
                (b"GET /metrics HTTP/1.1\r\n\r\n", 400), (b"GET /met\0rics" + rest, 400),
                (self.ASK + b"Host: y\r\n\r\n", 400), (self.ASK + b" folded\r\n\r\n", 400),
                (self.ASK + b"No colon\r\n\r\n", 400), (self.ASK + b"A : b\r\n\r\n", 400),
                (self.ASK + b": b\r\n\r\n", 400), (self.ASK + b"A: b\0\r\n\r\n", 400),
                (self.ASK + b"A: b\rc\r\n\r\n", 400), (self.ASK + b"A\x80: b\r\n\r\n", 400),
                (self.ASK + b"Content-Length: 1\r\n\r\nx", 400),
                (self.ASK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
                (b"GET /metrics HTTP/1.1\nHost: x\n\n", 400), (self.ASK, 400), (b"G", 400),
                (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), 400),
                (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
                (b"GET /" + b"x" * 9000, 431), (self.ASK + b"A: b\r\n" * 3000, 431),
                (b"x" * 200000, 431)):
            with self.subTest(data[:40]):
                got = self.once(data)
                headers, text = self.check(got, wanted, body=not data.startswith(b"HEAD"))
                self.assertEqual(headers.get("Allow"), "GET, HEAD" if wanted == 405 else None)
                self.assertNotIn("sockward", text)

    def test_a_head_of_8_kib_and_one_byte_more(self):
        ask = self.ASK + b"A: "
        ask += b"b" * (8192 - len(ask) - 4)
        self.check(self.once(ask + b"\r\n\r\n", end=False), 200)
        self.check(self.once(ask + b"b\r\n\r\n", end=False), 431)

    def test_nobody_speaks(self):
        self.assertEqual(self.once(b""), b"")
        self.check(self.once(self.ASK, end=False), 408)

    def test_one_that_does_not_wait(self):
        ours, theirs = socket.socketpair()
        with ours:
            process = self.start(theirs, stdout=theirs)
            theirs.close()
            ours.sendall(self.ASK + b"\r\n")
        process.communicate(timeout=20)
        self.assertEqual(process.returncode, 0)

    def test_a_suite_that_is_gone(self):
        ours, theirs = socket.socketpair()
        with ours:
            done = subprocess.Popen([suite.SOCKWARD, "metrics", "--http", "--runtime-dir",
                                     "/nonexistent"], stdin=theirs, stdout=theirs)
            theirs.close()
            ours.settimeout(20)
            ours.sendall(self.ASK + b"\r\n")
            got = b"".join(iter(lambda: ours.recv(65536), b""))
            self.assertEqual(done.wait(20), 0)
        _, text = self.check(got, 200)
        self.assertEqual(set(openmetrics.parse(text).values()), {0})

    def test_a_directory_is_named(self):
        environ = {k: v for k, v in os.environ.items() if k != "SOCKWARD_RUNTIME_DIR"}
        done = subprocess.run([suite.SOCKWARD, "metrics", "--http"], stdin=subprocess.DEVNULL,
                              capture_output=True, env=environ, timeout=20)
        self.assertEqual(done.returncode, 2)

    def test_a_listening_socket(self):
        """As systemd's Accept=no with StandardInput=socket: one that is slow holds up no other."""
        for family, where in ((socket.AF_INET, ("127.0.0.1", 0)),
                              (socket.AF_UNIX, os.path.join(self.suite.directory, "http"))):
            with socket.socket(family) as door:
                door.bind(where)
                door.listen(16)
                process = self.start(door, stdout=subprocess.DEVNULL)
                try:
                    slow = [socket.socket(family) for _ in range(4)]
                    for one in slow:
                        one.connect(door.getsockname())
                        one.send(b"GET /")
                    for _ in range(20):
                        with socket.socket(family) as one:
                            one.settimeout(20)
                            one.connect(door.getsockname())
                            one.sendall(self.ASK.replace(b"x", b"localhost") + b"\r\n")
                            got = b"".join(iter(lambda: one.recv(65536), b""))
                        _, text = self.check(got, 200)
                        openmetrics.parse(text)
                    # A page's own name, which leads to this host: not on loopback.
                    with socket.socket(family) as one:
                        one.settimeout(20)
                        one.connect(door.getsockname())
                        one.sendall(self.ASK + b"\r\n")
                        got = b"".join(iter(lambda: one.recv(65536), b""))
                    self.check(got, 421 if family == socket.AF_INET else 200)
                    for one in slow:
                        one.close()
                    self.assertIsNone(process.poll())
                finally:
                    process.kill()
                    process.communicate()


if __name__ == "__main__":
    sys.exit(tap.main())
