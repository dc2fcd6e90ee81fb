#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""sockward-resolver alone: names to addresses, their time, its bounds, bad answers; 122-126."""

import array
import os
import signal
import socket
import struct
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import dnsbox
import dnslies as lies
import ipcwire as wire
import tap

HOSTS = "127.0.0.1 localhost\n::1 localhost ip6-localhost\n10.9.8.7 db.internal\n" \
        "10.9.8.8 twice.test\n10.9.8.8 twice.test\n127.0.0.9 hosts.localhost\n"
RESOLV = "nameserver 127.0.0.1\nsearch search.example\noptions ndots:3 timeout:30 attempts:1\n"
NSSWITCH = "hosts: files dns\n"

ZONE = {
    "one.test": ["203.0.113.1"],
    "both.test": ["203.0.113.2", "2001:db8::2"],
    "many.test": ["203.0.113.%d" % i for i in range(20, 40)],
    "same.test": ["203.0.113.3"] * 5,
    "inside.test": ["127.0.0.1", "::1", "10.0.0.1"],
    "single": ["203.0.113.4"],
    "empty.test": [],
    "fail.test": lies.fails,
    "chain.test": lies.itself,
    "pointers.test": lies.pointers,
    "count.test": lies.count,
    "short.test": lies.short,
    "id.test": lies.wrong_id,
    "late.test": lies.late,
    "question.test": lies.other_question,
    "port.test": lies.other_port,
    "*.hang.test": None,
    "back.test": lies.back,
    "beside.test": lies.beside,
    "inner.test": lies.hops(1, to="127.0.0.1"),
    "*.hopsttl.test": lies.hops(3, 70),
    "cut.test": lies.cut, "cut.test tcp": ["203.0.113.9"],
    "cuttwice.test": lies.cut, "cuttwice.test tcp": lies.cut,
    "longest.test": lies.cut, "longest.test tcp": lies.longest,
    "most.test": lies.cut, "most.test tcp": lies.most,
    "x.localhost": [lies.LIE], "localhost": [lies.LIE], "a.onion": [lies.LIE],
    "ttl.test": lies.ttls(300, 80), "ttlzero.test": lies.ttls(300, 0),
    "ttllong.test": lies.ttls(10 ** 6, 2 ** 31 - 1),
    "ttlneg.test": lies.ttls(2 ** 32 - 1, 2 ** 31),
    "*.rotate.test": lies.Rotating(lambda n: "198.51.100.%d" % n, 3000),
    "short.rotate.test": lies.Rotating(lambda n: "198.51.100.%d" % n, 1),
}
ZONE.update(("hops%d.test" % n, lies.hops(n)) for n in (0, 1, 8, 9, 20))


def children(pid):
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open("/proc/%s/stat" % entry) as file:
                    fields = file.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == pid and fields[0] != "Z":
                found.append(int(entry))
    return found


def memory_of(pid):
    """All of its memory that can be written."""
    found = b""
    with open("/proc/%d/maps" % pid) as maps, open("/proc/%d/mem" % pid, "rb") as memory:
        for line in maps:
            where, how = line.split()[:2]
            if how.startswith("rw"):
                low, high = (int(text, 16) for text in where.split("-"))
                memory.seek(low)
                found += memory.read(high - low)
    return found


def filters_of(pid):
    with open("/proc/%d/status" % pid) as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Seccomp_filters:"))


def setUpModule():
    global server
    try:
        dnsbox.enter({"hosts": HOSTS, "resolv.conf": RESOLV, "nsswitch.conf": NSSWITCH})
    except OSError as error:
        raise unittest.SkipTest("no namespaces here: %s" % error)
    server = dnsbox.Server(ZONE)


