#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The raw dialect: one TCP stream a session, at /raw/HOST/PORT. Case 35 too."""

import base64
import functools
import os
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import suite
import tap
import targets
import wsclient
from suite import to

TARGETS = [to("127.0.0.1:*"), to("[::1]:*"), to("localhost:*", private=True)]
RULES = suite.policy({
    "open": suite.grant(TARGETS, deny=[to("*:9")], limits={"message_bytes": "4MiB"}),
    "explains": suite.grant(TARGETS + [to("nowhere.invalid:*")], deny=[to("*:9")], explain=True,
                            auth=suite.tokens("tell-me-why-0123456789")),
    "page": suite.grant(TARGETS, origins=[suite.ORIGIN], auth=suite.tokens(suite.TOKEN)),
})


def in_protocol(token):
    return "auth." + base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


class Raw(suite.SuiteCase):
    rules = RULES
    seconds = 120

    def refused(self, path, **how):
        """The close code and the reason that a session at that path ends with."""
        with self.suite.connect(path, **how) as client:
            return client.recv_close()

    def why(self, path):
        """The same, with a grant that tells the true reason."""
        return self.refused(path, protocols=["binary", in_protocol("tell-me-why-0123456789")])

    # --- reaching a service -------------------------------------------------------------

    def test_by_address_and_by_name(self):
        for host, address in (("127.0.0.1", "127.0.0.1"), ("[::1]", "::1"), ("::1", "::1"),
                              ("%3A%3A1", "::1"), ("localhost", "127.0.0.1"),
                              ("LOCALHOST.", "127.0.0.1")):
            with self.subTest(host), targets.Echo(address=address) as target:
                with self.suite.connect("/raw/%s/%d" % (host, target.port)) as client:
                    client.send(b"hello")
                    self.assertEqual(client.recv_bytes(5), b"hello")
                    self.assertEqual(client.finish()[0], 1000)
                self.assertEqual(target.wait_seen().received, 5)

    def test_subprotocol(self):
        with targets.Echo() as target:
            for offered, chosen in (((), None), (("binary",), "binary"),
                                    (("base64", "binary"), "binary"), (("chat",), None),
                                    ((in_protocol("tell-me-why-0123456789"), "binary"), "binary"),
                                    ((in_protocol("tell-me-why-0123456789"), "sockward"),
                                     "sockward")):
                with self.subTest(offered):
                    with self.suite.connect(target.path(), protocols=offered) as client:
                        self.assertEqual(client.answer.header("sec-websocket-protocol"), chosen)
                        client.send(b"x")
                        self.assertEqual(client.recv(), (wsclient.BINARY, b"x"))

    def test_50_text_messages(self):
        with targets.Echo() as target, self.suite.connect(target.path()) as client:
            client.send_text("é")
            self.assertEqual(client.recv_close()[0], 1003)
            self.assertEqual(target.wait_seen().received, 0)

    def test_what_the_service_says_first(self):
        with targets.Hold() as target, self.suite.connect(target.path()) as client:
            self.assertEqual(client.recv_bytes(6), b"hello\n")

    def test_data_before_the_service_answered(self):
        """What a client sends with its handshake is there, once, and in order."""
        with targets.Echo() as target:
            client = wsclient.Client(self.suite.address)
            data = b"".join(b"%06d" % i for i in range(2000))
            with client:
                client.send_raw(client.request(target.path()) + b"".join(
                    wsclient.frame(wsclient.BINARY, data[i:i + 60])
                    for i in range(0, len(data), 60)))
                self.assertEqual(client.read_answer().status, 101)
                self.assertEqual(client.recv_bytes(len(data)), data)

    def test_a_close_right_behind_the_data(self):
        """What was sent before an orderly close is delivered, also when both came
        before the service had answered."""
        for _ in range(10):
            with targets.Sink() as target, self.suite.connect(target.path()) as client:
                client.send_raw(wsclient.frame(wsclient.BINARY, b"the last words") +
                                wsclient.frame(wsclient.CLOSE, wsclient.close_body(1000)))
                client.recv_close()
                self.assertEqual(target.wait_seen().head, b"the last words")

    def test_the_last_bytes_to_a_slow_service(self):
        """The session has ended in order while the service has still to read: nothing
        of what was sent is lost, and the record counts all of it."""
        def late(sock, seen, first):
            if first:
                sock.shutdown(socket.SHUT_WR)
            time.sleep(1)
            targets.drain(sock, seen)
        data = targets.pattern(6, 400000)
        for first in (False, True):  # which side ends first
            with self.subTest(service_ends_first=first), \
                    targets.Target(functools.partial(late, first=first), rcvbuf=16384) as target, \
                    self.suite.connect(target.path() + "?eof=message") as client:
                if first:
                    self.assertEqual(client.recv()[1], b"")
                client.send(data)
                client.send(b"")
                if first:
                    self.assertEqual(client.recv_close()[0], 1000)
                client.close(1000)
                client.sock.close()
                seen = target.wait_seen()
                self.assertEqual((seen.received, seen.eof), (len(data), True))
                self.assertEqual(seen.hash.hexdigest(), targets.digest(data))
                end = self.suite.wait_record("stream-end", local_port=seen.peer[1])
                self.assertEqual(end["bytes_up"], len(data))

    # --- tokens and origins ----------------------------------------------------------------

    def test_the_token_in_each_of_its_places(self):
        with targets.Echo() as target:
            path, token = target.path(), suite.TOKEN
            for path, how in ((path, {"protocols": ["binary", in_protocol(token)]}),
                              (path + "?token=" + token, {}),
                              (path, {"headers": [("Authorization", "Bearer " + token)]})):
                with self.subTest(path=path, how=how):
                    with self.suite.connect(path, origin=suite.ORIGIN, **how) as client:
                        client.send(b"x")
                        self.assertEqual(client.recv_bytes(1), b"x")

    def test_wrong_tokens(self):
        with targets.Echo() as target:
            path, wrong = target.path(), suite.TOKEN[:-1] + "x"
            for path, how in ((path, {"protocols": ["binary", in_protocol(wrong)]}),
                              (path + "?token=" + wrong, {}),
                              (path, {"headers": [("Authorization", "Bearer " + wrong)]}),
                              (path + "?token=" + suite.TOKEN + "&token=" + suite.TOKEN, {}),
                              (path + "?token=%", {}),
                              (path + "?token=" + "x" * 5000, {}),
                              (path, {"protocols": ["binary", "auth.!!"]})):
                with self.subTest(path=path[:60], how=how):
                    code, reason = self.refused(path, origin=suite.ORIGIN, **how)
                    self.assertEqual(code, 4001, reason)
                    self.assertIn("token-wrong", reason)
        self.assertEqual(target.seen, [])

    def test_a_token_is_needed_where_no_grant_is_open(self):
        rules = suite.policy({"key": suite.grant(auth=suite.tokens(suite.TOKEN))})
        with targets.Echo() as target, suite.Suite(rules) as one:
            with one.connect(target.path()) as client:
                code, reason = client.recv_close()
            self.assertEqual(code, 4001)
            self.assertIn("token-missing", reason)
            self.assertEqual(one.wait_record("refused")["reason"], "token-missing")
            with one.connect(target.path() + "?token=" + suite.TOKEN) as client:
                client.send(b"x")
                self.assertEqual(client.recv_bytes(1), b"x")

    def test_wrong_origin_and_wrong_host(self):
        with targets.Echo() as target:
            code, reason = self.refused(target.path() + "?token=" + suite.TOKEN,
                                        origin="http://evil.test")
            self.assertEqual(code, 4003)
            self.assertIn("origin-not-allowed", reason)
            code, reason = self.refused(target.path(), host="evil.test")
            self.assertEqual(code, 4003)
            self.assertIn("host-not-served", reason)
        self.assertEqual(target.seen, [])

    # --- destinations that are not reached -----------------------------------------------------

    def test_refusals_that_are_told(self):
        with targets.closed_port() as closed, targets.Echo() as target:
            port = closed.getsockname()[1]
            for path, codes, word in (
                    ("/raw/10.0.0.1/80", (4003,), "no-rule"),
                    ("/raw/127.0.0.1/9", (4003,), "rule-denies"),
                    ("/raw/127.0.0.1/22", (4003,), "port-closed"),
                    ("/raw/127.0.0.2/%d" % target.port, (4003,), "no-rule"),
                    ("/raw/0x7f000001/%d" % target.port, (4003,), "no-rule"),
                    ("/raw/127.1/%d" % target.port, (4003,), "name-invalid"),
                    ("/raw/127.0.0.1%%20/%d" % target.port, (4003,), "name-invalid"),
                    ("/raw/%s/%d" % ("a" * 5000, target.port), (4003,), "name-invalid"),
                    ("/raw/127.0.0.1/0", (4003,), "name-invalid"),
                    ("/raw/nowhere.invalid/80", (4004,), "name-"),
                    ("/raw/127.0.0.1/%d" % port, (4004,), "peer-refused")):
                with self.subTest(path):
                    code, reason = self.why(path)
                    self.assertIn(code, codes)
                    self.assertIn(word, reason)

    def test_refusals_that_are_not_told(self):
        with targets.closed_port() as closed:
            port = closed.getsockname()[1]
            for path in ("/raw/10.0.0.1/80", "/raw/127.0.0.1/9", "/raw/127.0.0.1/%d" % port,
                         "/raw/127.0.0.1/22", "/raw/127.0.0.1%20/80", "/raw/127.1/80"):
                with self.subTest(path):
                    code, reason = self.refused(path)
                    self.assertEqual(code, 4004)
                    self.assertIn("unavailable", reason)
        for reason in ("no-rule", "rule-denies", "peer-refused", "port-closed"):
            self.suite.wait_record("refused", reason=reason, grant="open")
        self.assertEqual(self.suite.records("refused", reason="unavailable"), [])

    def test_malformed_hosts_are_on_record(self):
        long = "a." * 300
        for path, host in (("127.0.0.1%20", "127.0.0.1 "), ("A%22%2e", 'A".'),
                           ("x%ff%c3%bc", "x\udcff\u00fc"), (long, long[:251] + " ..."),
                           ("a" * 1024, " ...")):
            with self.subTest(path):
                self.assertEqual(self.refused("/raw/%s/80" % path)[0], 4004)
                record = self.suite.wait_record("refused", host=host)
                self.assertEqual((record["reason"], record["peer_port"]), ("name-invalid", 80))

    # --- ends ----------------------------------------------------------------------------------------

    def test_the_service_ends_first(self):
        with targets.Source(100000, seed=3) as target, self.suite.connect(target.path()) as client:
            self.assertEqual(client.recv_bytes(100000), targets.pattern(3, 100000))
            code, _ = client.recv_close()
            self.assertEqual(code, 1000)
            client.close(1000)
            self.assertTrue(client.gone())

    def test_the_client_ends_first(self):
        with targets.Sink() as target, self.suite.connect(target.path()) as client:
            client.send(bytes(1000000))
            self.assertEqual(client.finish()[0], 1000)
            seen = target.wait_seen()
        self.assertEqual(seen.received, 1000000)
        self.assertTrue(seen.eof)

    def test_the_service_resets(self):
        with targets.Resetter() as target, self.suite.connect(target.path()) as client:
            client.send(b"x")
            code, _ = client.recv_close()
            self.assertNotEqual(code, 1002)

    def test_the_client_vanishes(self):
        with targets.Hold() as target:
            client = self.suite.connect(target.path())
            client.recv_bytes(6)
            client.sock.close()
            self.assertTrue(target.wait_seen().over.is_set())

    def test_half_close_of_the_client(self):
        """?eof=message: an empty message is the end of one direction."""
        data = targets.pattern(5, 300000)
        with targets.Sink() as target, \
                self.suite.connect(target.path() + "?eof=message") as client:
            client.send(data)
            client.send(b"")
            want = b"%d %s\n" % (len(data), targets.digest(data).encode())
            self.assertEqual(client.recv_bytes(len(want)), want)
            self.assertEqual(client.recv(), (wsclient.BINARY, b""))
            self.assertTrue(target.wait_seen().eof)

    def test_half_close_of_the_service(self):
        with targets.Source(1000) as target, \
                self.suite.connect(target.path() + "?eof=message") as client:
            self.assertEqual(client.recv_bytes(1000), targets.pattern(1, 1000))
            self.assertEqual(client.recv(), (wsclient.BINARY, b""))
            client.send(b"still going up")
            client.send(b"")
            seen = target.wait_seen()
            self.assertTrue(seen.eof)
            self.assertEqual(seen.head, b"still going up")
            self.assertEqual(client.recv_close()[0], 1000)

    def test_an_empty_message_is_the_clients_end_without_eof_too(self):
        with targets.Sink() as target, self.suite.connect(target.path()) as client:
            client.send(b"abc")
            client.send(b"")
            self.assertIn(targets.digest(b"abc").encode(), client.recv_bytes(60))
            self.assertEqual(client.recv_close()[0], 1000)
        with targets.Hold() as target, self.suite.connect(target.path()) as client:
            client.send(b"")
            client.send(b"more")
            self.assertEqual(client.recv_close()[0], 1008)
            self.assertEqual(target.wait_seen().received, 0)

    # --- bytes -------------------------------------------------------------------------------------

    def swap(self, up, down, seed):
        """Both directions at once, to their ends; compares both."""
        with targets.Swap(down, seed=seed) as target, \
                self.suite.connect(target.path() + "?eof=message", timeout=60) as client:
            data = targets.pattern(seed + 1, up)

            def send():
                at = 0
                while at < up:
                    n = min(up - at, 1 + (at * 7 + seed) % 200000)
                    client.send(data[at:at + n])
                    at += n
                client.send(b"")

            sending = threading.Thread(target=send)
            sending.start()
            got = []
            while True:
                opcode, payload = client.recv()
                self.assertEqual(opcode, wsclient.BINARY)
                if not payload:
                    break
                got.append(payload)
            sending.join()
            seen = target.wait_seen(seconds=60)
            self.assertTrue(seen.eof)
            self.assertEqual(seen.hash.hexdigest(), targets.digest(data))
            self.assertEqual(targets.digest(b"".join(got)),
                             targets.digest(targets.pattern(seed, down)))

    def test_random_sizes_both_ways(self):
        most = 32 << 20
        sizes = targets.random_sizes(96 << 20, most, 12)
        for seed, (up, down) in enumerate(zip(sizes, reversed(sizes))):
            with self.subTest(up=up, down=down):
                self.swap(up, down, seed)

    def test_many_small_messages(self):
        with targets.Echo() as target, self.suite.connect(target.path()) as client:
            data = b"".join(b"%05d" % i for i in range(20000))

            def send():
                for i in range(0, len(data), 5):
                    client.send(data[i:i + 5])

            sending = threading.Thread(target=send)
            sending.start()
            self.assertEqual(client.recv_bytes(len(data)), data)
            sending.join()

    # --- case 35 --------------------------------------------------------------------------------------

    def test_35_a_client_that_never_reads(self):
        with targets.Endless() as target:
            client = wsclient.connect(self.suite.address, target.path(), rcvbuf=8192)
            with client:
                pid = self.suite.sessions()[-1]
                targets.wait_until(lambda: target.seen and target.seen[0].sent, what="data")
                last = -1
                while last != target.seen[0].sent:
                    last = target.seen[0].sent
                    time.sleep(1)
                resident = int(suite.status_of(pid)["VmRSS"].split()[0])
                self.assertLess(resident, 16384, "KiB of the worker")
                self.assertLess(last, 64 << 20, "bytes that the destination could send")
                # and it goes on where it was, as soon as somebody reads
                self.assertEqual(client.recv_bytes(1 << 20).strip(b"\0"), b"")

    def test_35_a_service_that_never_reads(self):
        def deaf(sock, seen):
            seen.over.wait(60)
        with targets.Target(deaf) as target, self.suite.connect(target.path(), timeout=3) as client:
            pid = self.suite.sessions()[-1]
            sent = 0
            try:
                while sent < 256 << 20:
                    client.send(bytes(65536))
                    sent += 65536
            except TimeoutError:
                pass
            self.assertLess(sent, 64 << 20)
            self.assertLess(int(suite.status_of(pid)["VmRSS"].split()[0]), 16384)


if __name__ == "__main__":
    sys.exit(tap.main())
