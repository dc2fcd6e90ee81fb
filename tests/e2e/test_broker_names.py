#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The broker alone: requests by name, and answers of the resolver; cases 83, 96, 119, 120, 126."""

import os
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import brokerbox
import brokercase
import suite
import tap
from brokerbox import receive_fd
from brokercase import policy, target
from ipcwire import REASON_WORDS, address_text, number_of


class Names(brokercase.Case):
    seconds = 120

    def test_119_one_lookup_and_the_judged_address_only(self):
        answers = iter([["127.0.0.1"], ["127.0.0.1"]])
        named = policy()
        named["grants"]["demo"]["allow"] = [suite.to("*.example.test:*")]
        with brokerbox.Broker(named, answer_names=lambda host: next(answers)) as b:
            session = b.session()
            # *.example.test is a rule by name, and not private: loopback is refused
            self.assertEqual(self.refused(b, session, "a.example.test"), "special-address")
            self.assertEqual(b.lookups, ["a.example.test"])

    def test_83_a_name_and_a_number_that_disagree(self):
        """Of a name that comes with a number only that address is dialled, if the name has it."""
        server, port = target()
        found = ["10.0.0.1", "127.0.0.1"]
        with brokerbox.Broker(policy(), answer_names=lambda host: found) as b:
            session = b.session()
            for ip, outcome in (("127.0.0.1", None), ("127.0.0.2", "no-rule"),
                                ("10.0.0.2", "no-rule"), ("::1", "no-rule")):
                b.ends[session].send(brokerbox.open_raw(brokerbox.number(ip, port), b"inner.test"))
                b.pump(until=lambda: self.ready(b, session), watch=b.ends[session])
                message, fds = receive_fd(b.ends[session])
                if outcome:
                    self.assertEqual(REASON_WORDS[struct.unpack_from("=III", message)[2]], outcome)
                else:
                    self.assertEqual(server.accept()[1], socket.socket(fileno=fds[0]).getsockname())
            self.assertEqual(b.lookups, ["inner.test"] * 4)

    def resolve(self, b, session, name):
        """[address, ...], or the reason."""
        b.ends[session].send(brokerbox.open_raw(brokerbox.number("", 0), name.encode(), 7,
                                                protocol=0, kind=brokerbox.RESOLVE))
        b.pump(until=lambda: self.ready(b, session), watch=b.ends[session])
        message = b.ends[session].recv(65536)
        if struct.unpack_from("=I", message)[0] == number_of("REFUSED"):
            return REASON_WORDS[struct.unpack_from("=III", message)[2]]
        number, tag, ttl, count = struct.unpack_from("=IIII", message)
        self.assertEqual((number, tag, ttl), (number_of("RESOLVED"), 7, 60))
        found = [address_text(message[16 + 20 * i:36 + 20 * i]) for i in range(8)]
        self.assertEqual(found[count:], [None] * (8 - count), "no address that was not judged")
        return found[:count]

    def test_126_addresses_that_are_told(self):
        """Only of names that a rule could allow, and only what would be allowed."""
        mixed = ["169.254.169.254", "203.0.114.1", "10.0.0.1", "2606:4700::1", "127.0.0.1"]
        rules = policy(deny=[{"to": "*:25"}, {"to": "shut.example.test:*"},
                             {"to": "[2606:4700::/32]:*"}])
        with brokerbox.Broker(rules, answer_names=lambda host: mixed) as b:
            session = b.session()
            # (127.0.0.1 has a rule of its own)
            self.assertEqual(self.resolve(b, session, "a.example.test"),
                             ["203.0.114.1", "127.0.0.1"])
            self.assertEqual(self.resolve(b, session, "inner.test"),
                             ["203.0.114.1", "10.0.0.1", "127.0.0.1"])
            asked = len(b.lookups)
            self.assertEqual(self.resolve(b, session, "shut.example.test"), "rule-denies")
            self.assertEqual(self.resolve(b, session, "localhost"), "no-rule")
            self.assertEqual(self.resolve(b, session, "A.example.test"), "name-invalid")
            self.assertEqual(len(b.lookups), asked)
            b.pump(until=lambda: len(b.of(session, "refused")) == 3)
            self.assertEqual([r["addresses"] for r in b.of(session, "resolved")], [5, 5])

    def test_96_numbers_in_the_dress_of_names(self):
        """The worker says that these are names: none is dialled, nor looked up if it is malformed."""
        wide = policy()
        wide["grants"]["demo"]["allow"] = [suite.to("*:*")]
        with brokerbox.Broker(wide, answer_names=lambda host: ["127.0.0.1"]) as b:
            session = b.session()
            for name in ("EVIL.example", "evil.example.", "a b.test", "x/y", "a:1", "::1",
                         "a" * 254, b"\xc3\xa9.test", "a\nb", "-.", "%31"):
                self.assertEqual(self.refused(b, session, name), "name-invalid"
                                 if name != "::1" else "special-address", name)
            self.assertEqual(b.lookups, [])
            for name in ("127.1", "0x7f.1", "2130706433", "017700000001"):
                self.assertIn(self.refused(b, session, name), ("special-address", "no-rule"), name)

    def test_120_a_denied_address_among_allowed_ones_is_not_dialled(self):
        server, port = target()
        mixed = ["169.254.169.254", "10.0.0.1", "::ffff:127.0.0.1", "0.0.0.0", "127.0.0.1"]
        with brokerbox.Broker(policy(), answer_names=lambda host: mixed) as b:
            session = b.session()
            message, fds = self.open_stream(b, session, port, "inner.test")
            self.assertEqual(struct.unpack_from("=I", message)[0], number_of("OPENED"), message)
            os.close(fds[0])
            granted = b.of(session, "granted")[0]
            self.assertIn(granted["peer"][2][:4], (bytes([127, 0, 0, 1]), bytes([10, 0, 0, 1])))
            self.assertEqual(granted["addresses"], 5)

    def test_lies_of_the_resolver(self):
        lies = {"none.example.test": [], "v4.example.test": ["0.0.0.0"],
                "mapped.example.test": ["::ffff:7f00:1"], "six.example.test": ["::1"]}
        with brokerbox.Broker(policy(), answer_names=lambda host: lies[host]) as b:
            session = b.session()
            self.assertEqual(self.refused(b, session, "none.example.test"), "name-unknown")
            for name in ("v4", "mapped", "six"):
                self.assertEqual(self.refused(b, session, name + ".example.test"),
                                 "special-address", name)

    def test_a_name_that_no_rule_could_allow_is_not_looked_up(self):
        named = policy()
        named["grants"]["demo"]["allow"] = [suite.to("*.example.test:*")]
        with brokerbox.Broker(named) as b:
            session = b.session()
            for name in ("example.test", "evilexample.test", "a.example.test.evil.test",
                         "localhost", "metadata", "x.internal"):
                self.assertEqual(self.refused(b, session, name), "no-rule", name)
            self.assertEqual(b.lookups, [])


if __name__ == "__main__":
    sys.exit(tap.main())