class Resolver(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.helper = wire.Helper("resolver", environ={
            "LOCALDOMAIN": "environment.example", "RES_OPTIONS": "ndots:9",
            "HOSTALIASES": "/etc/hosts", "CARES_HOSTS": "/etc/resolv.conf"}).start()

    @classmethod
    def tearDownClass(cls):
        cls.helper.__exit__(None)

    def setUp(self):
        self.channel = self.helper.connect(seconds=20)

    def tearDown(self):
        self.channel.close()

    def look(self, name, tag=7, session=2 ** 63 + 5):
        answer = wire.ask(self.channel, wire.lookup(name, tag, session))
        self.assertEqual(answer[:2], (tag, session))
        return answer[2:]

    def time_of(self, name, grant="demo"):
        """What is told beside the addresses: for how long."""
        self.channel.send(wire.lookup(name, 7, 1, grant))
        message = self.channel.recv(4096)
        return wire.unpack(message)[1][2:] + struct.unpack_from("=I", message, 24)

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

    def test_124_answers_to_nothing(self):
        """An answer with another id, or half of one, is none: the deadline ends the wait."""
        began = time.monotonic()
        self.channel.send(wire.lookup("id.test", 1))
        self.channel.send(wire.lookup("short.test", 2))
        for _ in range(2):
            self.assertEqual(wire.unpack(self.channel.recv(4096))[1][2:], ("name-failed", []))
        self.assertLess(time.monotonic() - began, 11.5)

    def test_125_a_silent_server_holds_up_nobody_else(self):
        for tag in range(40):
            self.channel.send(wire.lookup("%d.hang.test" % tag, tag))
        began = time.monotonic()
        with self.helper.connect() as other:
            for tag in range(50):
                answer = wire.ask(other, wire.lookup("one.test", tag))
                self.assertEqual(answer[2:], ("none", ["203.0.113.1"]))
        self.assertLess(time.monotonic() - began, 5)
        tags = {}
        for _ in range(40):
            tag, _, reason, found = wire.unpack(self.channel.recv(4096))[1]
            tags[tag] = (reason, found)
        self.assertEqual(tags, {tag: ("name-failed", []) for tag in range(40)})
        self.assertTrue(9 < time.monotonic() - began < 11.5, time.monotonic() - began)
        time.sleep(1)
        self.assertEqual(children(self.helper.process.pid), [])

    def test_125_more_lookups_than_there_is_room_for(self):
        """Each is answered exactly once: what has no room at once, the rest at its deadline."""
        count = 1500
        began = time.monotonic()
        seen = []
        self.channel.setblocking(False)
        sent = 0
        at_once = 0
        while len(seen) < count and time.monotonic() - began < 20:
            try:
                while sent < count:
                    self.channel.send(wire.lookup("%d.hang.test" % sent, sent,
                                                  session=1 + sent % 40,
                                                  grant="g%d" % (sent % 2)))
                    sent += 1
            except BlockingIOError:
                pass
            try:
                tag, _, reason, _ = wire.unpack(self.channel.recv(4096))[1]
                self.assertEqual(reason, "name-failed")
                at_once += time.monotonic() - began < 8
                seen.append(tag)
            except BlockingIOError:
                time.sleep(0.005)
        self.assertEqual(sorted(seen), list(range(count)))
        self.assertEqual(at_once, count - 1024)
        self.channel.settimeout(15)
        time.sleep(1)
        self.assertEqual(self.look("one.test"), ("none", ["203.0.113.1"]))

    def test_125_one_session_does_not_fill_the_queue(self):
        for tag in range(200):
            self.channel.send(wire.lookup("%d.hang.test" % tag, tag, session=7))
        self.channel.send(wire.lookup("one.test", 999, session=8))
        self.channel.settimeout(5)
        seen, last = set(), None
        while last != 999:
            last, _, reason, _ = wire.unpack(self.channel.recv(4096))[1]
            seen.add(last)
        self.assertEqual(reason, "none")
        # 64 wait, and 4 are under way, if these were before the others came.
        self.assertIn(len(seen) - 1, range(200 - 64 - 4, 200 - 64 + 1))
        self.assertGreaterEqual(min(seen), 64)

    def test_125_one_grant_does_not_fill_the_queue(self):
        """However many sessions it has: neither the processes nor what waits."""
        for tag in range(600):
            self.channel.send(wire.lookup("%d.hang.test" % tag, tag, session=tag, grant="many"))
        began = time.monotonic()
        with self.helper.connect() as other:
            for tag in range(20):
                answer = wire.ask(other, wire.lookup("one%d.rotate.test" % tag, tag))
                self.assertEqual(answer[2], "none")
        self.assertLess(time.monotonic() - began, 5)
        self.channel.settimeout(15)
        for _ in range(600):
            self.assertEqual(wire.unpack(self.channel.recv(4096))[1][2], "name-failed")

    def test_a_client_that_does_not_read(self):
        """What it asked for waits with it; others are served."""
        self.channel.setblocking(False)
        sent = 0
        try:
            while sent < 5000:
                self.channel.send(wire.lookup("no name", sent))
                sent += 1
                time.sleep(0.0002)
        except BlockingIOError:
            pass
        self.assertLess(sent, 5000)
        with self.helper.connect() as other:
            self.assertEqual(wire.ask(other, wire.lookup("one.test"))[2], "none")
        self.channel.settimeout(5)
        tags = [wire.unpack(self.channel.recv(4096))[1][0] for _ in range(sent)]
        self.assertEqual(tags, list(range(sent)))

    def test_a_client_that_leaves(self):
        with self.helper.connect() as other:
            for tag in range(30):
                other.send(wire.lookup("one.test", tag))
                other.send(wire.lookup("%d.hang.test" % tag, tag))
        for _ in range(20):
            self.assertEqual(self.look("one.test"), ("none", ["203.0.113.1"]))

    def test_illegal_messages_end_one_client(self):
        good = wire.lookup("one.test")
        left, right = os.pipe()
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [left]))]
        for name, message, ancillary in (
                ("short", good[:-1], []), ("long", good + b"\0", []), ("tiny", b"\1", []),
                ("type", struct.pack("=I", 9999) + good[4:], []),
                ("way", bytes(wire.TABLE["ADDRESSES"][1]), []),
                ("other channel", wire.verify(), []), ("descriptor", good, rights)):
            with self.subTest(name), self.helper.connect(seconds=5) as other:
                other.sendmsg([message], ancillary)
                self.assertTrue(wire.cut_off(other))
        os.close(left)
        os.close(right)
        self.assertEqual(self.look("one.test"), ("none", ["203.0.113.1"]))
        self.assertNotIn("one.test", self.helper.stderr())

    def test_no_more_clients_than_there_are_places(self):
        more = [self.helper.connect(seconds=5) for _ in range(5)]
        self.assertEqual(wire.ask(more[2], wire.lookup("one.test"))[2], "none")
        self.assertTrue(wire.cut_off(more[4]))
        for one in more:
            one.close()
        time.sleep(0.1)
        self.assertEqual(self.look("one.test"), ("none", ["203.0.113.1"]))


