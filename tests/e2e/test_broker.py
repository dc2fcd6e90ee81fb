# SPDX-License-Identifier: ISC
"""The broker alone, with hostile peers: SECURITY cases 77, 79, 81-83, 119-121, and the
rule that nothing is handed over before its record is stored."""

import contextlib
import os
import resource
import socket
import struct
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import brokerbox  # noqa: E402
import suite  # noqa: E402
import tap  # noqa: E402
from brokerbox import open_, receive_fd  # noqa: E402
from ipcwire import REASON_WORDS, TABLE, address_text, number_of  # noqa: E402

LEGAL_ASKS = {"AUTH": "NEW", "OPEN": "OPEN", "END": "OPEN", "COUNTS": "NEW ASKED OPEN"}


def policy(**more):
    return {"version": 1, "hosts": ["127.0.0.1"], "dialects": ["raw"],
            "limits": {"sessions": 8000, "sessions_per_source": 8000},
            "grants": {"demo": suite.grant(allow=[
                suite.to("127.0.0.1:*"), suite.to("*.example.test:*"),
                suite.to("inner.test:*", private=True)], explain=True,
                **dict({"limits": {"sessions": 8000}}, **more))}}


def target():
    server = socket.create_server(("127.0.0.1", 0), backlog=64)
    server.settimeout(10)
    return server, server.getsockname()[1]


class Table(unittest.TestCase):
    seconds = 300

    def test_77_the_whole_product(self):
        """Each type x state x length -1, 0, +1 x descriptors 0, 1, 2: what has no legal row
        ends its session; the canary beside it never notices."""
        tried = 0
        with brokerbox.Broker(policy()) as b, socket.socketpair()[0] as spare:
            canary = b.session()
            for state in ("NEW", "ASKED", "OPEN"):
                for name, (number, size) in sorted(TABLE.items()):
                    for length in (size - 1, size, size + 1):
                        for fds in (0, 1, 2):
                            if name in LEGAL_ASKS and state in LEGAL_ASKS[name].split() and \
                                    length == size and fds == 0:
                                continue
                            self.one(b, state, number, length, [spare.fileno()] * fds)
                            tried += 1
                self.assertTrue(b.alive(canary))
            b.finish(canary)
        self.assertGreater(tried, 800)

    def one(self, b, state, number, length, fds):
        if state == "ASKED":  # the authenticator does not answer this one
            session = b.new_session()
            held = []
            b.take_verify = held.append
            b.ends[session].send(brokerbox.auth())
        else:
            session = b.session(state)
        message = struct.pack("=I", number).ljust(length, b"\0")
        socket.send_fds(b.ends[session], [message], fds)
        b.pump(until=lambda: session in b.killed)
        self.assertEqual(b.killed[session], "protocol-violation")
        b.finish(session)
        if state == "ASKED":
            del b.take_verify
            for verify in held:
                b.take_verify(verify)
        ends = b.of(session, "session-end")
        self.assertEqual([e["reason"] for e in ends], ["protocol-violation"])

    def test_unknown_types_and_sizes(self):
        with brokerbox.Broker(policy()) as b:
            for number in (0, len(TABLE) + 1, 0xffffffff):
                for length in (0, 1, 3, 4, 64, 4096, 60000):
                    session = b.session()
                    message = struct.pack("=I", number).ljust(length, b"\0")[:length]
                    if not message:
                        b.ends[session].shutdown(socket.SHUT_WR)
                    else:
                        b.ends[session].send(message)
                    b.pump(until=lambda: session in b.killed)
                    b.finish(session)

    def test_texts_must_end(self):
        """A text that does not end in its field, or hides something behind its end."""
        with brokerbox.Broker(policy()) as b:
            for bad in (b"a" * 256, b"a\0" + b"b" * 10, b"\0x"):
                session = b.session()
                b.ends[session].send(brokerbox.open_raw(brokerbox.number("", 80), bad))
                b.pump(until=lambda: session in b.killed)
                self.assertEqual(b.killed[session], "protocol-violation")
                b.finish(session)

    def test_79_descriptors_are_never_installed(self):
        with brokerbox.Broker(policy()) as b, socket.socketpair()[0] as spare:
            b.settle()
            before = b.fds()
            for _ in range(200):
                session = b.session()
                socket.send_fds(b.ends[session], [open_("127.0.0.1", 1)], [spare.fileno()] * 253)
                b.pump(until=lambda: session in b.killed)
                b.finish(session)
            self.assertEqual(b.fds(), before)

    def fill(self, b, session, message):
        """Until the channel takes no more: the broker has had the session's share."""
        b.ends[session].setblocking(False)
        sent = 0
        with contextlib.suppress(BlockingIOError):
            for _ in range(200000):
                b.ends[session].send(message)
                sent += 1
        b.ends[session].settimeout(10)
        return sent

    def test_78_a_flood_waits_in_its_own_channel(self):
        with brokerbox.Broker(policy()) as b:
            flood = b.session()
            for _ in range(20):
                self.assertLess(self.fill(b, flood, brokerbox.end(77)), 200000, "it is paused")
                canary = b.session()  # is served meanwhile
                self.assertTrue(b.alive(canary))
            b.ends[flood].send(open_("no.such.rule", 80, 5))  # blocks, and is served at last
            b.pump(until=lambda: b.of(flood, "refused"))
            self.assertTrue(b.alive(flood))
            b.finish(flood)
            self.assertEqual(len(b.of(flood, "refused")), 1)

    def test_176_refusals_are_paced_and_none_is_lost(self):
        with brokerbox.Broker(policy()) as b:
            flood = b.session()
            sent = self.fill(b, flood, open_("no.such.rule", 80, 5))
            self.assertGreater(sent, 50)
            b.pump(until=lambda: len(b.of(flood, "refused")) == sent)
            canary = b.session()
            self.assertTrue(b.alive(canary) and b.alive(flood))

    def test_a_burst_of_handshakes_waits_for_the_authenticator(self):
        with brokerbox.Broker(policy()) as b:
            verify, b.take_verify = b.take_verify, lambda message: asked.append(message)
            asked = []
            many = [b.new_session() for _ in range(200)]
            for session in many:
                b.ends[session].send(brokerbox.auth())
            b.pump(until=lambda: len(asked) >= 16)
            b.take_verify = verify
            for message in asked:
                verify(message)
            b.pump(until=lambda: b.granted >= set(many))

    def test_214_no_room_for_a_sessions_descriptor(self):
        with brokerbox.Broker(policy()) as b:
            canary = b.session()
            most = b.fds() + 20
            resource.prlimit(b.process.pid, resource.RLIMIT_NOFILE, (most, most))
            many = [b.new_session() for _ in range(40)]
            b.pump(until=lambda: len(b.killed) >= 20)
            self.assertTrue(b.alive(canary))
            for session in b.killed:
                self.assertIn(session, many)
                self.assertEqual(b.killed[session], "resources")
            for session in many:
                b.finish(session)
                self.assertEqual([r["event"] for r in b.of(session)],
                                 ["session-open", "session-end"])
            self.assertTrue(b.alive(b.session()))  # there is room again

    def test_raised_descriptor_limit(self):
        """The broker takes as many descriptors as the hard limit allows it."""
        with brokerbox.Broker(policy()) as b:
            soft, hard = resource.prlimit(b.process.pid, resource.RLIMIT_NOFILE)
            self.assertEqual(soft, hard)


