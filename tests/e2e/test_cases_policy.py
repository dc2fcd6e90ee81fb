#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Cases 95 to 109 through each dialect but netproxy, of which they are in test_policy.py."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import dialects
import netns
import places
import players
import suite
import tap
import targets
from dialects import through
from suite import to

BOTH = ("tcp", "udp")
TCP = tuple(way for way in dialects.TCP if way != "netproxy")
UDP = dialects.UDP
ALL = TCP + UDP
ONE_PEER = ("wasmnet-json-udp", "wasmnet-binary-udp", "wisp-udp")
WASMNET = ("wasmnet-json", "wasmnet-binary")
PORT = 80
BESIDE = to("8.8.4.4:80", BOTH)  # the peer of the sockets that send to others


def token(grant):
    return "token-for-%s-0123456789" % grant


def both(target, **more):
    return to(target, BOTH, **more)


def rules():
    grants = {"all": ([both("*:*")], []),
              "private": ([BESIDE, both("169.254.0.0/16:*"), both("[fc00::/7]:*"),
                           both("100.64.0.0/10:*"), both("meta.test:*", private=True),
                           both("inside.test:*", private=True)], []),
              "names": ([BESIDE, both("*.example.test:*"), both("public.test:8443"),
                         both("loop.test:*"), both("inside.test:*"), both("six.test:*"),
                         both("nat64.test:*", private=True)], []),
              "denyfirst": ([BESIDE, both("8.8.0.0/16:*"), both("9.9.9.0/24:*")],
                            [both("8.8.8.8:8443"), both("8.8.9.0/24:*"), both("9.9.9.9:*")])}
    made = {name: suite.grant(allow, deny=deny, explain=True, limits={"channels": 200},
                              auth=suite.tokens(token(name)))
            for name, (allow, deny) in grants.items()}
    made["dns"] = suite.grant([BESIDE, to("127.0.0.1:53", ["udp"])],
                              auth=suite.tokens(token("dns")),
                              limits={"connects_per_minute": 0})
    made["hush"] = suite.grant([BESIDE, both("127.0.0.1:*"), both("unknown.test:*")],
                               auth=suite.tokens(token("hush")), limits={"connect_timeout": "1s"})
    return suite.policy(made, dialects=["raw", "netproxy", "wasmnet", "wisp", "udp-relay"],
                        limits={"sessions": 2000, "sessions_per_source": 2000})


