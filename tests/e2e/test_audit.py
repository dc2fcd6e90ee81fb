#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The audit trail: the whole story, no secret, no forgery; cases 146, 171, 178, 179, 181."""

import base64
import json
import os
import random
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import story
import suite
import tap
import targets
import wsclient

MARK = "PAYLOAD-MARKER-5f2b9c"
RULES = suite.policy({
    "open": suite.grant(explain=True),
    "page": suite.grant(auth=suite.tokens(suite.TOKEN), origins=[suite.ORIGIN]),
})


class Audit(suite.SuiteCase):
    rules = RULES

    def session_of(self, client):
        """All records of a client's session, once it has ended; closes the client."""
        port = client.sock.getsockname()[1]
        client.sock.close()
        session = self.suite.session_at(port)
        self.suite.wait_record("session-end", session=session)
        return self.suite.records(session=session)

    def test_the_whole_story_of_a_session(self):
        up, down = 300001, 123457
        with targets.Swap(down) as target:
            with self.suite.connect(target.path() + "?eof=message&token=" + suite.TOKEN,
                                    origin=suite.ORIGIN) as client:
                client.send(targets.pattern(2, up))
                client.send(b"")
                self.assertEqual(len(client.recv_bytes(down)), down)
                self.assertEqual(client.recv()[1], b"")
                client.recv_close()
                client.close()
                own = client.sock.getsockname()
                records = self.session_of(client)
            seen = target.wait_seen()
        self.assertEqual([r["event"] for r in records],
                         ["session-open", "authenticated", "granted", "stream-end", "session-end"])
        opened, known, granted, stream, end = records
        for record in records:
            self.assertEqual((record["client"], record["client_port"]), own)
            self.assertEqual(record["session"], opened["session"])
        self.assertEqual(known["grant"], "page")
        self.assertEqual(known["claimed_origin"], suite.ORIGIN)
        self.assertEqual(known["claimed_host"].split(":")[0], "127.0.0.1")
        self.assertEqual(known["dialect"], "raw")
        self.assertEqual((granted["host"], granted["peer"], granted["peer_port"]),
                         ("127.0.0.1", "127.0.0.1", target.port))
        self.assertEqual((granted["local"], granted["local_port"]), seen.peer)
        self.assertEqual(granted["rule"], "127.0.0.1:*")
        self.assertEqual(granted["generation"], 1)
        self.assertEqual(stream["stream"], granted["stream"])
        self.assertEqual((stream["bytes_up"], stream["bytes_down"]), (seen.received, seen.sent))
        self.assertEqual((seen.received, seen.sent), (up, down))
        self.assertEqual((end["bytes_up"], end["bytes_down"], end["streams"]), (up, down, 1))
        self.assertEqual(end["claimed_exit"], "done")
        self.assertNotEqual(end["reason"], "worker-crashed")
        monotonic = [r["mono"] for r in records]
        self.assertEqual(monotonic, sorted(monotonic))

    def test_178_kernel_counts_equal_the_peers_own(self):
        rng = random.Random(7)
        for _ in range(8):
            up, down = rng.randrange(200000), rng.randrange(200000)
            with targets.Swap(down) as target:
                with self.suite.connect(target.path() + "?eof=message") as client:
                    client.send(bytes(up))
                    client.send(b"") if up else None
                    got = 0
                    while got < down:
                        got += len(client.recv()[1])
                    while client.recv()[1]:
                        pass
                    client.finish()
                    stream = self.session_of(client)[-2]
                seen = target.wait_seen()
            self.assertEqual(stream["event"], "stream-end")
            self.assertEqual((stream["bytes_up"], stream["bytes_down"]),
                             (seen.received, seen.sent))

    def test_refusals_have_their_reason(self):
        with targets.Echo() as target:
            for path, how, reason in (
                    ("/raw/10.0.0.1/80", {}, "no-rule"),
                    (target.path() + "?token=wrong", {"origin": suite.ORIGIN}, "token-wrong"),
                    (target.path() + "?token=" + suite.TOKEN, {"origin": "http://evil.test"},
                     "origin-not-allowed"),
                    (target.path(), {"host": "evil.test"}, "host-not-served")):
                with self.subTest(reason):
                    with self.suite.connect(path, **how) as client:
                        client.recv_close()
                        client.close()
                        records = self.session_of(client)
                    self.assertIn(reason, [r["reason"] for r in records if r["event"] == "refused"])
                    self.assertNotIn("granted", [r["event"] for r in records])
            self.assertEqual(target.seen, [])

    def test_146_181_no_secret_and_no_payload(self):
        secret = "secret-%s" % os.urandom(8).hex()
        words = [secret, suite.TOKEN, MARK, base64.b64encode(MARK.encode()).decode(),
                 base64.urlsafe_b64encode(suite.TOKEN.encode()).decode().rstrip("=")]
        with targets.Echo() as target:
            for path, how in (
                    (target.path() + "?token=" + suite.TOKEN + "&x=" + MARK, {}),
                    (target.path() + "?token=" + secret, {}),
                    (target.path(), {"headers": [("Authorization", "Bearer " + secret),
                                                 ("Cookie", MARK), ("User-Agent", MARK)]}),
                    (target.path(), {"protocols": ["binary", "auth." + words[-1]]}),
                    ("/netproxy?token=" + suite.TOKEN, {})):
                with self.suite.connect(path, origin=suite.ORIGIN, **how) as client:
                    try:
                        client.send(MARK.encode(), wsclient.TEXT if "netp" in path else 2)
                        client.recv()
                        client.finish()
                    except (wsclient.Closed, OSError):
                        client.close()
                    self.session_of(client)
        with open(self.suite.audit_file) as file:
            text = file.read() + self.suite.stderr()
        for word in words:
            self.assertNotIn(word, text)

    def test_171_values_that_look_like_fields(self):
        """What a client sends is one value of one field, whatever is in it."""
        origin = 'http://a.test"}{"event":"granted"\\u0000'
        with self.suite.connect("/netproxy", origin=origin) as client:
            client.recv_close()
            client.close()
            records = self.session_of(client)
        self.assertEqual(len(records), len([r for r in records if r["event"] != "granted"]))
        self.assertIn(origin, [r.get("claimed_origin") for r in records])
        with self.suite.connect("/netproxy") as client:
            host = 'x"\n{"event":"granted"}\n\u2028\x1b[31m'
            client.send_text(json.dumps({"t": "open", "id": 1, "host": host, "port": 80}))
            client.recv()
            client.send_text(json.dumps({"t": "open", "id": 2, "host": "10.0.0.1", "port": 80}))
            client.recv()
            client.finish()
            records = self.session_of(client)
        self.assertEqual([r["event"] for r in records if r["event"] == "granted"], [])
        self.suite.verify()

    def test_176_refusals_in_bulk_are_counted(self):
        """In a flood of refusals none is lost: the broker hears no more than it records."""
        rules = suite.policy({"open": suite.grant(explain=True, limits={"channels": 1})})
        count = 1500
        with targets.Hold() as target, suite.Suite(rules) as one:
            with one.connect("/netproxy") as client:
                ask = '{"t":"open","id":%d,"host":"127.0.0.1","port":' + str(target.port) + "}"
                client.send_text(ask % 0)
                self.assertIn(b"opened", client.recv()[1])
                client.recv()
                errors = 0
                sender = threading.Thread(
                    target=lambda: [client.send_text(ask % n) for n in range(1, count + 1)])
                sender.start()
                while errors < count:
                    errors += b'"error"' in client.recv()[1]
                sender.join()
                client.finish()
            end = one.wait_record("session-end")
            refused = one.records("refused", reason="channels-limit")
            self.assertEqual(len(refused), count)
            self.assertNotIn("signal", end)


