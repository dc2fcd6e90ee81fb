#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Case 109 in bulk: a thousand destinations that come to nothing look alike, use up the
budget, and leave one record that tells of a scan."""

import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import dialects
import places
import suite
import tap
import targets
from suite import to

TARGETS = 32  # make a scan: helpers/auditor/scan.h
BUDGET = 100  # connections a minute, of the grant that has few


def token(grant):
    return "token-for-%s-0123456789" % grant


def grant(name, explain=False, **limits):
    return suite.grant([to("127.0.0.0/8:*"), to("8.8.8.0/24:*"), to("*.unknown.test:*")],
                       deny=[to("8.8.8.8:*")], auth=suite.tokens(token(name)), explain=explain,
                       limits=dict({"channels": 256, "connect_timeout": "1s"}, **limits))


RULES = suite.policy({"plenty": grant("plenty"), "beside": grant("beside", explain=True),
                      "few": grant("few", connects_per_minute=BUDGET),
                      "many": grant("many", explain=True),
                      "leaver": grant("leaver", explain=True)}, dialects=["raw", "wisp"])


def thousand(filtered):
    """{why it comes to nothing: destinations}."""
    return {"rule-denies": [("8.8.8.8", 1024 + n) for n in range(200)],
            "no-rule": [("10.0.%d.1" % n, 80) for n in range(200)],
            "port-closed": [("8.8.8.%d" % (10 + n), 25) for n in range(200)],
            "peer-refused": [("127.0.0.1", 20000 + n) for n in range(250)],
            "timeout": [("127.0.0.%d" % (1 + n), filtered) for n in range(50)],
            "name": [("n%d.unknown.test" % n, 80) for n in range(100)]}


def ask_all(s, asked, at_once=200):
    """What the client is told of each, in the order in which they were asked for."""
    said, todo = {}, list(enumerate(asked, 1))
    for stream, (host, port) in todo[:at_once]:
        s.open(stream, host, port)
    del todo[:at_once]
    while len(said) < len(asked):
        what, stream, value = s.hear()
        assert what == "refused" and stream not in said, (what, stream, value)
        said[stream] = value
        if todo:
            stream, (host, port) = todo.pop(0)
            s.open(stream, host, port)
    return [said[stream] for stream in sorted(said)]


@tap.needs_root
class Scan(places.Outside):
    rules = RULES
    seconds = 120

    def session(self, name, way="wisp"):
        return dialects.session(self.suite, way, token=token(name), timeout=20)

    def refused(self, name, count):
        self.suite.wait_record("refused", count=count, grant=name)
        return self.suite.records("refused", grant=name)

    def told(self, name):
        """The scans of that grant: one, or two where a minute ended meanwhile."""
        self.suite.wait_record("scan", grant=name)
        found = self.suite.records("scan", grant=name)
        self.assertIn(len(found), (1, 2))
        return found

    def completes(self, scan):
        """The record of the refusal that made it up stands right before it."""
        before = self.suite.records(seq=scan["seq"] - 1)[0]
        self.assertEqual(before["event"], "refused")
        for word in ("session", "client", "client_port", "grant", "subject", "mono", "time", "run",
                     "policy", "generation", "dialect"):
            self.assertEqual(scan[word], before[word], word)
        for word in ("n", "stream", "host", "peer", "reason"):
            self.assertNotIn(word, scan)
        self.assertEqual(scan["targets"], TARGETS)
        self.assertLess(scan["window_ms"], 60000)

    def test_109_a_thousand_targets(self):
        with targets.Blackhole("0.0.0.0") as hole:
            kinds = thousand(hole.port)
            asked = [target for kind in kinds.values() for target in kind]
            random.Random(109).shuffle(asked)
            self.assertEqual(len(set(asked)), 1000)
            with self.session("plenty") as s:
                said = ask_all(s, asked)
            self.assertEqual(len(set(said)), 1, "these can be told apart: %s" % set(said))
        found = self.refused("plenty", 1000)
        self.assertEqual(len(found), 1000)
        why = [record["reason"] for record in found]
        for kind in kinds:
            self.assertEqual(sum(word.startswith(kind) for word in why), len(kinds[kind]), kind)
        for scan in self.told("plenty"):
            self.completes(scan)
            self.assertEqual(scan["refused"], TARGETS)
        self.nothing_arrived()
        shown = suite.sockward("audit", "show", "--event", "scan", self.suite.audit_file, check=True)
        self.assertRegex(shown.stdout, r"(?m)^\d+ \S+ scan .* grant=plenty .* targets=32 refused=32 ")

    def test_109_above_the_budget(self):
        """The same with a budget: what is above it is refused as such, and counts too."""
        asked = [("127.0.0.1", 20000 + n) for n in range(1000)]
        with self.session("few") as s:
            said = ask_all(s, asked)
        found = self.refused("few", 1000)
        over = [record for record in found if record["reason"] == "connects-limit"]
        self.assertEqual({record["reason"] for record in found}, {"connects-limit", "peer-refused"})
        # Twice where a minute ended meanwhile.
        self.assertIn(len(found) - len(over), (BUDGET, 2 * BUDGET))
        self.assertEqual(sorted(said.count(word) for word in set(said)),
                         sorted((len(over), len(found) - len(over))))
        for scan in self.told("few"):
            self.completes(scan)

    def test_109_in_as_many_sessions(self):
        """Who asks for one destination a session is the same one still."""
        for n in range(TARGETS + 5):
            with self.session("many", "raw") as s:
                self.assertIsNotNone(s.ask("10.0.0.%d" % n, 80))
        self.refused("many", TARGETS + 5)
        scans = self.told("many")
        for scan in scans:
            self.completes(scan)
        self.assertEqual(len({record["session"] for record in self.refused("many", 1)}),
                         TARGETS + 5)

    def test_109_leaving_hides_nothing(self):
        """Nor does it help to leave before the answers come."""
        with targets.Blackhole("0.0.0.0") as hole:
            with self.session("leaver") as s:
                for n in range(1, TARGETS + 1):
                    s.open(n, "127.0.0.%d" % n, hole.port)
                s.open(1000, "10.0.0.1", 80)
                s.wait(1000, "refused")  # so the broker has heard of the others
            self.refused("leaver", TARGETS + 1)
        for scan in self.told("leaver"):
            self.completes(scan)

    def test_109_insisting_is_no_scan(self):
        """Few destinations, however often, are none."""
        with self.session("beside") as s:
            ask_all(s, [("127.0.0.1", 20000 + n % (TARGETS - 1)) for n in range(500)])
        self.refused("beside", 500)
        self.assertEqual(self.suite.records("scan", grant="beside"), [])


if __name__ == "__main__":
    sys.exit(tap.main())
