#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""sockward-auditor alone: whoever alters its file is found out; case 179."""

import hashlib
import json
import os
import random
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import auditorbox
import tap


class Tampering(auditorbox.Case):
    def setUp(self):
        super().setUp()
        self.start()
        broker = self.broker()
        for number in range(1, 41):
            broker.tell("session-open", session=number, client=("203.0.113.1", number))
        self.helper.stop()
        self.lines = self.data().splitlines(keepends=True)
        self.rng = random.Random(179)

    def change(self):
        at = self.rng.randrange(len(self.lines))
        line = bytearray(self.lines[at])
        where = self.rng.randrange(len(line))
        how = self.rng.randrange(4)
        if how == 0:
            line[where] ^= 1 << self.rng.randrange(8)
        elif how == 1:
            line[where] = self.rng.randrange(256)
        elif how == 2:
            line[where:where] = bytes([self.rng.randrange(256)])
        else:
            del line[where:where + self.rng.randrange(1, 9)]
        lines = self.lines[:at] + [bytes(line)] + self.lines[at + 1:]
        return lines, at + 1

    def delete(self):
        at = self.rng.randrange(len(self.lines) - 1)
        count = self.rng.randrange(1, len(self.lines) - at)
        return self.lines[:at] + self.lines[at + count:], at + 1

    def swap(self):
        one, two = sorted(self.rng.sample(range(len(self.lines)), 2))
        lines = list(self.lines)
        lines[one], lines[two] = lines[two], lines[one]
        return lines, one + 1

    def double(self):
        at, to = self.rng.randrange(len(self.lines)), self.rng.randrange(len(self.lines) + 1)
        return self.lines[:to] + [self.lines[at]] + self.lines[to:], to + (2 if to == at else 1)

    def truncate(self):
        at = self.rng.randrange(len(self.lines))
        line = self.lines[at]
        return self.lines[:at] + [line[:self.rng.randrange(1, len(line))]], at + 1

    def forge(self):
        """A record of the forger's own with a right hash of its own."""
        at = self.rng.randrange(len(self.lines) - 1)
        record = json.loads(self.lines[at])
        record["client"] = "198.51.100.66"
        del record["hash"]
        body = json.dumps(record, separators=(",", ":"))
        line = '%s,"hash":"%s"}\n' % (body[:-1], hashlib.sha256(body.encode()).hexdigest())
        return self.lines[:at] + [line.encode()] + self.lines[at + 1:], at + 2

    def test_179_a_thousand_ways(self):
        path = self.path + ".copy"
        ways = [self.change, self.delete, self.swap, self.double, self.truncate, self.forge]
        tried = 0
        while tried < 1000:
            way = ways[tried % len(ways)]
            lines, bad = way()
            if lines == self.lines:
                continue
            tried += 1
            with open(path, "wb") as file:
                file.write(b"".join(lines))
            done = self.verify(path=path)
            self.assertEqual(done.returncode, 1, way.__name__)
            line, seq = map(int, re.search(r"line (\d+), record (\d+):", done.stderr).groups())
            self.assertEqual((line, seq), (bad, bad), (way.__name__, done.stderr))
        self.assertEqual(self.verify().returncode, 0)

    def test_what_is_wrong_is_said(self):
        path = self.path + ".copy"
        lines = self.lines
        for changed, said in (
                (lines[:5] + lines[6:], "missing"), (lines[3:], "missing"),
                (lines[:5] + [lines[6], lines[5]] + lines[7:], "another order"),
                (lines[:5] + [lines[4]] + lines[5:], "another order"),
                (lines[:5] + [lines[5].replace(b"203", b"204")] + lines[6:], "altered"),
                (lines[:5] + [b"hello\n"] + lines[6:], "no record"),
                (lines[:5] + [b"\n"] + lines[5:], "no record"),
                (lines[:5] + [b"x" * 100000 + b"\n"] + lines[5:], "no record"),
                (lines + [b"x" * 100000], "no end"), (lines[:-1] + [lines[-1][:-1]], "no end")):
            with open(path, "wb") as file:
                file.write(b"".join(changed))
            done = self.verify(path=path)
            self.assertEqual(done.returncode, 1)
            self.assertIn(said, done.stderr)

    def test_lines_cut_off_the_end_show_against_a_kept_hash(self):
        last = json.loads(self.lines[-1])
        kept = "%d:%s" % (last["seq"], last["hash"])
        self.assertEqual(self.verify("--last", kept).returncode, 0)
        middle = json.loads(self.lines[20])
        self.assertEqual(self.verify("--last", "21:" + middle["hash"]).returncode, 0)
        path = self.path + ".copy"
        with open(path, "wb") as file:
            file.write(b"".join(self.lines[:-1]))
        self.assertEqual(self.verify(path=path).returncode, 0)
        done = self.verify("--last", kept, path=path)
        self.assertEqual(done.returncode, 1)
        self.assertIn("truncated", done.stderr)
        done = self.verify("--last", "21:" + last["hash"])
        self.assertEqual(done.returncode, 1)
        self.assertIn("written anew", done.stderr)
        for wrong in ("", "0:" + last["hash"], "1:", "1:" + last["hash"][1:], "x" + kept, "-" + kept):
            self.assertEqual(self.verify("--last", wrong).returncode, 2, wrong)

    def test_show(self):
        def show(*args, path=self.path):
            return subprocess.run([auditorbox.SOCKWARD, "audit", "show", path, *args],
                                  capture_output=True, text=True)

        done = show()
        self.assertEqual((done.returncode, done.stdout.count("\n")), (0, 40))
        self.assertIn("session-open run=", done.stdout)
        done = show("--session", "0000000000000005", "--json")
        self.assertEqual(done.stdout.encode(), self.lines[4])
        self.assertEqual(show("--event", "refused").stdout, "")
        path = self.path + ".copy"
        with open(path, "wb") as file:
            file.write(b"".join(self.lines[:3]) + b'{"seq":4,"x":"\x1b[31m"}\n')
        done = show(path=path)
        self.assertEqual(done.returncode, 1)
        self.assertNotIn("\x1b", done.stdout + done.stderr)
        self.assertEqual(show("--frob").returncode, 2)
        self.assertEqual(show(path=self.path + ".none").returncode, 1)


if __name__ == "__main__":
    sys.exit(tap.main())