class Tampering(unittest.TestCase):
    """Case 179: `sockward audit verify` names the first record that is not as it was."""

    @classmethod
    def setUpClass(cls):
        with targets.Echo() as target, suite.Suite(RULES) as one:
            for _ in range(5):
                with one.connect(target.path()) as client:
                    client.send(b"x")
                    client.recv()
                    client.finish()
            one.wait_record("session-end", count=5)
            one.stop()
            story.check(one.records())
            with open(one.audit_file, "rb") as file:
                cls.lines = file.read().splitlines(keepends=True)

    def verify(self, lines):
        path = os.path.join(suite.tempfile.mkdtemp(prefix="sockward-test-"), "audit.jsonl")
        with open(path, "wb") as file:
            file.write(b"".join(lines))
        try:
            return suite.sockward("audit", "verify", path)
        finally:
            suite.shutil.rmtree(os.path.dirname(path))

    def bad(self, lines, seq):
        done = self.verify(lines)
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stdout + done.stderr, r"\b%d\b" % seq)

    def test_00_as_it_is(self):
        self.assertGreater(len(self.lines), 20)
        self.assertEqual(self.verify(self.lines).returncode, 0)

    def test_179_a_byte_is_altered(self):
        rng = random.Random(11)
        for _ in range(60):
            at = rng.randrange(len(self.lines))
            line = bytearray(self.lines[at])
            byte = rng.randrange(len(line) - 1)
            line[byte] ^= 1 << rng.randrange(7)
            if line[byte] in b"\n" or bytes(line) == self.lines[at]:
                continue
            with self.subTest(at=at, byte=byte):
                self.bad(self.lines[:at] + [bytes(line)] + self.lines[at + 1:], at + 1)

    def test_179_a_word_is_altered(self):
        for at, line in enumerate(self.lines):
            if b'"granted"' in line:
                self.bad(self.lines[:at] + [line.replace(b'"127.0.0.1"', b'"127.0.0.9"', 1)] +
                         self.lines[at + 1:], at + 1)
                return
        self.fail("no grant in the trail")

    def test_179_a_record_is_gone_or_moved(self):
        lines = self.lines
        self.bad(lines[1:], 1)
        for at in (1, len(lines) // 2, len(lines) - 2):
            with self.subTest(at=at):
                self.bad(lines[:at] + lines[at + 1:], at + 1)
                self.bad(lines[:at] + [lines[at + 1], lines[at]] + lines[at + 2:], at + 1)
                self.bad(lines[:at] + [lines[at]] + lines[at:], at + 2)

    def test_179_the_last_line_is_cut(self):
        self.bad(self.lines[:-1] + [self.lines[-1][:-20]], len(self.lines))
        self.bad(self.lines[:-1] + [self.lines[-1][:-1]], len(self.lines))

    def test_show(self):
        path = os.path.join(suite.tempfile.mkdtemp(prefix="sockward-test-"), "audit.jsonl")
        with open(path, "wb") as file:
            file.write(b"".join(self.lines))
        done = suite.sockward("audit", "show", path, check=True)
        suite.shutil.rmtree(os.path.dirname(path))
        for event in ("session-open", "granted", "stream-end", "session-end"):
            self.assertIn(event, done.stdout)


if __name__ == "__main__":
    sys.exit(tap.main())