class HandOver(unittest.TestCase):
    seconds = 120

    def open_stream(self, b, session, port, host="127.0.0.1", tag=1):
        b.ends[session].send(open_(host, port, tag))
        b.pump(until=lambda: self.ready(b, session), watch=b.ends[session])
        return receive_fd(b.ends[session])

    def ready(self, b, session):
        import select
        return bool(select.select([b.ends[session]], [], [], 0)[0])

    def refused(self, b, session, host, port=80):
        message, fds = self.open_stream(b, session, port, host)
        self.assertEqual(fds, [])
        kind, _, reason = struct.unpack_from("=III", message)
        self.assertEqual(kind, number_of("REFUSED"))
        return REASON_WORDS[reason]

    def test_no_descriptor_before_its_record_is_stored(self):
        server, port = target()
        with brokerbox.Broker(policy()) as b:
            session = b.session()
            b.store = False
            b.ends[session].send(open_("127.0.0.1", port))
            b.pump(until=lambda: b.of(session, "granted"))
            server.accept()[0].close()
            b.ends[session].settimeout(0.5)
            self.assertRaises(socket.timeout, receive_fd, b.ends[session])
            b.ends[session].settimeout(10)
            b.store_all()
            message, fds = receive_fd(b.ends[session])
            self.assertEqual(struct.unpack_from("=I", message)[0], number_of("OPENED"))
            self.assertEqual(len(fds), 1)
            os.close(fds[0])
            b.store = True
            b.finish(session)

    def test_no_grant_before_its_record_is_stored(self):
        with brokerbox.Broker(policy(), store=False) as b:
            session = b.new_session()
            b.ends[session].send(brokerbox.auth())
            b.pump(until=lambda: b.of(session, "authenticated"))
            b.ends[session].settimeout(0.5)
            self.assertRaises(socket.timeout, b.ends[session].recv, 1)
            b.ends[session].settimeout(10)
            b.store = True
            b.store_all()
            b.pump(until=lambda: session in b.granted)

    def test_81_a_kept_copy_is_dead_after_the_end(self):
        server, port = target()
        with brokerbox.Broker(policy()) as b:
            session = b.session()
            message, (fd,) = self.open_stream(b, session, port)
            far = server.accept()[0]
            stream = struct.unpack_from("=III", message)[2]
            os.write(fd, b"hello")
            self.assertEqual(far.recv(5), b"hello")
            b.ends[session].send(brokerbox.end(stream))
            far.settimeout(10)
            self.assertEqual(far.recv(5), b"")
            far.close()
            b.pump(until=lambda: b.of(session, "stream-end"))
            self.assertRaises(OSError, os.write, fd, b"more")
            self.assertEqual(os.read(fd, 10), b"")
            os.close(fd)
            self.assertEqual(b.of(session, "stream-end")[0]["bytes_up"], 5)
            b.finish(session)

    def test_82_answers_to_nobody_are_nothing(self):
        """END for streams that are not this session's."""
        server, port = target()
        with brokerbox.Broker(policy()) as b:
            one, other = b.session(), b.session()
            message, (fd,) = self.open_stream(b, one, port)
            far = server.accept()[0]
            stream = struct.unpack_from("=III", message)[2]
            for number in (stream, 0, 99, 0xffffffff):
                b.ends[other].send(brokerbox.end(number))
            b.settle()
            os.write(fd, b"alive")
            self.assertEqual(far.recv(5), b"alive")
            os.close(fd)
            self.assertTrue(b.alive(other))
            far.close()

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

    def test_a_request_says_what_it_is_about(self):
        one = brokerbox.number("127.0.0.1", 80)
        wrong = [brokerbox.open_raw(brokerbox.number("", 80), b""),  # nothing
                 brokerbox.open_raw(one, b"", protocol=0),           # a stream of no protocol
                 brokerbox.open_raw(one, b"", kind=brokerbox.RESOLVE),
                 brokerbox.open_raw(one, b"", kind=3)]
        listen = brokerbox.open_raw(one, b"", kind=brokerbox.LISTEN)
        with brokerbox.Broker(policy()) as b:
            for message in wrong:
                session = b.session()
                b.ends[session].send(message)
                b.pump(until=lambda: session in b.killed)
                b.finish(session)
                self.assertEqual(b.of(session, "session-end")[0]["reason"], "protocol-violation")

            session = b.session()  # what no grant can have yet is refused, and on record
            b.ends[session].send(listen)
            b.pump(until=lambda: b.of(session, "refused"))
            self.assertEqual(b.of(session, "refused")[0]["reason"], "no-rule")
            self.assertTrue(b.alive(session))

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

    # --- datagrams ----------------------------------------------------------------------------

    def udp_target(self):
        sock = socket.socket(type=socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(10)
        self.addCleanup(sock.close)
        return sock, sock.getsockname()[1]

    def open_udp(self, b, session, port, beside=0):
        b.ends[session].send(brokerbox.open_raw(brokerbox.number("127.0.0.1", port), b"", 1,
                                                brokerbox.UDP, beside=beside))
        b.pump(until=lambda: self.ready(b, session), watch=b.ends[session])
        message, fds = receive_fd(b.ends[session])
        self.assertEqual(struct.unpack_from("=I", message)[0], number_of("OPENED"))
        sock = socket.socket(fileno=fds[0])
        self.addCleanup(sock.close)
        return sock, struct.unpack_from("=III", message)[2]

    def test_datagrams(self):
        rules = policy()
        rules["grants"]["demo"]["allow"] = [
            suite.to("127.0.0.1:*", protocols=["udp"]),
            suite.to("inner.test:*", protocols=["udp"], private=True)]
        one, port = self.udp_target()
        two, other = self.udp_target()
        with brokerbox.Broker(rules) as b:
            session = b.session()
            first, id = self.open_udp(b, session, port)
            second, _ = self.open_udp(b, session, other, beside=id)
            self.assertEqual(first.getsockname()[1], second.getsockname()[1], "one near port")
            first.send(b"to one")
            second.send(b"to two")
            self.assertEqual(one.recv(100), b"to one")
            self.assertEqual(two.recv(100), b"to two")
            for peer in (one, two):  # each hears its own peer alone
                peer.sendto(b"from", first.getsockname())
            for mine in (first, second):
                mine.settimeout(10)
                self.assertEqual(mine.recv(100), b"from")
                mine.setblocking(False)
                self.assertRaises(BlockingIOError, mine.recv, 100)
            alien, _ = self.open_udp(b, b.session(), other, beside=id)
            self.assertNotEqual(alien.getsockname()[1], first.getsockname()[1])
            self.assertEqual(self.refused(b, session, "127.0.0.1", port), "no-rule", "tcp")
            # a port is shared while its stream lives, not while a name is looked up
            b.answer_names = lambda host: None
            b.ends[session].send(brokerbox.open_raw(brokerbox.number("", other), b"inner.test", 2,
                                                    brokerbox.UDP, beside=id))
            b.pump(until=lambda: b.lookups)
            b.ends[session].send(brokerbox.end(id))
            b.pump(until=lambda: b.of(session, "stream-end"))
            b.answer_lookups(["127.0.0.1"])
            b.pump(until=lambda: self.ready(b, session), watch=b.ends[session])
            message, fds = receive_fd(b.ends[session])
            late = socket.socket(fileno=fds[0])
            self.addCleanup(late.close)
            self.assertNotEqual(late.getsockname()[1], first.getsockname()[1])
            self.assertRaises(OSError, first.send, b"dead")  # and so is every copy, and deaf
            one.sendto(b"late", first.getsockname())
            self.assertRaises(BlockingIOError, first.recv, 100)
            self.assertEqual(b.of(session, "stream-end")[0]["protocol"], brokerbox.UDP)
            second.send(b"lives")
            self.assertEqual(two.recv(100), b"lives")

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

    def test_each_request_ends_in_one_record(self):
        server, port = target()
        with brokerbox.Broker(policy(), answer_names=lambda host: None) as b:
            session = b.session()
            for tag in range(5):  # names that are never answered
                b.ends[session].send(open_("a.example.test", port, tag))
            b.ends[session].send(open_("127.0.0.1", port, 9))
            b.pump(until=lambda: b.of(session, "granted") and len(b.lookups) == 5)
            b.finish(session)
            self.assertEqual(len(b.of(session, "refused")), 5)
            self.assertEqual(len(b.of(session, "stream-end")), 1)
            self.assertEqual(len(b.of(session, "session-end")), 1)

    def test_worker_gone_resets_its_streams(self):
        server, port = target()
        with brokerbox.Broker(policy()) as b:
            session = b.session()
            _, (fd,) = self.open_stream(b, session, port)
            far = server.accept()[0]
            os.close(fd)
            b.finish(session, code=0)
            far.settimeout(10)
            self.assertRaises(ConnectionResetError, far.recv, 1)

    def test_a_worker_that_does_not_read_is_ended(self):
        with brokerbox.Broker(policy()) as b:
            session = b.session()
            sent = 0
            while session not in b.killed and sent < 20000:
                try:
                    b.ends[session].send(open_("no.such.rule", 80, sent))
                    sent += 1
                except (BrokenPipeError, ConnectionResetError):
                    break
                b.pump(until=lambda: len(b.of(session)) >= sent or session in b.killed)
            b.pump(until=lambda: session in b.killed)
            b.finish(session)
            self.assertEqual(b.of(session, "session-end")[0]["reason"], "protocol-violation")

    def test_a_lost_auditor_gets_again_what_it_did_not_store(self):
        server, port = target()
        with brokerbox.Broker(policy()) as b:
            session = b.session()
            b.store = False
            b.ends[session].send(open_("127.0.0.1", port))
            b.pump(until=lambda: b.of(session, "granted"))
            b.peers["auditor"].close()
            b.peers["auditor"] = b.doors["auditor"].accept()[0]
            b.waiting, b.store = [], True
            instance = b.instance
            b.hello()
            self.assertEqual(b.instance, instance)
            b.pump(until=lambda: self.ready(b, session), watch=b.ends[session])
            message, fds = receive_fd(b.ends[session])
            self.assertEqual(struct.unpack_from("=I", message)[0], number_of("OPENED"))
            os.close(fds[0])
            numbers = [r["number"] for r in b.of(session, "granted")]
            self.assertEqual(numbers, [numbers[0]] * 2)

    def test_without_an_auditor_nothing_is_granted(self):
        server, port = target()
        with brokerbox.Broker(policy()) as b:
            session = b.session()
            b.peers.pop("auditor").close()
            b.doors["auditor"].close()
            other = b.new_session()
            b.ends[other].send(brokerbox.auth())
            kind, _, reason = struct.unpack_from("=III", b.ends[other].recv(65536))
            self.assertEqual((kind, REASON_WORDS[reason]), (number_of("REFUSED"), "auditor-lost"))
            b.ends[session].send(open_("127.0.0.1", port))
            kind, _, reason = struct.unpack_from("=III", b.ends[session].recv(65536))
            self.assertEqual((kind, REASON_WORDS[reason]), (number_of("REFUSED"), "auditor-lost"))


if __name__ == "__main__":
    tap.main()