@tap.needs_root
@dialects.table
class Policy(places.Outside):
    seconds = 120
    rules = rules()
    ports = (80, 8443)

    def setUp(self):
        self.before = os.path.getsize(self.suite.audit_file)

    def session(self, way, grant="all"):
        """One that may ask; what it did so far to be able to is forgotten."""
        s = dialects.session(self.suite, way, token=token(grant), timeout=10)
        if way == "wasmnet-send-to":
            s.base("8.8.4.4", PORT)
        super().setUp()
        return s

    def refused(self, s, asked):
        """Each of them is refused, by the broker, with one record; the records."""
        for host, port in asked:
            with self.subTest(host=host, port=port):
                self.assertIsNotNone(s.ask(host, port), "it was opened")
        # Each refusal was recorded before the client heard of it, but not yet written.
        found = suite.wait_for(lambda: self.fresh("refused", len(asked)), what="the records")
        self.assertEqual(len(found), len(asked))
        for record, (_, port) in zip(found, asked):
            self.assertEqual((record["dialect"], record["protocol"], record["peer_port"]),
                             (s.word, s.kind, port))
        return found

    def fresh(self, event, count):
        """The records of that event that this test has made, when there are so many."""
        with open(self.suite.audit_file) as file:
            file.seek(self.before)
            lines = file.read().split("\n")[:-1]
        found = [record for record in map(json.loads, lines) if record["event"] == event]
        return found if len(found) >= count else None

    def all_for(self, s, hosts, *words, port=PORT):
        for record in self.refused(s, [(host, port) for host in hosts]):
            if words:
                self.assertIn(record["reason"], words, record.get("host"))

    def reached(self, s, *asked):
        for host, port in asked:
            with self.subTest(host=host, port=port):
                self.assertIsNone(s.ask(host, port))

    # --- 95 to 99: addresses ------------------------------------------------------------

    @through(*ALL)
    def case_95_every_special_block(self, way):
        probes = list(places.probes())
        with self.session(way) as s:
            found = self.refused(s, [(address, PORT) for address in probes])
        self.nothing_arrived()
        special = [record for record in found if record["reason"] == "special-address"]
        for record in special:
            self.assertEqual(record["rule"], places.block_of(record["peer"]))
        self.assertGreater(len(special), len(probes) // 2)

    @through(*ALL)
    def case_96_spellings_of_ipv4(self, way):
        with self.session(way) as s:
            self.all_for(s, places.NOT_IPV4)
        self.nothing_arrived()

    @through(*ALL)
    def case_97_spellings_of_ipv6(self, way):
        with self.session(way) as s:
            self.all_for(s, places.NOT_IPV6)
        self.nothing_arrived()

    @through(*ALL)
    def case_98_embedded_ipv4(self, way):
        with self.session(way) as s:
            self.all_for(s, [text for v4 in places.EMBEDDED for text in places.embeddings(v4)])
        self.nothing_arrived()

    @through(*ALL)
    def case_99_neighbours_are_reached(self, way):
        with self.session(way) as s:
            self.reached(s, *[(address, PORT) for address in places.NEIGHBOURS])
        self.assertEqual(self.pair.arrived, [(address, PORT) for address in places.NEIGHBOURS])

    # --- 100 to 104: names, rules, ports --------------------------------------------------

    @through(*ALL)
    def case_100_names(self, way):
        with self.session(way) as s:
            for text in ("public.test.", "PUBLIC.Test", "ｐublic.test"):
                self.reached(s, (text, PORT))
                self.assertEqual(self.pair.arrived.pop(), ("8.8.8.8", PORT))
            self.assertEqual([r["host"] for r in self.fresh("granted", 1) if "host" in r][-1],
                             "public.test")
            self.all_for(s, places.NOT_NAMES)
        self.nothing_arrived()

    @through(*ALL)
    def case_101_deny_wins(self, way):
        with self.session(way, "denyfirst") as s:
            self.reached(s, ("8.8.7.7", PORT), ("9.9.9.8", PORT))
            del self.pair.arrived[:]
            self.all_for(s, ["8.8.8.8"], "rule-denies", port=8443)
            self.before = os.path.getsize(self.suite.audit_file)
            self.all_for(s, ["8.8.9.1", "9.9.9.9"], "rule-denies")
            self.before = os.path.getsize(self.suite.audit_file)
            self.all_for(s, ["7.7.7.7"], "no-rule")
        self.nothing_arrived()

    @through(*ALL)
    def case_102_the_port_belongs_to_the_rule(self, way):
        with self.session(way, "names") as s:
            self.reached(s, ("public.test", 8443))
            self.assertEqual(self.pair.arrived, [("8.8.8.8", 8443)])
            self.all_for(s, ["public.test"], "no-rule")

    @through(*ALL)
    def case_103_suffixes_match_at_a_dot(self, way):
        with self.session(way, "names") as s:
            self.reached(s, ("www.example.test", PORT), ("a.b.example.test", PORT))
            self.all_for(s, ["example.test", "evilexample.test", "example.test.evil.test"],
                         "no-rule")

    @through(*TCP)
    def case_104_closed_ports(self, way):
        with self.session(way) as s:
            self.assertEqual({record["reason"] for record in self.refused(s, [
                ("8.8.8.8", port) for port in (22, 25, 53, 465, 587, 2375, 3306, 5432, 6000,
                                               6379, 9200, 11211)])}, {"port-closed"})
        self.nothing_arrived()

    # --- 105 to 109 -----------------------------------------------------------------------

    @through(*WASMNET)
    def case_105_no_listener_without_a_rule(self, way):
        with self.session(way) as s:
            asked = [("0.0.0.0", 4000), ("127.0.0.1", 4000), ("::", 4000), ("8.8.8.8", 4000),
                     (netns.OWN4, 4000), (netns.OWN4, 22), (netns.OWN4, 0)]
            for number, (address, port) in enumerate(asked, 1):
                with self.subTest(address=address, port=port):
                    s.say("bind", number, address, port)
                    said = s.wait(number, "listening", "refused", "accepted")
                    self.assertEqual(said, ("refused", "denied: port %d not in allowed bind "
                                            "range" % port))
        suite.wait_for(lambda: self.fresh("refused", len(asked)), what="the records")

    @through(*ALL)
    def case_106_addresses_of_the_server_itself(self, way):
        own = self.suite.address[1]
        with self.session(way) as s:
            found = self.refused(s, [(netns.OWN4, PORT), (netns.OWN6, PORT), ("self.test", PORT),
                                     (netns.OWN4, own)])
            self.assertEqual({record["reason"] for record in found}, {"own-address"})
            self.before = os.path.getsize(self.suite.audit_file)
            self.all_for(s, ["127.0.0.1", "::1", "0.0.0.0", "::", "127.9.9.9"],
                         "special-address", port=own)
        self.nothing_arrived()

    @through(*ALL)
    def case_107_metadata_stays_closed(self, way):
        with self.session(way, "private") as s:
            self.reached(s, ("169.254.1.1", PORT), ("fd00::1", PORT), ("inside.test", PORT))
            del self.pair.arrived[:]
            self.all_for(s, places.METADATA + ["meta.test", "metadata",
                                               "metadata.google.internal"])
        self.nothing_arrived()

    @through(*UDP)
    def case_108_groups_and_amplifiers(self, way):
        ports = (17, 19, 53, 69, 111, 123, 137, 161, 389, 520, 1900, 3702, 5353, 5683, 11211,
                 27015)
        with self.session(way) as s:
            self.all_for(s, ["255.255.255.255", "224.0.0.1", "239.255.255.250", "ff02::1",
                             "ff05::2"], "special-address")
            self.before = os.path.getsize(self.suite.audit_file)
            found = self.refused(s, [("8.8.8.8", port) for port in ports])
            self.assertEqual({record["reason"] for record in found}, {"port-closed"})
        self.nothing_arrived()

    def ask_on(self, s, length, times, most):
        """Questions to the name server of this host, until there is no answer; how many
        were answered."""
        s.open(1, "127.0.0.1", 53)
        for answered in range(most):
            s.send(1, bytes(length))
            what, value = s.wait(1, "data", "closed", "refused")
            if what != "data":
                return answered
            self.assertEqual(len(value), times * length)
        return most

    def the_cut(self):
        """The record of the stream that its peer's answers ended."""
        return [record for record in self.fresh("stream-end", 1) or ()
                if record.get("claimed_reason") == "reply-ratio"]

    @through(*ONE_PEER)
    def case_108_answers_50_times_as_long(self, way):
        """A peer that the policy allows may give 32 times what it got and 64 KiB; then
        the stream ends, and the record says why."""
        with players.Amplifier(50, port=53) as peer, self.session(way, "dns") as s:
            answered = self.ask_on(s, 40, 50, 200)
            end, = suite.wait_for(self.the_cut, what="the record")
            self.assertEqual(peer.count, answered + 1)
        # One that goes beyond is not handed on: 2,000 n <= 65,536 + 32 * 40 n.
        self.assertEqual(answered, 65536 // (2000 - 32 * 40))
        self.assertEqual((end["claimed_up"], end["claimed_down"], end["claimed_dropped"]),
                         ((answered + 1) * 40, (answered + 1) * 2000, 1))

    def test_108_answers_50_times_as_long_udp_relay(self):
        """A flow ends without a word; the next datagram asks for another one."""
        with players.Amplifier(50, port=53), self.session("udp-relay", "dns") as s:
            s.open(1, "127.0.0.1", 53)
            answered = 65536 // (2000 - 32 * 40)
            for _ in range(answered):
                s.send(1, bytes(40))
                self.assertEqual(len(s.wait(1, "data")[1]), 2000)
            s.send(1, bytes(40))
            end, = suite.wait_for(self.the_cut, what="the record")
            s.send(1, bytes(40))
            self.assertEqual(len(s.wait(1, "data")[1]), 2000)
            self.assertEqual(len([record for record in self.fresh("granted", 2)
                                  if record["session"] == end["session"]]), 2)
        self.assertEqual(end["claimed_dropped"], 1)

    @through(*UDP)
    def case_108_answers_16_times_as_long(self, way):
        """What is below goes on, whatever it comes to."""
        with players.Amplifier(16, port=53), self.session(way, "dns") as s:
            self.assertEqual(self.ask_on(s, 400, 16, 60), 60)

    @through(*TCP)
    def case_109_one_class_of_error(self, way):
        """What is denied, closed, filtered and unknown is told in the same words."""
        with targets.closed_port() as closed, targets.Blackhole() as hole:
            asked = [("10.0.0.1", PORT), ("127.0.0.1", closed.getsockname()[1]),
                     ("127.0.0.1", hole.port), ("unknown.test", PORT)]
            with self.session(way, "hush") as s:
                said = {s.ask(host, port) for host, port in asked}
        self.assertEqual(len(said), 1, said)
        found = suite.wait_for(lambda: self.fresh("refused", 4), what="the records")
        self.assertEqual([record["reason"] for record in found][:3],
                         ["no-rule", "peer-refused", "timeout"])
        self.assertIn(found[3]["reason"], ("name-unknown", "name-failed"))

    @through(*UDP)
    def case_109_one_class_of_error_udp(self, way):
        """Likewise; nothing tells whether a port of UDP is closed."""
        with self.session(way, "hush") as s:
            said = {s.ask(host, PORT) for host in ("10.0.0.1", netns.OWN4, "unknown.test")}
        self.assertEqual(len(said), 1, said)
        found = suite.wait_for(lambda: self.fresh("refused", 3), what="the records")
        self.assertEqual(found[0]["reason"], "no-rule")


if __name__ == "__main__":
    sys.exit(tap.main())
