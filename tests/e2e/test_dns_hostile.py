#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Names end to end, with a hostile name server: cases 119 to 128, and how long an answer holds.

Client, worker, broker and resolver are the real ones; the name server is ours (dnsbox.py),
and so is the world: the way out leads to a machine that answers for every address
(netns.py), so that an address that is dialled is seen there. What listens on loopback
beside the suite must see nobody.
"""

import json
import os
import random
import struct
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import dnsbox
import dnslies as lies
import netns
import suite
import tap
import targets
import wsclient
from askers import DIALECTS, Netproxy, Raw, Wasmnet
from suite import to

HOSTS = "127.0.0.1 localhost\n::1 localhost\n"
RESOLV = "nameserver 127.0.0.1\nsearch search.example evil.example\noptions ndots:5\n"
FILES = {"hosts": HOSTS, "resolv.conf": RESOLV, "nsswitch.conf": "hosts: files dns\n"}
PUBLIC, SIX = "8.8.8.8", "2600:1::1"
INNER = ["10.0.0.1", "127.0.0.1", "169.254.169.254", "::1", "64:ff9b::7f00:1", "fd00:ec2::254"]
METADATA = ["metadata", "metadata.google.internal", "instance-data.ec2.internal"]
BOTH = ("tcp", "udp")


def mixed(n):
    """A public address among those that are not, in turn at each place."""
    found = [PUBLIC] + INNER[:3]
    return found[n % 4:] + found[:n % 4]


ZONE = {
    "*.flip.test": lies.Rotating([PUBLIC, "10.0.0.1"]),
    "*.slow.test": lies.Rotating([PUBLIC, "10.0.0.1"], ttl=300),
    "*.rotate.test": lies.Rotating(lambda n: "8.0.%d.%d" % (n >> 8, n & 255), ttl=300),
    "*.soon.test": lies.Rotating(lambda n: "8.1.%d.%d" % (n >> 8, n & 255), ttl=0),
    "*.mixed.test": lies.Rotating(mixed, together=True),
    "six.test": [PUBLIC, "::1", "64:ff9b::7f00:1"],
    "four.test": [SIX, "127.0.0.1"],
    "inner.test": INNER,
    "told.test": [PUBLIC, SIX] + INNER,
    "public.test": [PUBLIC],
    "hop8.test": lies.hops(8), "hop9.test": lies.hops(9), "hop20.test": lies.hops(20),
    "itself.test": lies.itself, "back.test": lies.back, "beside.test": lies.beside,
    "tolocalhost.test": lies.hops(1, to="127.0.0.1", end="localhost"),
    "tointernal.test": lies.hops(2, to="10.0.0.1", end="db.internal"),
    "tometa.test": lies.hops(1, to="169.254.169.254", end="metadata.google.internal"),
    "pointers.test": lies.pointers, "count.test": lies.count, "fails.test": lies.fails,
    "late.test": lies.late, "question.test": lies.other_question, "port.test": lies.other_port,
    "cut.test": lies.cut, "cut.test tcp": lies.truth,
    "longest.test": lies.cut, "longest.test tcp": lies.longest,
    "most.test": lies.cut, "most.test tcp": lies.most,
    "*.hang.test": None,
    # Whoever asks for one of these is told something.
    "*.localhost": [PUBLIC], "*.local": [PUBLIC], "*.internal": [PUBLIC],
    "*.google.internal": [PUBLIC], "*.ec2.internal": [PUBLIC], "*.search.example": [PUBLIC],
    "*.evil.example": [PUBLIC],
    "localhost": [PUBLIC], "single": [PUBLIC], "metadata": [PUBLIC], "": [PUBLIC],
}


def token_for(name):
    return "token-for-%s-0123456789" % name


def rules():
    def g(name, *allow, **more):
        return suite.grant(list(allow), auth=suite.tokens(token_for(name)), **more)
    quick = {"connect_timeout": "1s"}
    return suite.policy({
        "all": suite.grant([to("*:*", BOTH)], explain=True),
        "names": g("names", to("*.rotate.test:80"), to("*.soon.test:80"), explain=True),
        "others": g("others", to("*.rotate.test:80"), explain=True),
        "hush": g("hush", to("public.test:80"), to("inner.test:80"), to("unknown.test:80"),
                  to("*.hang.test:80"), to("fails.test:80"), limits=quick),
        "hang": g("hang", to("*.hang.test:80"), explain=True, limits=quick),
        "few": g("few", to("*.rotate.test:80"), explain=True, limits={"connects_per_minute": 30}),
        "resolve": g("resolve", to("*.rotate.test:80"), explain=True),
    }, dialects=["raw", "netproxy", "wasmnet", "wisp", "udp-relay"])


def setUpModule():
    global world, server
    if os.geteuid() != 0:
        raise unittest.SkipTest("needs root")
    try:
        dnsbox.enter(FILES)
    except OSError as error:
        raise unittest.SkipTest("no namespaces here: %s" % error)
    netns.Catcher.most = 5000
    world = netns.Pair(ports=(80, 53, 443)).__enter__()
    server = dnsbox.Server(ZONE)


def tearDownModule():
    world.__exit__()


class Hostile(suite.SuiteCase):
    seconds = 150

    @classmethod
    def setUpClass(cls):
        cls.rules = rules()
        super().setUpClass()
        cls.traps = [targets.Echo(address=where, port=80).__enter__()
                     for where in ("127.0.0.1", "::1")]

    @classmethod
    def tearDownClass(cls):
        for trap in cls.traps:
            trap.__exit__()
        super().tearDownClass()

    def setUp(self):
        del world.arrived[:], server.asked[:], server.by_tcp[:]
        self.before = self.programs()

    @staticmethod
    def asked():
        """By name. Lookups that no server answers go on after the test that began them."""
        return [name for name in server.asked if not name.endswith(".hang.test")]

    def programs(self):
        """The oldest of each: lookups are processes of the resolver."""
        return {role: self.suite.processes(role)[0] for role in ("broker", "resolver")}

    def tearDown(self):
        """Whatever a name server said: both live on, and nothing of the server was reached."""
        if self.suite in suite.running:
            self.assertEqual(self.programs(), self.before)
        for trap in self.traps:
            self.assertEqual(trap.seen, [])

    def session(self, kind, grant=None):
        one = kind(self.suite, token_for(grant) if grant else None)
        self.addCleanup(one.__exit__)
        return one

    def each(self):
        return (self.session(kind) for kind in DIALECTS)

    def refused(self, reason, **fields):
        self.suite.wait_record("refused", reason=reason, **fields)

    def where(self):
        return {address for address, _ in world.arrived}

    # --- how long an answer holds -----------------------------------------------------------

    def test_a_number_is_its_name_until_its_time_is_over(self):
        """A guest resolves first, and connects to the number; the name's addresses rotate, and
        the rules know the name alone."""
        name = "a.soon.test"
        guest, beside = self.session(Wasmnet, "names"), self.session(Netproxy, "names")
        self.assertIsNotNone(guest.ask("8.1.0.0"), "a number that nobody gave out")
        first, = guest.resolve(name)
        self.assertIsNone(guest.ask(first))
        granted = self.suite.wait_record("granted", host=name)
        self.assertEqual((granted["peer"], granted["rule"]), (first, "*.soon.test:80"))
        self.assertIsNotNone(beside.ask(first), "it was given out to another session")
        now, end = [first], time.monotonic() + 60
        while now == [first] and time.monotonic() < end:
            # By name it is that one too, in every session of the grant.
            opened = guest.ask(first) is None and beside.ask(name) is None
            now = guest.resolve(name)
            self.assertTrue(opened or now != [first], "it was told and refused")
            time.sleep(0.2)
        self.assertNotEqual(now, [first], "a time of 0 never ends")
        self.assertIsNotNone(guest.ask(first), "its time is over")
        self.assertIsNone(guest.ask(now[0]))
        self.assertLessEqual(self.where(), {first, "8.1.0.1", now[0]})

    def test_grants_share_no_answer(self):
        name = "b.rotate.test"
        one, other = self.session(Wasmnet, "names"), self.session(Wasmnet, "others")
        found = one.resolve(name)
        self.assertNotEqual(other.resolve(name), found)
        self.assertEqual(self.asked().count(name), 4)
        self.assertEqual(self.session(Wasmnet, "names").resolve(name), found)
        self.assertIsNotNone(other.ask(found[0]))
        self.assertIsNone(one.ask(found[0]))
        self.assertEqual(self.asked().count(name), 4)

    # --- 119 to 121: what a name leads to ----------------------------------------------------

    def test_119_public_first_and_private_next(self):
        """TTL 0. One resolution for a decision, and the judged address is the one dialled."""
        for client in self.each():
            name = "%s.flip.test" % client.name
            self.assertIsNone(client.ask(name))
            self.assertEqual(self.asked().count(name), 2, "once for A, once for AAAA")
            name = "%s.slow.test" % client.name
            for _ in range(3):
                self.assertIsNone(client.ask(name), "the answer holds")
            self.assertEqual(self.asked().count(name), 2)
        # Over and over: the private one is judged in its turn.
        guest, said, end = self.session(Wasmnet), None, time.monotonic() + 60
        while said is None and time.monotonic() < end:
            said = guest.ask("wasmnet.flip.test")
            time.sleep(0.2)
        self.assertIsNotNone(said)
        self.refused("special-address", host="wasmnet.flip.test", peer="10.0.0.1")
        self.assertEqual(self.where(), {PUBLIC})

    def test_120_mixed_answers(self):
        """Each address by itself: the public one is reached, wherever it stands."""
        for client in self.each():
            many = 940 if client.name == "wasmnet" else 20
            for n in range(many):
                self.assertIsNone(client.ask("%s%d.mixed.test" % (client.name, n)))
        self.assertEqual(self.where(), {PUBLIC})
        self.assertEqual(len(world.arrived), 1000)

    def test_121_the_other_family_leads_inside(self):
        for client in self.each():
            self.assertIsNone(client.ask("six.test"))
            self.assertIsNone(client.ask("four.test"))
            self.assertIsNotNone(client.ask("inner.test"))
            self.refused("special-address", host="inner.test", dialect=client.name)
        self.assertEqual(self.where(), {PUBLIC, SIX})

    # --- 122 to 124: answers that lie ----------------------------------------------------------

    def test_122_chains(self):
        for client in self.each():
            self.assertIsNone(client.ask("hop8.test"))
            for name in ("hop9.test", "hop20.test", "itself.test", "back.test", "beside.test"):
                self.assertIsNotNone(client.ask(name), name)
                found = self.suite.wait_record("refused", host=name, dialect=client.name)
                self.assertIn(found["reason"], ("name-failed", "name-unknown"))
            for name in ("tolocalhost.test", "tointernal.test", "tometa.test"):
                self.assertIsNotNone(client.ask(name), name)
                self.refused("special-address", host=name, dialect=client.name)
        self.assertEqual(self.where(), {lies.TRUTH})
        inner = {"localhost", "db.internal", "metadata.google.internal"}
        self.assertFalse(inner & set(self.asked()), "the end of a chain is not asked for")

    def test_123_names_that_are_not_asked_for(self):
        names = METADATA + ["localhost", "x.localhost", "single", "printer.local", "db.internal", "."]
        for client in self.each():
            for name in names:
                self.assertIsNotNone(client.ask(name), name)
        guest = self.session(Wasmnet)
        for name in names:
            self.assertIsInstance(guest.resolve(name), str, name)
        self.assertEqual(self.asked(), [])
        # Nor is a search list used for what is asked for.
        self.assertIsNotNone(guest.ask("nothing.test"))
        self.assertIsInstance(guest.resolve("a.nothing.test"), str)
        self.assertEqual(set(self.asked()), {"nothing.test", "a.nothing.test"})
        self.assertEqual(self.where(), set())

    def test_124_malformed_answers(self):
        for client in self.each():
            for name in ("pointers.test", "count.test", "fails.test"):
                self.assertIsNotNone(client.ask(name), name)
                found = self.suite.wait_record("refused", host=name, dialect=client.name)
                self.assertIn(found["reason"], ("name-failed", "name-unknown"))
        for name in ("late.test", "question.test", "port.test", "cut.test", "longest.test"):
            self.assertIsNone(self.session(Netproxy).ask(name), name)
        self.assertEqual(self.where(), {lies.TRUTH})
        self.assertEqual(len(self.session(Wasmnet).resolve("most.test")), 8)
        self.assertLessEqual({"cut.test", "longest.test", "most.test"}, set(server.by_tcp))

    # --- 125 to 128: what a session asks for -----------------------------------------------------

    @staticmethod
    def ask_all(guest, names):
        """The questions are sent at once; what is said comes later, in any order."""
        guest.socket().send_raw(b"".join(wsclient.frame(wsclient.TEXT, json.dumps(
            {"op": "resolve", "id": n, "name": name}).encode()) for n, name in enumerate(names)))

    @staticmethod
    def hear_all(guest, many):
        said = [json.loads(guest.socket().recv()[1]) for _ in range(many)]
        assert {event["id"] for event in said} == set(range(many)), "one answer for each"
        return [event["ev"] for event in said]

    def test_125_a_silent_server(self):
        """10,000 lookups of one session hold up neither the broker nor others."""
        flood, beside = self.session(Wasmnet, "hang"), self.session(Netproxy)
        took, children = [], 0
        for block in range(100):
            self.ask_all(flood, ["n%d.hang.test" % (100 * block + n) for n in range(100)])
            if block % 5 == 0:
                began = time.monotonic()
                self.assertIsNone(beside.ask(PUBLIC))
                self.assertIsNone(beside.ask("public.test"))
                took.append(time.monotonic() - began)
                children = max(children, len(suite.children_of().get(self.before["resolver"], [])))
            self.assertEqual(set(self.hear_all(flood, 100)), {"error"})
        self.assertLess(max(took), 5, took)
        self.assertLessEqual(children, 4)
        self.assertIsNone(beside.ask("public.test"))
        refused = self.suite.records("refused", grant="hang")
        self.assertLessEqual({record["reason"] for record in refused},
                             {"name-failed", "channels-limit"})
        self.assertEqual(len({record["host"] for record in refused}), 10000)

    def test_126_addresses_that_are_told(self):
        guest = self.session(Wasmnet)
        self.assertEqual(sorted(guest.resolve("told.test")), sorted([PUBLIC, SIX]))
        self.assertEqual(self.suite.wait_record("resolved", host="told.test")["addresses"], 8)
        self.assertEqual(guest.resolve("public.test"), [PUBLIC])
        self.assertIsInstance(guest.resolve("inner.test"), str)
        self.refused("special-address", host="inner.test")
        # Of names that no rule could allow, nothing, and no question.
        del server.asked[:]
        narrow = self.session(Wasmnet, "names")
        for name in ("told.test", "public.test", "rotate.test", "xrotate.test"):
            self.assertIsInstance(narrow.resolve(name), str)
            self.refused("no-rule", host=name, grant="names")
        self.assertEqual(self.asked(), [])

    def test_126_one_class_of_error(self):
        """Denied, unknown, failed and timed out: one text, and none at once."""
        names = {"denied": "nobody.test", "private": "inner.test", "unknown": "unknown.test",
                 "failed": "fails.test", "silent": "%d.hang.test"}
        for kind, way in [(Wasmnet, Wasmnet.resolve)] + [(kind, kind.ask) for kind in DIALECTS]:
            with self.subTest(way.__qualname__):
                said, least = set(), 9
                for n, name in enumerate(random.sample(sorted(names.values()), len(names))):
                    name = name % n if "%" in name else name
                    client = self.session(kind, "hush")
                    if kind is not Raw:
                        client.socket()
                    began = time.monotonic()
                    said.add(way(client, name).replace(name, "NAME"))
                    least = min(least, time.monotonic() - began)
                self.assertEqual(len(said), 1, said)
                self.assertGreater(least, 0.1, "an answer at once tells")
        self.assertEqual(self.session(Wasmnet, "hush").resolve("public.test"), [PUBLIC])
        for reason in ("no-rule", "special-address", "name-unknown", "name-failed"):
            self.refused(reason, grant="hush")

    def test_127_a_tunnel_of_names(self):
        """Each name counts, in all sessions of a subject: one budget, and a record for each."""
        guests = [self.session(Wasmnet, "few") for _ in range(5)]
        said, rounds, block = [], 20, 100
        for _ in range(rounds):
            for guest in guests:
                self.ask_all(guest, ["%032x.rotate.test" % random.getrandbits(128)
                                     for _ in range(block)])
            for guest in guests:
                said += self.hear_all(guest, block)
        told = said.count("resolved")
        self.assertIn(told, range(30, 61), "30 a minute, of two minutes at most")
        self.assertEqual(said.count("error"), 10000 - told)
        self.assertEqual(len(set(self.asked())), told)
        self.suite.wait_record("refused", 10000 - told, reason="connects-limit", grant="few")
        self.assertEqual(len(self.suite.records("resolved", grant="few")), told)

    def test_128_a_name_server_is_a_destination_like_others(self):
        """Who may resolve may not speak to name servers."""
        for kind in DIALECTS:
            client = self.session(kind, "resolve")
            for host, port in (("127.0.0.1", 53), (PUBLIC, 53), (PUBLIC, 443), ("dns.google", 443)):
                self.assertIsNotNone(client.ask(host, port), host)
        guest = self.session(Wasmnet, "resolve")
        for host in ("127.0.0.1", PUBLIC):
            self.assertIsNotNone(guest.ask(host, 53, op="connect_udp"))
            with self.suite.connect("/udp-relay/%s?token=%s" % (
                    host, token_for("resolve"))) as relay:
                relay.send(struct.pack(">BHHH", 1, 1000, 0, 53) + b"a question")
                self.assertEqual(relay.recv_close()[1].split(":")[0], "no-rule")
        self.assertEqual((self.asked(), server.by_tcp), ([], []))
        # Nor to this server's, where every destination is allowed.
        for client in self.each():
            self.assertIsNotNone(client.ask("127.0.0.1", 53))
        self.assertEqual((self.asked(), server.by_tcp), ([], []))
        self.assertEqual(len(guest.resolve("c.rotate.test")), 1)
        self.assertEqual(self.where(), set())


if __name__ == "__main__":
    sys.exit(tap.main())
