# SPDX-License-Identifier: ISC
"""The resolver, alone, in namespaces with a name server of ours and its lies."""

import os
import struct
import unittest

import dnsbox
import dnslies as lies
import ipcwire as wire

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


def enter():
    """For setUpModule(): the name server, or SkipTest."""
    try:
        dnsbox.enter({"hosts": HOSTS, "resolv.conf": RESOLV, "nsswitch.conf": NSSWITCH})
    except OSError as error:
        raise unittest.SkipTest("no namespaces here: %s" % error)
    return dnsbox.Server(ZONE)


class Case(unittest.TestCase):
    """One resolver for all tests of a class."""

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
