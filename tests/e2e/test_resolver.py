#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""sockward-resolver alone: names to addresses, their time, bad answers; cases 122-124."""

import os
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import dnslies as lies
import ipcwire as wire
import resolverbox
import tap


def setUpModule():
    global server
    server = resolverbox.enter()


class Resolver(resolverbox.Case):
    def test_sizes_of_the_messages(self):
        for name, layout in wire.HEAD.items():
            self.assertEqual(struct.calcsize(layout), wire.TABLE[name][1], name)

    def test_names_of_the_dns(self):
        self.assertEqual(self.look("one.test"), ("none", ["203.0.113.1"]))
        reason, found = self.look("both.test")
        self.assertEqual((reason, sorted(found)), ("none", ["2001:db8::2", "203.0.113.2"]))

    def test_a_dot_at_the_end_changes_nothing(self):
        self.assertEqual(self.look("one.test."), ("none", ["203.0.113.1"]))

    def test_names_of_the_hosts_file(self):
        asked = len(server.asked)
        self.assertEqual(self.look("db.internal"), ("none", ["10.9.8.7"]))
        self.assertEqual(self.look("db.internal."), ("none", ["10.9.8.7"]))
        self.assertEqual(self.look("twice.test"), ("none", ["10.9.8.8"]))
        self.assertEqual(sorted(self.look("localhost")[1]), ["127.0.0.1", "::1"])
        self.assertEqual(len(server.asked), asked)

    def test_126_private_answers_are_told_as_they_are(self):
        self.assertEqual(sorted(self.look("inside.test")[1]), ["10.0.0.1", "127.0.0.1", "::1"])

    def test_no_more_than_eight(self):
        reason, found = self.look("many.test")
        self.assertEqual((reason, len(found), len(set(found))), ("none", 8, 8))

    def test_each_address_once(self):
        self.assertEqual(self.look("same.test"), ("none", ["203.0.113.3"]))

    def test_what_is_not_there(self):
        self.assertEqual(self.look("nothing.test"), ("name-unknown", []))
        self.assertEqual(self.look("empty.test"), ("name-unknown", []))

    def test_what_fails_now(self):
        self.assertEqual(self.look("fail.test"), ("name-failed", []))

    def test_123_no_search_list(self):
        del server.asked[:]
        self.assertEqual(self.look("single"), ("none", ["203.0.113.4"]))
        self.assertEqual(self.look("nothing"), ("name-unknown", []))
        self.assertEqual(self.look("a.nothing.test"), ("name-unknown", []))
        self.assertEqual(set(server.asked), {"single", "nothing", "a.nothing.test"})

    def test_96_what_is_no_name_is_not_asked_for(self):
        asked = len(server.asked)
        for text in ("127.0.0.1", "::1", "[::1]", "0177.0.0.1", "0x7f.1", "2130706433", "127.1",
                     "UPPER.test", "a..b", ".", "", "-a.test", "a b.test", "a" * 64 + ".test",
                     "one.test\n", "\xff.test", "%6c.test", "one.test:80", "x/../etc"):
            with self.subTest(text):
                self.assertEqual(self.look(text.encode("latin-1")), ("name-invalid", []))
        self.assertEqual(self.look(b"one.test\0rest"), ("name-invalid", []))
        self.assertEqual(self.look(b"a." * 128), ("name-invalid", []))
        self.assertEqual(len(server.asked), asked)

    def test_122_124_answers_that_lie(self):
        """Each name is answered once, nothing of it is believed, and the resolver lives."""
        for name in ("chain.test", "pointers.test", "count.test"):
            with self.subTest(name):
                reason, found = self.look(name)
                self.assertIn(reason, ("name-failed", "name-unknown"))
                self.assertEqual(found, [])
        self.assertEqual(self.look("one.test"), ("none", ["203.0.113.1"]))

    def test_122_chains(self):
        for name in ("hops0.test", "hops1.test", "hops8.test"):
            self.assertEqual(self.look(name), ("none", [lies.TRUTH]), name)
        for name in ("hops9.test", "hops20.test", "back.test", "beside.test"):
            self.assertIn(self.look(name), (("name-failed", []), ("name-unknown", [])), name)
        self.assertEqual(self.look("inner.test"), ("none", ["127.0.0.1"]))
        self.assertFalse([name for name in server.asked if name.startswith("hop") and
                          not name.startswith("hops")], "what a chain names is not asked for")

    def test_123_names_that_stay_here(self):
        del server.asked[:]
        self.assertEqual(sorted(self.look("localhost")[1]), ["127.0.0.1", "::1"])
        self.assertEqual(self.look("x.localhost"), ("name-unknown", []))
        self.assertEqual(self.look("hosts.localhost"), ("none", ["127.0.0.9"]))
        self.assertEqual(self.look("a.onion"), ("name-unknown", []))
        self.assertEqual(server.asked, [])

    def test_124_truncated(self):
        """By TCP then, up to its longest."""
        del server.by_tcp[:]
        self.assertEqual(self.look("cut.test"), ("none", ["203.0.113.9"]))
        self.assertEqual(server.by_tcp, ["cut.test"] * 2)
        self.assertEqual(self.look("longest.test"), ("none", [lies.TRUTH]))
        reason, found = self.look("most.test")
        self.assertEqual((reason, len(set(found))), ("none", 8))
        self.assertEqual(self.look("cuttwice.test"), ("name-unknown", []))

    def test_124_lies_before_the_truth(self):
        for name in ("late.test", "question.test", "port.test"):
            self.assertEqual(self.look(name), ("none", [lies.TRUTH]), name)

    def test_124_answers_to_nothing(self):
        """An answer with another id, or half of one, is none: the deadline ends the wait."""
        began = time.monotonic()
        self.channel.send(wire.lookup("id.test", 1))
        self.channel.send(wire.lookup("short.test", 2))
        for _ in range(2):
            self.assertEqual(wire.unpack(self.channel.recv(4096))[1][2:], ("name-failed", []))
        self.assertLess(time.monotonic() - began, 11.5)

    # --- time ---------------------------------------------------------------------------

    def test_the_least_of_all_times_is_told(self):
        self.assertEqual(self.time_of("a.hopsttl.test"), ("none", [lies.TRUTH], 70))
        for name, ttl in (("ttl.test", 80), ("ttlzero.test", 5), ("ttlneg.test", 5),
                          ("ttllong.test", 3600)):
            reason, found, told = self.time_of(name)
            self.assertEqual((reason, len(found), told), ("none", 2, ttl), name)
        self.assertEqual(self.time_of("db.internal", "files"), ("none", ["10.9.8.7"], 60))
        self.assertEqual(self.time_of("nothing.test"), ("name-unknown", [], 0))

    def test_addresses_stay_for_that_time(self):
        first = self.time_of("a.rotate.test")[1]
        for _ in range(20):
            reason, found, told = self.time_of("a.rotate.test")
            self.assertEqual((reason, found), ("none", first))
            self.assertTrue(2900 < told <= 3000, told)
        self.assertEqual(server.asked.count("a.rotate.test"), 2, "A and AAAA")

    def test_each_grant_has_its_own(self):
        found = {grant: self.time_of("b.rotate.test", grant)[1][0] for grant in "abc"}
        self.assertEqual(len(set(found.values())), 3)
        self.assertEqual(server.asked.count("b.rotate.test"), 6)
        for grant in "cab":
            self.assertEqual(self.time_of("b.rotate.test", grant)[1], [found[grant]])

    def test_addresses_change_when_it_is_over(self):
        """The time of a TTL of 1 is 5 s and told as less and less, never as 0; then a new one."""
        reason, first, last = self.time_of("short.rotate.test")
        self.assertEqual((reason, last), ("none", 5))
        found, end = first, time.monotonic() + 60
        while found == first and time.monotonic() < end:
            self.assertTrue(1 <= last <= 5, last)
            time.sleep(0.1)
            before = last
            reason, found, last = self.time_of("short.rotate.test")
            self.assertEqual(reason, "none")
            self.assertTrue(last <= before or found != first, "its time was made longer")
        self.assertNotEqual(found, first)
        self.assertEqual((before, last), (1, 5))

    def test_what_is_not_there_is_asked_for_again(self):
        for _ in range(3):
            self.assertEqual(self.look("absent.test"), ("name-unknown", []))
        self.assertEqual(server.asked.count("absent.test"), 6)

    def test_asked_twice_at_once(self):
        for tag in range(40):
            self.channel.send(wire.lookup("c.rotate.test", tag, session=tag))
        found = {tuple(wire.unpack(self.channel.recv(4096))[1][3]) for _ in range(40)}
        self.assertEqual(len(found), 1)
        self.assertEqual(server.asked.count("c.rotate.test"), 2)


if __name__ == "__main__":
    sys.exit(tap.main())
