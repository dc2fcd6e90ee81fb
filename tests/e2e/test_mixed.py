#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""200 streams of mixed kinds at once in one session: every byte in order, and each
stream on record as it was."""

import contextlib
import hashlib
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import certs
import dialects
import players
import story
import suite
import tap
from suite import to
from test_inbound import free_range

ALL = ("tcp", "udp", "tls")
LOW = free_range(2)
TARGETS = [to("127.0.0.1:*", ALL), to("[::1]:*", ALL), to("localhost:*", ALL, private=True)]
LISTEN = {"address": "127.0.0.1", "ports": "%d-%d" % (LOW, LOW + 1), "from": ["127.0.0.1/32"],
          "most": 1}
RULES = suite.policy({"open": suite.grant(TARGETS, explain=True, limits={"channels": 300},
                                          listen=LISTEN)}, dialects=["wisp", "wasmnet"])

# kind, how many in wisp and in wasmnet, why it ends on record: peer-closed where the kernel
# had the far end's end when the worker was done, whoever was first. What else a dialect
# can open is a row here, with its far end in players.py and its place in place(), or, like
# TLS, another way for what is TCP here; what it asks beside streams is a row of ASIDE.
KINDS = (("echo", 60, 60, "peer-closed"), ("sink", 40, 40, "peer-closed"),
         ("source", 30, 30, "peer-closed"), ("half", 15, 15, "peer-closed"),
         ("early", 8, 10, "peer-closed"), ("endless", 2, 0, "client-closed"),
         ("reset", 10, 10, "peer-closed"), ("udp", 35, 35, "client-closed"))
WHY = {kind: why for kind, _, _, why in KINDS}
HOSTS = ("127.0.0.1", "localhost", "::1")
INBOUND = 20  # of wasmnet's that are TCP: the far end makes the connection
TLS = 20  # more of them, of any kind: the worker speaks TLS with the far end
LISTENER = 9000  # its id
# What wasmnet can ask beside streams: the request, the event that answers.
ASIDE = (("resolve", {"name": "localhost"}, "resolved"), ("resolve", {"name": "a..b"}, "refused"),
         ("bind", {"addr": "127.0.0.1", "port": 4000}, "refused"), ("listen", {}, "listening"),
         ("connect", {"addr": "10.0.0.1", "port": 80}, "refused"),
         ("connect_udp", {"addr": "10.0.0.1", "port": 80}, "refused"),
         ("connect_tls", {"addr": "10.0.0.1", "port": 443}, "refused"))
ASIDES = 60
FIRST_ASIDE = 10000  # their ids


def cast(rng, dialect):
    counts = [(row[0], row[1 if dialect == "wisp" else 2]) for row in KINDS]
    kinds = [kind for kind, count in counts for _ in range(count)]
    rng.shuffle(kinds)
    parts = [players.Part(kind, number, rng.choice(HOSTS), rng)
             for number, kind in enumerate(kinds, 1)]
    if dialect == "wasmnet":
        tcp = [part for part in parts if part.kind != "udp"]
        for part in tcp[:INBOUND]:
            part.host = None
        for part in tcp[INBOUND:INBOUND + TLS]:
            part.tls = True
    return parts


class Mixed(suite.SuiteCase):
    rules = RULES
    seconds = 180

    @classmethod
    def setUpClass(cls):
        cls.box = cls.enterClassContext(certs.Box())
        cls.args = ("--trust", cls.box.trust)
        super().setUpClass()

    def far_ends(self, stack, dialect):
        """The parts, and of each address one player, also over TLS, and one mirror."""
        seed = int.from_bytes(os.urandom(4), "big")
        print("# seed", seed)
        self.rng = random.Random(seed)
        self.parts = cast(self.rng, dialect)
        self.assertEqual(len(self.parts), 200)
        self.player, self.over_tls, self.mirror = {}, {}, {}
        for host in ("127.0.0.1", "::1"):
            self.player[host] = stack.enter_context(players.Player(self.parts, address=host))
            self.over_tls[host] = stack.enter_context(certs.Serve(
                self.player[host].serve, self.box.context(), address=host))
            # All of one port: localhost may be either address.
            port = self.mirror["127.0.0.1"].port if self.mirror else 0
            self.mirror[host] = stack.enter_context(players.Mirror(host, port))

    def place(self, part):
        """host, port, protocol; localhost by a port of 127.0.0.1. None: it came in."""
        if not part.host:
            return None
        address = part.host if part.host in self.player else "127.0.0.1"
        if part.kind == "udp":
            return part.host, self.mirror[address].port, "udp"
        if part.tls:
            return part.host, self.over_tls[address].port, "tls"
        return part.host, self.player[address].port, "tcp"

    # --- the record ---------------------------------------------------------------------

    def near(self, part):
        """The near end of a part, as its far end saw it."""
        if part.kind == "udp":
            found = [peer for mirror in self.mirror.values()
                     for peer in mirror.by.get(part.name, ())]
        else:
            found = [player.by[part.number].peer[:2] for player in self.player.values()
                     if part.number in player.by]
        self.assertEqual(len(found), 1, "%s %d: %s" % (part.kind, part.number, found))
        return found[0]

    def check_tcp(self, act, end):
        part = act.part
        seen, = [player.by[part.number] for player in self.player.values()
                 if part.number in player.by]
        self.assertTrue(seen.over.wait(20))
        sent = part.up[:act.sent]
        self.assertEqual(seen.hash.digest(),
                         hashlib.sha256(sent[:seen.received]).digest())
        if part.kind in ("echo", "sink"):
            self.assertEqual((seen.received, act.sent), (len(part.up),) * 2)
        if part.kind in ("echo", "source", "half"):
            self.assertEqual((seen.sent, act.got), (len(part.down),) * 2)
        if part.tls:
            self.check_tls(act, seen, end)
            return
        if part.kind in ("reset", "endless"):
            # A reset acknowledges nothing: the kernel counts what was before it.
            self.assertTrue(players.HEAD <= end["bytes_up"] <= act.sent, end)
            self.assertTrue(seen.received <= end["claimed_up"] <= act.sent, end)
        else:
            self.assertTrue(seen.eof, seen.error)
            self.assertEqual(end["bytes_up"], seen.received)
        if part.kind == "endless":
            self.assertTrue(act.got <= end["bytes_down"] <= seen.sent, end)
        else:
            self.assertEqual(end["bytes_down"], seen.sent)

    def check_tls(self, act, seen, end):
        """On record is what went through the socket: the payload, and more."""
        wire = seen.wire
        if act.part.kind == "reset":
            # As for TCP, and what the worker wrote is more than what was acknowledged.
            self.assertTrue(players.HEAD < end["bytes_up"] <= end["claimed_up"], end)
            self.assertTrue(seen.received < wire.heard <= end["claimed_up"], end)
        else:
            self.assertTrue(seen.eof and wire.ended, seen.error)
            self.assertEqual((end["bytes_up"], end["claimed_up"]), (wire.heard,) * 2)
            # All of it for what the client ends; a far end that ends first may miss some.
            self.assertLess(seen.received, end["bytes_up"])
        self.assertEqual((end["bytes_down"], end["claimed_down"]), (wire.said,) * 2)
        self.assertLess(seen.sent, end["bytes_down"])

    def check_record(self, act, records, dialect):
        part, near = act.part, self.near(act.part)
        protocol = self.place(part)[2] if part.host else "inbound"
        seen_as = ("local", "local_port") if part.host else ("peer", "peer_port")
        granted, = [r for r in records if r["event"] == "granted" and r["protocol"] == protocol
                    and tuple(r[name] for name in seen_as) == near]
        end, = [r for r in records if r["event"] == "stream-end"
                and r["stream"] == granted["stream"]]
        for record in (granted, end):
            self.assertEqual((record.get("host"), record["protocol"], record["dialect"],
                              record["grant"]), (part.host, protocol, dialect, "open"))
            if not part.host:
                self.assertEqual((record["rule"], record["local"], record["local_port"]),
                                 ("from 127.0.0.1/32", "127.0.0.1", self.listening))
                continue
            self.assertEqual((record["rule"], record["peer_port"]), (
                "[::1]:*" if part.host == "::1" else part.host + ":*", self.place(part)[1]))
            self.assertIn(record["peer"], ("127.0.0.1", "::1") if part.host == "localhost"
                          else (part.host,))
        self.assertEqual(end["reason"], WHY[part.kind], "%s %d %s" % (
            part.kind, part.number, act.over))
        if protocol == "udp":
            size = sum(map(len, part.datagrams))
            self.assertEqual((end["claimed_up"], end["claimed_down"]), (size, size))
            self.assertEqual((end["claimed_datagrams_up"], end["claimed_datagrams_down"]),
                             (len(part.datagrams),) * 2)
            self.assertEqual(end["claimed_dropped"], 0)
            self.assertNotIn("bytes_up", end)
            self.assertEqual(act.got, len(part.datagrams))
        else:
            self.check_tcp(act, end)
        return end

    def check_trail(self, client_port, acts, dialect):
        session = self.suite.session_at(client_port)
        last = self.suite.wait_record("session-end", session=session)
        records = self.suite.records(session=session)
        story.check(self.suite.records())
        ends = [self.check_record(act, records, dialect) for act in acts]
        self.assertEqual(len({end["stream"] for end in ends}), len(acts))
        self.assertEqual(last["streams"], self.streams)
        for way in ("bytes_up", "bytes_down"):
            self.assertEqual(last[way], sum(end.get(way, 0) for end in ends))
        return records

    def all_at_once(self, client_port):
        """By the record, all streams live now."""
        session = self.suite.session_at(client_port)
        self.suite.wait_record("granted", count=self.streams, session=session)
        self.assertEqual(self.suite.records("stream-end", session=session), [])

    # --- sessions -----------------------------------------------------------------------

    def invite(self, session):
        """Listen, and let the far ends of inbound parts come: the id of each part."""
        inbound = [part for part in self.parts if not part.host]
        ids, remotes = {}, set()
        if inbound:
            session.say("bind", LISTENER, "127.0.0.1", 0)
            _, self.listening = session.wait(LISTENER, "listening")
            for part in inbound:
                remotes.add("%s:%d" % self.player["127.0.0.1"].call(self.listening))
        for part in inbound:
            _, (ids[part.number], remote) = session.wait(LISTENER, "accepted")
            remotes.remove(remote)
        self.streams = len(self.parts) + bool(inbound)
        return ids

    def perform(self, session, half_close, before=None, more=lambda: False):
        ids = self.invite(session)
        acts = [players.Act(part, ids.get(part.number, part.number)) for part in self.parts]
        stage = players.Stage(session, acts, self.rng, half_close, before)
        self.opened = False
        stage.open_all(self.place)
        self.opened = True
        port = session.ws.sock.getsockname()[1]
        self.all_at_once(port)
        stage.play()
        while more():
            stage.hear()
        session.ws.finish()
        session.ws.sock.close()  # else it is waited for
        return port, acts

    def test_wisp(self):
        with contextlib.ExitStack() as stack:
            self.far_ends(stack, "wisp")
            session = stack.enter_context(dialects.session(self.suite, "wisp"))
            port, acts = self.perform(session, half_close=False)
            self.check_trail(port, acts, "wisp")

    def test_wasmnet(self):
        """In both framings by turns, with other requests between."""
        with contextlib.ExitStack() as stack:
            self.far_ends(stack, "wasmnet")
            session = stack.enter_context(dialects.session(self.suite, "wasmnet-json"))
            answers, asked = {}, []
            hear = session.hear

            def note():
                what, stream, value = hear()
                if FIRST_ASIDE <= stream < FIRST_ASIDE + ASIDES:
                    answers.setdefault(stream, []).append(what)
                return what, stream, value
            session.hear = note

            def between():
                session.binary = self.rng.random() < 0.5
                # Not before: a number that a name was told for is asked for by that name.
                if len(asked) < ASIDES and self.opened:
                    op, members, event = ASIDE[len(asked) % len(ASIDE)]
                    asked.append(event)
                    session.say(op, FIRST_ASIDE + len(asked) - 1, **members)
            port, acts = self.perform(session, half_close=True, before=between,
                                      more=lambda: len(answers) < ASIDES)
            self.assertEqual(answers, {FIRST_ASIDE + n: [event]
                                       for n, event in enumerate(asked)})
            records = self.check_trail(port, acts, "wasmnet")
        self.assertEqual(len(asked), ASIDES)
        self.assertEqual(len([r for r in records if r["event"] == "resolved"]),
                         len([event for event in asked if event == "resolved"]))


if __name__ == "__main__":
    sys.exit(tap.main())
