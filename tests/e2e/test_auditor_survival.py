#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""sockward-auditor alone: what survives its end, and what happens to its file; cases 174, 212, 235."""

import json
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import auditorbox
import ipcwire as wire
import tap


class Survival(auditorbox.Case):
    def test_212_killed_at_any_time(self):
        """Nothing is lost or doubled, and what was said to be stored is."""
        rng = random.Random(212)
        self.start(*(["--sync"] if rng.random() < 0.5 else []))
        broker = self.broker()
        session = 0
        for _ in range(40):
            end = time.monotonic() + rng.random() * 0.1
            while time.monotonic() < end:
                for _ in range(rng.randrange(60)):
                    session += 1
                    broker.add("session-open", session=session, host="h" * rng.randrange(200))
                    broker.add("session-end", session=session, duration_ms=1)
                broker.push()
            self.helper.kill()
            broker.push()
            broker.channel.close()
            self.start()
            broker.connect()
        broker.settle(30)
        records = [r for r in self.proven() if r["event"] != "repair"]
        self.assertEqual([r["n"] for r in records], list(range(1, len(broker.records) + 1)))
        self.assertGreater(len(records), 1000)

    def test_235_half_a_line_at_the_end(self):
        self.start()
        broker = self.broker()
        for number in range(30):
            broker.tell("session-open", session=number + 1, origin=os.urandom(200), has_origin=1)
        self.helper.kill()
        whole = self.data()
        rng = random.Random(235)
        for _ in range(25):
            cut = rng.randrange(1, len(whole))
            with self.subTest(cut=cut):
                with open(self.path, "wb") as file:
                    file.write(whole[:cut])
                self.start()
                broker.stored = 0
                broker.connect()
                lines = whole[:cut].count(b"\n")
                self.assertEqual(broker.stored, lines)
                broker.settle()
                records = self.proven()
                torn = cut - (whole[:cut].rfind(b"\n") + 1)
                repairs = [r for r in records if r["event"] == "repair"]
                self.assertEqual(len(repairs), 1 if torn else 0)
                if torn:
                    self.assertEqual((repairs[0]["reason"], repairs[0]["cut_bytes"],
                                      repairs[0]["line"]), ("line-cut", torn, lines + 1))
                    kept = repairs[0]["cut"].encode()
                    self.assertEqual(kept, whole[cut - torn:cut][:512])
                    self.assertIn("had no end", self.helper.stderr())
                self.assertEqual([r["n"] for r in records if "n" in r], list(range(1, 31)))
                broker.channel.close()
                self.helper.kill()

    def test_a_chain_that_does_not_verify_is_said_to(self):
        self.start()
        broker = self.broker()
        for _ in range(10):
            broker.tell("start")
        self.helper.kill()
        lines = self.data().split(b"\n")
        lines[4] = lines[4].replace(b'"start"', b'"stop_"')
        with open(self.path, "wb") as file:
            file.write(b"\n".join(lines))
        self.start()
        self.assertIn("does not verify from line 5", self.helper.stderr())
        broker.connect()
        broker.tell("stop")
        last = json.loads(self.data().split(b"\n")[-3])
        self.assertEqual((last["event"], last["reason"], last["line"]), ("repair", "chain-broken", 5))
        done = self.verify()
        self.assertEqual(done.returncode, 1)
        self.assertIn("line 5, record 5", done.stderr)

    def test_one_auditor_a_file(self):
        self.start()
        other = wire.Helper("auditor", ("--file", self.path, "--journal", "none"))
        other.start()
        self.assertEqual(other.process.wait(5), 1)
        self.assertIn("another auditor", other.stderr())
        other.__exit__(None)

    def test_what_is_no_audit_file(self):
        os.mkfifo(self.path + ".fifo")
        os.symlink(self.path, self.path + ".link")
        for path in (self.directory, self.path + ".fifo", self.path + ".link", "/dev/null",
                     self.directory + "/no/audit"):
            other = wire.Helper("auditor", ("--file", path, "--journal", "none"))
            other.start()
            self.assertEqual(other.process.wait(5), 1, path)
            other.__exit__(None)

    def test_someone_touches_the_file(self):
        def extend():
            with open(self.path, "ab") as file:
                file.write(b"look-alike\n")

        for harm in (lambda: os.truncate(self.path, os.path.getsize(self.path) - 10), extend,
                     lambda: os.unlink(self.path)):
            self.start()
            broker = self.broker()
            broker.tell("start")
            time.sleep(0.2)
            harm()
            broker.add("start")
            broker.push()
            self.assertEqual(self.helper.process.wait(5), 1)
            broker.channel.close()

    def test_a_passed_file(self):
        with open(self.path, "ab+") as file:
            self.helper = wire.Helper("auditor", ("--journal", "none"), extra=[(file, "audit")])
            self.start()
            broker = self.broker()
            broker.tell("start")
            self.helper.kill()
            self.start()
            broker.connect()
            self.assertEqual(broker.stored, 1)
            broker.tell("stop")
            self.assertEqual([r["event"] for r in self.proven()], ["start", "stop"])
        with open(self.path, "rb+") as file:  # it would not append
            other = wire.Helper("auditor", ("--journal", "none"), extra=[(file, "audit")])
            other.start()
            self.assertEqual(other.process.wait(5), 1)
            other.__exit__(None)


if __name__ == "__main__":
    sys.exit(tap.main())
