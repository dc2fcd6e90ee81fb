#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Cases 155 to 163 for the streams of each dialect; test_limits.py has them for raw and
netproxy, and what is before any dialect."""

import os
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import dialects
import players
import story
import suite
import tap
import targets
import wsclient
from dialects import through
from suite import to

BOTH = ("tcp", "udp")
HOST = "127.0.0.1"
TCP = ("wisp", "wasmnet-json", "wasmnet-binary")
UDP = ("wisp-udp", "wasmnet-json-udp", "wasmnet-binary-udp")
PLACES = 8
RESIDENT_KIB = 16384
LIMITS = {"places": {"channels": PLACES}, "paced": {"bytes_per_second": "512KiB"},
          "bytes": {"bytes_per_minute": "1MiB"}, "upload": {"bytes_per_minute": "1MiB"},
          "idle": {"idle_timeout": "1s"},
          "datagrams": {"datagrams_per_minute": 20}, "short": {"session_timeout": "2s"},
          "few": {"sessions": 3}, "wide": {"channels": 200, "reply_ratio": 0}}


def token(limit, way):
    return "token-for-%s-%s-0123456789" % (limit, way)


def rules():
    """A grant for each limit and way: what is counted, is counted by grant."""
    grants = {"%s-%s" % (limit, way): suite.grant(
        [to(HOST + ":*", BOTH)], explain=True, auth=suite.tokens(token(limit, way)), limits=limits)
        for limit, limits in LIMITS.items() for way in dialects.WAYS}
    return suite.policy(grants, dialects=["raw", "netproxy", "wasmnet", "wisp", "udp-relay"])


@dialects.table
class Limits(suite.SuiteCase):
    rules = rules()
    seconds = 90

    def setUp(self):
        self.tcp, self.udp = targets.Echo(), players.Mirror()
        self.tcp.most = 1000
        for service in (self.tcp, self.udp):
            self.enterContext(service)

    def session(self, limit, way):
        return self.enterContext(dialects.session(self.suite, way, token=token(limit, way)))

    def port(self, s):
        return (self.udp if s.kind == "udp" else self.tcp).port

    def opens(self, s, stream, port, kind=None):
        s.open(stream, HOST, port, kind)
        if s.says:
            self.assertEqual(s.wait(stream, "opened", "refused")[0], "opened")

    def echoes(self, s, stream, data=b"alive", kind=None, port=None):
        """A stream that opens and answers."""
        s.open(stream, HOST, port or self.port(s), kind)
        s.send(stream, data)
        what, value = s.wait(stream, "data", "closed", "refused")
        self.assertEqual((what, value), ("data", data))

    def records_of(self, s):
        """Of its session, complete."""
        port = s.ws.sock.getsockname()[1]
        s.ws.sock.close()
        session = self.suite.session_at(port)
        self.suite.wait_record("session-end", session=session)
        records = self.suite.records(session=session)
        story.check(self.suite.records(), all_ended=False)
        return records

    def resident(self):
        """The most that the newest session ever had, in KiB."""
        return int(suite.status_of(self.suite.sessions()[-1])["VmHWM"].split()[0])

    # --- 155 and 156: numbers -----------------------------------------------------------------

    def most_at_once(self, records):
        """By the record; an end is there before its place is free."""
        live, most = 0, 0
        for record in records:
            live += {"granted": 1, "stream-end": -1}.get(record["event"], 0)
            most = max(most, live)
        return most

    @through(*TCP, *UDP)
    def case_155_one_too_many(self, way):
        """And then one after the other: never more than there are places."""
        s = self.session("places", way)
        for stream in range(1, PLACES + 1):
            self.echoes(s, stream)
        s.open(100, HOST, self.port(s))
        self.assertEqual(s.wait(100, "data", "closed", "refused")[0], "refused")
        for stream in range(PLACES + 1, PLACES + 100):
            s.end(stream - PLACES)
            self.echoes(s, stream)
        records = self.records_of(s)
        self.assertEqual(self.most_at_once(records), PLACES)
        self.assertEqual([r["reason"] for r in records if r["event"] == "refused"],
                         ["channels-limit"])
        self.assertEqual(len([r for r in records if r["event"] == "stream-end"]), PLACES + 99)

    def test_155_peers_of_one_socket(self):
        """Each peer of a UDP socket of wasmnet takes a place; one too many is lost."""
        s = self.session("places", "wasmnet-send-to")
        mirrors = [self.enterContext(players.Mirror()) for _ in range(PLACES + 1)]
        s.base(HOST, mirrors[0].port)
        for number, mirror in enumerate(mirrors[1:PLACES], 1):
            self.assertIsNone(s.ask(HOST, mirror.port), number)
        s.open(PLACES, HOST, mirrors[PLACES].port)
        s.send(PLACES, b"lost")
        self.assertIsNone(s.ask(HOST, mirrors[1].port))
        self.assertEqual(mirrors[PLACES].count, 0)
        self.assertEqual(self.most_at_once(self.records_of(s)), PLACES)

    def test_155_flows_udp_relay(self):
        """The oldest gives its place up."""
        s = self.session("places", "udp-relay")
        s.open(1, HOST, self.udp.port)
        for guest in range(1000, 1000 + 5 * PLACES):
            data = b"%d" % guest
            s.ws.send(struct.pack(">BHHH", 1, guest, 0, self.udp.port) + data)
            _, answer = s.ws.recv()
            self.assertEqual(answer, struct.pack(">BHHH", 1, self.udp.port, 0, guest) + data)
        records = self.records_of(s)
        self.assertLessEqual(self.most_at_once(records), PLACES)
        self.assertEqual([r for r in records if r["event"] == "refused"], [])

    @through("netproxy", "wisp", "wasmnet-json", "udp-relay")
    def case_156_sessions_of_a_grant(self, way):
        path = dialects.WAYS[way][0].path or "/udp-relay/" + HOST
        path += "?token=" + token("few", way)
        held = [self.enterContext(self.suite.connect(path)) for _ in range(3)]
        suite.wait_for(lambda: len(self.suite.records("authenticated", grant="few-" + way)) == 3)
        with self.suite.connect(path) as client:
            code, reason = client.recv_close()
        self.assertEqual((code, reason.split(":")[0]), (4009, "sessions-limit"))
        port = held[0].sock.getsockname()[1]
        held.pop(0).finish()
        one = self.suite.session_at(port)
        self.suite.wait_record("session-end", session=one)
        with self.suite.connect(path) as client:
            suite.wait_for(lambda: len(self.suite.records(
                "authenticated", grant="few-" + way)) == 4)
            self.assertEqual(client.finish()[0], 1000)

    # --- 157, 159, 160: amounts ---------------------------------------------------------------

    @through(*TCP)
    def case_157_pacing(self, way):
        """2 MiB at 512 KiB/s, less a first burst."""
        with targets.Sink() as target:
            s = self.session("paced", way)
            self.opens(s, 1, target.port)
            data = targets.pattern(5, 2 << 20)
            began = time.monotonic()
            for at in range(0, len(data), 16384):
                s.send(1, data[at:at + 16384])
            s.close(1)
            seen = target.wait_seen(seconds=60)
            took = time.monotonic() - began
        self.assertEqual((seen.received, seen.hash.hexdigest()),
                         (len(data), targets.digest(data)))
        self.assertGreater(took, 1.5)

    def is_cut(self, s, what, said):
        """How a stream that is cut ends for its client."""
        self.assertEqual((what, said), ("closed", {"wisp": "0x49"}.get(s.word)))

    def over_the_limit(self, s):
        """The same account opens nothing more, whatever the kind."""
        for stream, kind in ((50, "tcp"), (51, "udp")):
            s.open(stream, HOST, self.tcp.port, kind)
            self.assertEqual(s.wait(stream, "data", "closed", "refused")[0], "refused")
        records = self.records_of(s)
        self.assertEqual([r["reason"] for r in records if r["event"] == "refused"],
                         ["bytes-limit"] * 2)
        end, = [r for r in records if r["event"] == "stream-end"]
        self.assertEqual(end["reason"], "bytes-limit")
        return end

    @through(*TCP)
    def case_159_a_flood_of_the_service(self, way):
        with targets.Endless() as target:
            s = self.session("bytes", way)
            s.open(1, HOST, target.port)
            what, value, got = "data", b"", 0
            while what == "data":
                got += len(value)
                what, value = s.wait(1, "data", "closed", "refused")
            self.is_cut(s, what, value)
            end = self.over_the_limit(s)
        self.assertGreater(end["bytes_down"], 1 << 20)
        self.assertTrue(got <= end["bytes_down"] <= target.wait_seen().sent, end)

    @through(*UDP, "udp-relay")
    def case_159_a_flood_of_datagrams(self, way):
        """While nothing is read: memory stays, what arrives is whole and in order."""
        with players.Flood() as flood:
            s = self.session("wide", way)
            s.open(1, HOST, flood.port)
            s.send(1, b"go on")
            self.assertTrue(flood.sent.wait(30))
            if s.many:
                s.open(2, HOST, self.udp.port)
                s.send(2, b"alive")
            else:
                s.ws.send(b"no datagram")
            last, alive = -1, not s.many
            while not alive or last < 0:
                what, stream, value = s.hear()
                if stream == 2:
                    alive |= what == "data" and value == b"alive"
                elif what == "data":
                    number, = struct.unpack(">I", value[:4])
                    self.assertGreater(number, last)
                    self.assertEqual(value[4:], bytes(1396))
                    last = number
            self.assertLess(self.resident(), RESIDENT_KIB)

    @through(*TCP)
    def case_160_bytes_of_the_client(self, way):
        """The record has what the kernel counted, not what was sent; no far end takes it
        for the whole."""
        with targets.Sink() as target:
            s = self.session("upload", way)
            self.opens(s, 1, target.port, "tcp")
            self.cut, self.sent = False, 0
            sender = threading.Thread(target=self.send_on, args=(s,), daemon=True)
            sender.start()
            what, said = s.wait(1, "closed", "refused")
            self.cut = True
            sender.join(30)
            self.assertEqual((what, said), ("refused", "0x49") if s.word == "wisp"
                             else ("closed", None))
            end = self.over_the_limit(s)
            seen = target.wait_seen()
        self.assertGreater(end["bytes_up"], 1 << 20, (seen.received, end))
        self.assertLessEqual(end["bytes_up"], self.sent)
        self.assertFalse(seen.eof, "half of it looks whole")

    def send_on(self, s):
        while not self.cut:
            s.send(1, bytes(8000))
            self.sent += 8000

    @through(*UDP)
    def case_158_datagrams_of_a_minute(self, way):
        """Both ways together, of all sockets of a session; TCP goes on."""
        s = self.session("datagrams", way)
        s.open(1, HOST, self.udp.port)
        for number in range(10):
            s.send(1, b"%d" % number)
            self.assertEqual(s.wait(1, "data"), ("data", b"%d" % number))
        for _ in range(5):
            s.send(1, b"beyond")
        s.open(2, HOST, self.udp.port)
        s.send(2, b"also beyond")
        self.echoes(s, 3, b"alive", "tcp", self.tcp.port)
        s.end(2)
        self.assertEqual(self.udp.count, 10)
        ends = [r for r in self.records_of(s) if r["event"] == "stream-end"]
        self.assertEqual(sorted(r.get("claimed_dropped", 0) for r in ends), [0, 1, 5])

    @through(*UDP, "udp-relay")
    def case_160_bytes_of_datagrams(self, way):
        """Of 1 MiB: eight times 60,000 there and back, a ninth there, and not back."""
        s = self.session("bytes", way)
        s.open(1, HOST, self.udp.port)
        for number in range(8):
            data = b"%d" % number * 60000
            s.send(1, data)
            self.assertEqual(s.wait(1, "data"), ("data", data))
        s.send(1, bytes(60000))
        suite.wait_for(lambda: self.udp.count == 9, what="the ninth")
        s.send(1, bytes(60000))
        s.send(1, b"small")
        self.assertEqual(s.wait(1, "data"), ("data", b"small"))
        end, = [r for r in self.records_of(s) if r["event"] == "stream-end"]
        # What came is counted, also what was dropped then.
        self.assertEqual((end["claimed_up"], end["claimed_down"], end["claimed_dropped"]),
                         (540005, 540005, 2))

    # --- 161 and 162: times -------------------------------------------------------------------

    @through(*TCP)
    def case_161_idle(self, way):
        """Streams of both kinds end when nothing moves; their session goes on."""
        s = self.session("idle", way)
        self.echoes(s, 1)
        self.echoes(s, 2, kind="udp", port=self.udp.port)
        ended = {}
        while len(ended) < 2:
            what, stream, said = s.hear()
            if what != "opened":
                ended[stream] = (what, said)
        told = ("closed", {"wisp": "0x47"}.get(s.word))
        self.assertEqual(ended, {1: told, 2: told})
        self.echoes(s, 3)
        records = self.records_of(s)
        first, second = [r["stream"] for r in records if r["event"] == "granted"][:2]
        why = {r["stream"]: r for r in records if r["event"] == "stream-end"}
        self.assertEqual(why[first]["reason"], "idle")
        self.assertEqual(why[second]["claimed_reason"], "idle")

    def test_161_idle_udp_relay(self):
        """A flow ends without a word, and is asked for again."""
        s = self.session("idle", "udp-relay")
        self.echoes(s, 1)
        self.suite.wait_record("stream-end", dialect="udp-relay", claimed_reason="idle")
        s.send(1, b"again")
        self.assertEqual(s.wait(1, "data"), ("data", b"again"))
        self.assertEqual([r["event"] for r in self.records_of(s)].count("granted"), 2)

    @through(*TCP)
    def case_162_lifetime(self, way):
        """Both kinds of streams end with their session, each on record."""
        with targets.Hold() as target:
            s = self.session("short", way)
            s.open(1, HOST, target.port)
            self.assertEqual(s.wait(1, "data")[1], b"hello\n")
            self.echoes(s, 2, kind="udp", port=self.udp.port)
            with self.assertRaises(wsclient.Closed) as closed:
                while True:
                    s.hear()
            self.assertEqual(closed.exception.code, 4008)
            self.assertIn("lifetime", closed.exception.reason)
            self.assertTrue(target.wait_seen().over.is_set())
        records = self.records_of(s)
        self.assertEqual(records[-1]["reason"], "lifetime")
        self.assertEqual(len([r for r in records if r["event"] == "stream-end"]), 2)

    # --- 163: memory ----------------------------------------------------------------------------

    @through(*TCP)
    def case_163_services_that_never_read(self, way):
        """The client is held up before much waits."""
        with players.Deaf() as target:
            s = self.session("wide", way)
            for stream in range(1, 11):
                self.opens(s, stream, target.port)
            suite.wait_for(lambda: len(target.seen) == 10, what="all connections")
            s.ws.sock.settimeout(2)
            sent = 0
            with self.assertRaises(TimeoutError):
                while sent < 256 << 20:
                    s.send(1 + sent // 16384 % 10, bytes(16384))
                    sent += 16384
            self.assertLess(self.resident(), RESIDENT_KIB)

    @through(*TCP)
    def case_163_a_client_that_does_not_read(self, way):
        """64 services send 32 MiB in all: it waits in their sockets, and all of it comes."""
        with targets.Source(512 << 10, seed=9, backlog=128) as target:
            s = self.session("wide", way)
            for stream in range(1, 65):
                s.open(stream, HOST, target.port)
            suite.wait_for(lambda: len(target.seen) == 64 and all(
                seen.sent for seen in target.seen), what="all sources")
            want, at = targets.pattern(9, target.size), dict.fromkeys(range(1, 65), 0)
            ended = set()
            while len(ended) < 64:
                what, stream, value = s.hear()
                if what == "data":
                    self.assertEqual(want[at[stream]:at[stream] + len(value)], value)
                    at[stream] += len(value)
                elif what == "closed":
                    ended.add(stream)
            self.assertEqual(set(at.values()), {target.size})
            self.assertLess(self.resident(), RESIDENT_KIB)


if __name__ == "__main__":
    sys.exit(tap.main())
