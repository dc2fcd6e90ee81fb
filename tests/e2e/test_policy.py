#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""What the policy lets through, end to end: cases 95 to 109, 119 to 121, 230.

The suite runs in a network namespace whose way out leads to a machine that answers
for every address (netns.py): a denied address that was dialled would be seen there.
"""

import json
import os
import random
import statistics
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import netns
import places
import suite
import tap
import targets
from suite import to

class Asker:
    """One netproxy session: may I reach this?"""

    def __init__(self, one, token=None, grant="open"):
        self.ws = one.connect("/netproxy" + ("?token=" + token if token else ""), timeout=30)
        self.grant = grant
        self.id = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ws.sock.close()

    def ask(self, host, port=80):
        """None when it was opened (and works), else what the error said."""
        self.id += 1
        self.ws.send_text(json.dumps({"t": "open", "id": self.id, "host": host, "port": port}))
        answer = json.loads(self.ws.recv()[1])
        assert answer["id"] == self.id, answer
        if answer["t"] == "error":
            return answer["msg"]
        assert answer["t"] == "opened", answer
        self.ws.send_text('{"t":"write","id":%d,"b64":"eA=="}' % self.id)
        assert json.loads(self.ws.recv()[1])["b64"] == "eA==", "it does not echo"
        self.ws.send_text('{"t":"close","id":%d}' % self.id)
        assert json.loads(self.ws.recv()[1])["t"] == "closed"
        return None


def tokens_for(name):
    return suite.tokens("token-for-%s-0123456789" % name)


def rules():
    def g(name, *allow, deny=(), **more):
        return suite.grant(list(allow), deny=list(deny), auth=tokens_for(name),
                           explain=more.pop("explain", True), **more)
    grants = {
        "all": suite.grant([to("*:*")], explain=True),
        "private": g("private", to("169.254.0.0/16:*"), to("[fc00::/7]:*"), to("100.64.0.0/10:*"),
                     to("meta.test:*", private=True), to("inside.test:*", private=True)),
        "names": g("names", to("*.example.test:*"), to("public.test:8443"), to("loop.test:*"),
                   to("inside.test:*"), to("six.test:*"), to("nat64.test:*", private=True)),
        "denyfirst": g("denyfirst", to("8.8.0.0/16:*"), to("9.9.9.0/24:*"),
                       deny=[to("8.8.8.0/24:*"), to("9.9.9.9:*")]),
        "hush": g("hush", to("127.0.0.1:*"), to("unknown.test:*"), to("9.9.9.9:81"), explain=False,
                  limits={"connect_timeout": "1s"}),
    }
    return suite.policy(grants)


@tap.needs_root
class Policy(places.Outside):
    seconds = 120
    rules = rules()
    ports = (80, 8443)

    def asker(self, name=None):
        return Asker(self.suite, "token-for-%s-0123456789" % name if name else None,
                     name or "all")

    def denied(self, asker, host, word=None, port=80):
        self.assertIsNotNone(asker.ask(host, port), "%s was opened" % host)
        if word:
            self.suite.wait_record("refused", host=host, peer_port=port, reason=word,
                                   grant=asker.grant)

    # --- 95 to 99: addresses ----------------------------------------------------------

    def test_95_every_special_block(self):
        probes = list(places.probes())
        with self.asker() as asker:
            for address in probes:
                with self.subTest(address=address, block=places.block_of(address)):
                    self.denied(asker, address)
        self.nothing_arrived()
        found = self.suite.records("refused", reason="special-address")
        self.assertGreater(len(probes), 200)
        for record in found:
            self.assertEqual(record["rule"], places.block_of(record["peer"]))
        self.assertGreater(len(found), len(probes) // 2)

    def test_96_spellings_of_ipv4(self):
        with self.asker() as asker:
            for text in places.NOT_IPV4:
                with self.subTest(text):
                    self.denied(asker, text)
        self.nothing_arrived()

    def test_97_spellings_of_ipv6(self):
        with self.asker() as asker:
            for text in places.NOT_IPV6:
                with self.subTest(text):
                    self.denied(asker, text)
        self.nothing_arrived()

    def test_98_embedded_ipv4(self):
        with self.asker() as asker:
            for v4 in places.EMBEDDED:
                for text in places.embeddings(v4):
                    with self.subTest(text):
                        self.denied(asker, text)
        self.nothing_arrived()

    def test_99_neighbours_are_reached(self):
        addresses = list(places.NEIGHBOURS)
        with self.asker() as asker:
            for address in addresses:
                with self.subTest(address):
                    self.assertIsNone(asker.ask(address))
            self.assertIsNone(asker.ask("public.test"))
        self.assertEqual([where for where, _ in self.pair.arrived], addresses + ["8.8.8.8"])

    # --- 100 to 104: names, rules, ports ---------------------------------------------------

    def test_100_names(self):
        with self.asker() as asker:
            for text in ("public.test.", "PUBLIC.Test", "ｐublic.test"):
                with self.subTest(text):
                    self.assertIsNone(asker.ask(text))
            self.assertEqual({r["host"] for r in self.suite.records("granted")[-3:]},
                             {"public.test"})
            for text in places.NOT_NAMES:
                with self.subTest(text):
                    self.denied(asker, text)

    def test_101_deny_wins(self):
        with self.asker("denyfirst") as asker:
            self.assertIsNone(asker.ask("8.8.4.4"))
            self.denied(asker, "8.8.8.8", "rule-denies")
            self.denied(asker, "9.9.9.9", "rule-denies")
            self.assertIsNone(asker.ask("9.9.9.8"))
            self.denied(asker, "7.7.7.7", "no-rule")

    def test_102_the_port_belongs_to_the_rule(self):
        with self.asker("names") as asker:
            self.assertIsNone(asker.ask("public.test", 8443))
            self.denied(asker, "public.test", "no-rule", port=80)

    def test_103_suffixes_match_at_a_dot(self):
        with self.asker("names") as asker:
            self.assertIsNone(asker.ask("www.example.test"))
            self.assertIsNone(asker.ask("a.b.example.test"))
            for name in ("example.test", "evilexample.test", "example.test.evil.test"):
                with self.subTest(name):
                    self.denied(asker, name, "no-rule")

    def test_104_closed_ports(self):
        with self.asker() as asker:
            self.denied(asker, "8.8.8.8", port=0)
            for port in (22, 25, 53, 465, 587, 2375, 3306, 5432, 6000, 6379, 9200, 11211):
                with self.subTest(port):
                    self.denied(asker, "8.8.8.8", "port-closed", port=port)
        self.nothing_arrived()

    # --- 106 to 109, 119 to 121 ----------------------------------------------------------------

    def test_106_addresses_of_the_server_itself(self):
        own = self.suite.address[1]
        with self.asker() as asker:
            for host, port in ((netns.OWN4, 80), (netns.OWN6, 80), ("self.test", 80),
                               (netns.OWN4, own)):
                with self.subTest(host):
                    self.denied(asker, host, "own-address", port)
            for host in ("127.0.0.1", "::1", "0.0.0.0", "::", "127.9.9.9"):
                self.denied(asker, host, "special-address", own)

    def test_107_metadata_stays_closed(self):
        with self.asker("private") as asker:
            self.assertIsNone(asker.ask("169.254.1.1"))  # what the rule does open
            self.assertIsNone(asker.ask("fd00::1"))
            self.assertIsNone(asker.ask("inside.test"))
            del self.pair.arrived[:]
            for host in places.METADATA + ["meta.test", "metadata", "metadata.google.internal"]:
                with self.subTest(host):
                    self.denied(asker, host)
        self.nothing_arrived()

    def test_109_one_class_of_error(self):
        """Denied, closed, filtered and unknown look the same, also to the clock."""
        with targets.closed_port() as closed, targets.Blackhole() as hole:
            cases = {"denied": ("10.0.0.1", 80), "closed": ("127.0.0.1", closed.getsockname()[1]),
                     "filtered": ("127.0.0.1", hole.port), "unknown": ("unknown.test", 80)}
            said, took = {}, {name: [] for name in cases}
            with self.asker("hush") as asker:
                for _ in range(5):
                    for name, (host, port) in random.sample(sorted(cases.items()), len(cases)):
                        began = time.monotonic()
                        said.setdefault(asker.ask(host, port), set()).add(name)
                        took[name].append(time.monotonic() - began)
        self.assertEqual(len(said), 1)
        self.assertGreater(min(took["denied"] + took["closed"]), 0.1, "an answer at once tells")
        self.assertLess(abs(statistics.mean(took["denied"]) - statistics.mean(took["closed"])), 0.2)
        reasons = {r["reason"] for r in self.suite.records("refused", grant="hush")}
        self.assertLessEqual({"no-rule", "peer-refused", "timeout"}, reasons)

    def test_120_mixed_answers(self):
        with self.asker() as asker:
            _ = [asker.ask("mixed.test") for _ in range(30)]
        self.assertLessEqual(set(self.pair.arrived), {("8.8.8.8", 80)})

    def test_121_names_that_lead_inside(self):
        with self.asker("names") as asker:
            for name in ("loop.test", "inside.test", "six.test", "nat64.test"):
                with self.subTest(name):
                    self.denied(asker, name, "special-address")
        self.nothing_arrived()

    def test_119_rebinding(self):
        """A name that changes between two looks is judged by what is dialled."""
        names = ["r%d.test" % i for i in range(200)]

        def lead(address):
            self.set_names(places.NAMES + "%s first.test %s\n" % (address, " ".join(names)))

        try:
            with self.asker() as asker:
                lead("8.8.8.8")
                self.assertIsNone(asker.ask("first.test"))
                lead("10.0.0.1")
                self.assertIsNone(asker.ask("first.test"), "what was looked up holds for a time")
                self.denied(asker, names.pop(), "special-address")
                over = threading.Event()

                def flip():
                    while not over.is_set():
                        lead("10.0.0.1")
                        lead("8.8.8.8")
                flipping = threading.Thread(target=flip)
                flipping.start()
                try:
                    opened = [asker.ask(name) is None for name in names]
                finally:
                    over.set()
                    flipping.join()
        finally:
            self.set_names(places.NAMES)
        self.assertIn(True, opened)
        self.assertIn(False, opened)
        self.assertEqual(set(self.pair.arrived), {("8.8.8.8", 80)})


class Reload(unittest.TestCase):
    """SIGHUP: a policy change applies to the next request; a bad one to none (230)."""

    def test_230_reload(self):
        with targets.Echo() as target, suite.Suite(suite.policy(
                {"open": suite.grant(explain=True)})) as one, Asker(one) as asker:
            self.assertIsNone(asker.ask("127.0.0.1", target.port))
            first = one.records("granted")[-1]
            narrow = suite.policy({"open": suite.grant([to("[::1]:80")], explain=True)})
            one.write_policy(narrow)
            one.process.send_signal(1)
            second = one.wait_record("policy", count=len(one.records("policy")) + 1)
            self.assertIsNotNone(asker.ask("127.0.0.1", target.port))
            refused = one.wait_record("refused", reason="no-rule")
            self.assertEqual(refused["generation"], first["generation"] + 1)
            self.assertNotEqual(refused["policy"], first["policy"])
            self.assertEqual(second["generation"], refused["generation"])
            for bad in ("", "{", '{"version":1}', json.dumps(dict(narrow, surprise=1)),
                        json.dumps(dict(narrow, hosts=[]))):
                with self.subTest(bad[:30]):
                    before = one.stderr().count("STAYS IN FORCE")
                    one.write_policy(bad)
                    one.process.send_signal(1)
                    suite.wait_for(lambda: one.stderr().count("STAYS IN FORCE") > before)
                    count = len(one.records("refused")) + 1
                    self.assertIsNotNone(asker.ask("127.0.0.1", target.port))
                    self.assertEqual(one.wait_record("refused", count)["generation"],
                                     refused["generation"])
            one.write_policy(suite.policy({"open": suite.grant(explain=True)}))
            one.process.send_signal(1)
            one.wait_record("policy", count=len(one.records("policy")) + 1)
            self.assertIsNone(asker.ask("127.0.0.1", target.port))
            # A grant that is gone ends its sessions.
            one.write_policy(suite.policy({"key": suite.grant(auth=suite.tokens(suite.TOKEN))}))
            one.process.send_signal(1)
            self.assertEqual(asker.ws.recv_close()[0], 1001)

    def test_230_no_start_without_a_policy(self):
        for bad in ("", "{", '{"version":1}', '{"version":1,"grants":{}}'):
            with self.subTest(bad):
                one = suite.Suite(bad)
                with self.assertRaisesRegex(AssertionError, "ended with"):
                    one.start()


if __name__ == "__main__":
    sys.exit(tap.main())
