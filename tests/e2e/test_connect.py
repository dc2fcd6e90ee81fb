#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""`sockward connect`: standard input and output through a session."""

import hashlib
import os
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import suite
import tap
import targets
from suite import to

TARGETS = [to("127.0.0.1:*"), to("[::1]:*"), to("localhost:*", private=True)]
RULES = suite.policy({
    "open": suite.grant(TARGETS, explain=True),
    "page": suite.grant(TARGETS, auth=suite.tokens(suite.TOKEN), origins=[suite.ORIGIN]),
})


class Connect(suite.SuiteCase):
    rules = RULES
    seconds = 120

    def url(self, path):
        return "ws://%s:%d%s" % (self.suite.address[0], self.suite.address[1], path)

    def run_connect(self, path, *args, stdin=b"", env=None):
        return subprocess.run([suite.SOCKWARD, "connect", self.url(path), *args], input=stdin,
                              capture_output=True, timeout=60,
                              env=dict(os.environ, **env) if env else None)

    def ok(self, done):
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        return done.stdout

    def refused(self, done, word):
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout, b"")
        self.assertIn(word, done.stderr.decode())
        self.assertEqual(done.stderr.count(b"\n"), 1, done.stderr)

    def test_an_echo(self):
        for host, address in (("127.0.0.1", "127.0.0.1"), ("localhost", "127.0.0.1"),
                              ("[::1]", "::1")):
            with self.subTest(host), targets.Echo(address=address) as target:
                self.assertEqual(self.ok(self.run_connect(target.path(host), stdin=b"hello\n")),
                                 b"hello\n")
                self.assertTrue(target.wait_seen().eof)

    def test_nothing_at_all(self):
        with targets.Echo() as target:
            self.assertEqual(self.ok(self.run_connect(target.path())), b"")

    def test_an_answer_after_the_end_of_input(self):
        data = os.urandom(100000)
        with targets.Sink() as target:
            self.assertEqual(self.ok(self.run_connect(target.path(), stdin=data)),
                             b"%d %s\n" % (len(data), hashlib.sha256(data).hexdigest().encode()))

    def test_the_service_ends_first(self):
        with targets.Source(1000) as target:
            self.assertEqual(self.ok(self.run_connect(target.path())), targets.pattern(1, 1000))

    def test_64_mib_both_ways(self):
        size = 64 << 20
        with targets.Swap(size, seed=9) as target:
            process = subprocess.Popen([suite.SOCKWARD, "connect", self.url(target.path())],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE)
            data = targets.pattern(10, size)

            def feed():
                process.stdin.write(data)
                process.stdin.close()
            feeding = threading.Thread(target=feed)
            feeding.start()
            got = hashlib.sha256()
            count = 0
            while True:
                piece = process.stdout.read(1 << 20)
                if not piece:
                    break
                got.update(piece)
                count += len(piece)
            feeding.join()
            self.assertEqual((process.wait(30), process.stderr.read()), (0, b""))
            process.stdout.close()
            process.stderr.close()
            seen = target.wait_seen(seconds=30)
        self.assertEqual((count, got.hexdigest()),
                         (size, targets.digest(targets.pattern(9, size))))
        self.assertEqual((seen.received, seen.hash.hexdigest()), (size, targets.digest(data)))

    def test_tokens_and_origins(self):
        with targets.Echo() as target:
            for args, env in ((["--token", suite.TOKEN, "--origin", suite.ORIGIN], None),
                              (["--origin", suite.ORIGIN], {"SOCKWARD_TOKEN": suite.TOKEN})):
                with self.subTest(args):
                    self.assertEqual(self.ok(self.run_connect(target.path(), *args, stdin=b"x",
                                                              env=env)), b"x")
            self.refused(self.run_connect(target.path(), "--token", "wrong-0123456789"),
                         "the token is not valid")
            self.refused(self.run_connect(target.path(), "--token", suite.TOKEN, "--origin",
                                          "http://evil.test"), "origin")

    def test_refusals(self):
        with targets.closed_port() as closed:
            self.refused(self.run_connect("/raw/10.0.0.1/80"), "no rule")
            self.refused(self.run_connect("/raw/127.0.0.1/%d" % closed.getsockname()[1]),
                         "refused the connection")
            self.refused(self.run_connect("/raw/127.1/80"), "not a valid name")

    def test_no_server_and_no_websocket(self):
        with targets.closed_port() as closed:
            done = suite.sockward("connect", "ws://127.0.0.1:%d/raw/127.0.0.1/80"
                                  % closed.getsockname()[1])
        self.assertEqual(done.returncode, 1)
        self.assertTrue(done.stderr)
        with targets.Target(targets.http_page({}, [])) as web:
            done = suite.sockward("connect", "ws://127.0.0.1:%d/raw/127.0.0.1/80" % web.port)
        self.assertEqual(done.returncode, 1)
        self.assertIn("404", done.stderr)

    def test_wrong_use(self):
        for args in ((), ("http://127.0.0.1/",), ("wss://127.0.0.1/",), ("ws://a b/",),
                     ("ws://127.0.0.1/", "more"), ("--what", "ws://127.0.0.1/"),
                     ("ws://127.0.0.1/", "--origin", "a\r\nb")):
            with self.subTest(args):
                done = suite.sockward("connect", *args)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertEqual(done.stdout, "")

    def test_output_that_nobody_reads(self):
        """A reader that leaves ends it, and it does not hang or spin."""
        with targets.Endless() as target:
            process = subprocess.Popen([suite.SOCKWARD, "connect", self.url(target.path())],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE)
            process.stdout.read(100000)
            process.stdout.close()
            process.stdin.close()
            process.wait(30)
            process.stderr.close()


if __name__ == "__main__":
    sys.exit(tap.main())