class Life(unittest.TestCase):
    def test_one_session_does_not_starve_the_others(self):
        with wire.Helper("resolver") as helper:
            channel = helper.connect()
            for tag in range(200):
                channel.send(wire.lookup("%d.hang.test" % tag, tag, session=1))
            channel.send(wire.lookup("200.hang.test", 200, session=2))
            time.sleep(0.5)
            self.assertEqual(len(children(helper.process.pid)), 4 + 1)

    @tap.needs_root
    def test_a_lookup_has_not_what_others_asked(self):
        """Its process is forked without the questions and answers of all others."""
        with wire.Helper("resolver") as helper:
            channel = helper.connect()
            for i in range(8):
                name = "known%d%s.rotate.test" % (i, "-and-long" * 5)
                self.assertEqual(wire.ask(channel, wire.lookup(name))[2], "none")
            channel.send(wire.lookup("seen.hang.test", 1, session=2, grant="of-another"))
            end = time.monotonic() + 10
            while "seen.hang.test" not in server.asked and time.monotonic() < end:
                time.sleep(0.01)
            child, = children(helper.process.pid)
            mine, parents = memory_of(child), memory_of(helper.process.pid)
            self.assertIn(b"known3-and-long", parents)
            self.assertIn(b"of-another", parents)
            self.assertIn(b"seen.hang.test", mine)
            self.assertNotIn(b"of-another", mine)
            self.assertFalse([i for i in range(8) if b"known%d-and" % i in mine])
            self.assertNotIn(b"-and-long", mine)

    @tap.needs_root
    def test_a_lookup_has_not_what_is_asked_beside_it(self):
        """Nor on the stack: both questions are taken before the first process is forked."""
        names = ["one-of-two.hang.test", "and-its-%s-neighbour.hang.test" % ("long" * 10)]
        with wire.Helper("resolver") as helper:
            channel = helper.connect()
            self.assertEqual(wire.ask(channel, wire.lookup("one.test"))[2], "none")
            os.kill(helper.process.pid, signal.SIGSTOP)
            for i, name in enumerate(names):
                channel.send(wire.lookup(name, i, session=i, grant="grant%d" % i))
            os.kill(helper.process.pid, signal.SIGCONT)
            end = time.monotonic() + 10
            while not set(names) <= set(server.asked) and time.monotonic() < end:
                time.sleep(0.01)
            found = [memory_of(pid) for pid in children(helper.process.pid)]
            self.assertEqual(len(found), 2)
            for memory in found:
                self.assertEqual(sum(name.encode() in memory for name in names), 1)
                self.assertEqual(sum(part in memory for part in (b"one-of", b"-neighbour")), 1)

    @tap.needs_root
    def test_a_lookup_has_a_filter_of_its_own(self):
        """What its resolver alone needs is taken from it."""
        with wire.Helper("resolver") as helper:
            channel = helper.connect()
            channel.send(wire.lookup("filter.hang.test", 1))
            end = time.monotonic() + 10
            while "filter.hang.test" not in server.asked and time.monotonic() < end:
                time.sleep(0.01)
            child, = children(helper.process.pid)
            self.assertEqual(filters_of(child), filters_of(helper.process.pid) + 1)
            with open("/proc/%d/limits" % child) as file:
                limits = {line[:26].strip(): line[26:].split()[1] for line in file}
            self.assertEqual(int(limits["Max address space"]), 64 << 20)

    def test_124_ids_without_the_device(self):
        """An id that nobody can tell beforehand, also where c-ares finds no /dev/urandom."""
        with dnsbox.hidden("/dev/urandom"), wire.Helper("resolver") as helper:
            channel = helper.connect()
            names = ["id%d.rotate.test" % i for i in range(6)]
            for name in names:
                self.assertEqual(wire.ask(channel, wire.lookup(name))[2], "none")
        ids = [number for (name, _), number in server.ids.items() if name in names]
        self.assertEqual(len(ids), 12)
        self.assertGreater(len(set(ids)), 10)

    def test_killed_it_leaves_no_process(self):
        with wire.Helper("resolver") as helper:
            channel = helper.connect()
            for tag in range(10):
                channel.send(wire.lookup("%d.hang.test" % tag, tag, session=tag))
            time.sleep(0.5)
            found = children(helper.process.pid)
            self.assertEqual(len(found), 10)
            helper.kill()
            time.sleep(0.2)
            for pid in found:
                try:
                    with open("/proc/%d/stat" % pid) as file:
                        self.assertEqual(file.read().rsplit(")", 1)[1].split()[0], "Z")
                except OSError:
                    pass

    def test_it_starts_only_with_its_socket(self):
        with wire.Helper("resolver") as helper:
            helper.stop()
            helper.name = "broker"
            helper.start()
            self.assertEqual(helper.process.wait(5), 1)
            self.assertIn("has no use here", helper.stderr())
            with socket.socket() as tcp:
                helper.name = "resolver"
                right, helper.listening = helper.listening, tcp
                helper.start()
                helper.listening = right
            self.assertEqual(helper.process.wait(5), 1)
            self.assertIn("no listening SOCK_SEQPACKET socket", helper.stderr())

    @tap.needs_root
    def test_who_may_connect(self):
        for args, served in (([], False), (["--broker-uid", "65533"], True)):
            with self.subTest(args), wire.Helper("resolver", args) as helper:
                os.chmod(helper.directory, 0o755)
                os.chmod(helper.path, 0o777)
                reading, writing = os.pipe()
                pid = os.fork()
                if pid == 0:
                    try:
                        os.setresuid(65533, 65533, 65533)
                        channel = helper.connect()
                        channel.send(wire.lookup("db.internal"))
                        os.write(writing, b"served" if channel.recv(4096) else b"refused")
                    except OSError:
                        os.write(writing, b"refused")
                    os._exit(0)
                os.waitpid(pid, 0)
                self.assertEqual(os.read(reading, 10), b"served" if served else b"refused")
                os.close(reading)
                os.close(writing)


if __name__ == "__main__":
    sys.exit(tap.main())
