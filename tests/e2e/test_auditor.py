#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""sockward-auditor alone: the file, the chain, the journal, and what survives;
cases 171-175, 178-180, 212, 216, 217, 235."""

import hashlib
import json
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import ipcwire as wire
import tap

SOCKWARD = os.path.join(wire.BUILD, "sockward")
ZEROS = "0" * 64


def prove(data):
    """The chain, proven a second time and independently; the records."""
    records, previous = [], ZEROS
    assert data == b"" or data.endswith(b"\n")
    for at, line in enumerate(data.split(b"\n")[:-1]):
        assert re.fullmatch(rb"[ -~]+", line), line
        record = json.loads(line)
        body, _, tail = line.rpartition(b',"hash":"')
        assert hashlib.sha256(body + b"}").hexdigest() == record["hash"] == tail[:-2].decode()
        assert list(record)[-2:] == ["prev", "hash"] and list(record)[0] == "seq"
        assert record["prev"] == previous and record["seq"] == at + 1
        previous = record["hash"]
        records.append(record)
    return records


class Broker:
    """Numbers records, sends them, and sends again what was not stored."""

    def __init__(self, helper, instance=None):
        self.helper = helper
        self.instance = instance or random.getrandbits(64) | 1
        self.records = []
        self.stored = self.sent = 0
        self.channel = None

    def connect(self, ready=True):
        self.channel = self.helper.connect()
        self.channel.send(wire.hello(self.instance))
        return self.ready() if ready else None

    def ready(self):
        name, number = wire.unpack(self.channel.recv(4096))
        assert name == "AUDIT_READY"
        assert number >= self.stored, "what was stored is lost"
        self.stored = self.sent = number
        return number

    def add(self, event, **fields):
        self.records.append(wire.record(len(self.records) + 1, event, **fields))
        return len(self.records)

    def push(self):
        """Send what can be sent, take answers that are there; False when the auditor is gone."""
        self.channel.setblocking(False)
        try:
            while self.sent < len(self.records):
                self.channel.send(self.records[self.sent])
                self.sent += 1
        except BlockingIOError:
            pass
        except OSError:
            return False
        try:
            while True:
                message = self.channel.recv(4096)
                if not message:
                    return False
                name, number = wire.unpack(message)
                assert name == "STORED" and self.stored <= number <= self.sent, (name, number)
                self.stored = number
        except BlockingIOError:
            return True
        except OSError:
            return False

    def settle(self, seconds=10):
        end = time.monotonic() + seconds
        while self.stored < len(self.records):
            assert self.push(), "the auditor hung up"
            assert time.monotonic() < end, "stored %d of %d" % (self.stored, len(self.records))
            time.sleep(0.001)

    def tell(self, event, **fields):
        self.add(event, **fields)
        self.settle()


class Journal:
    """Takes datagrams as journald does."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.socket.settimeout(5)

    def entry(self):
        data, fields = self.socket.recv(1 << 20), []
        while data:
            name, _, rest = data.partition(b"\n")
            assert b"=" not in name, "a value that is not length-prefixed: %r" % name
            length = struct.unpack("<Q", rest[:8])[0]
            fields.append((name.decode(), rest[8:8 + length]))
            assert rest[8 + length:9 + length] == b"\n"
            data = rest[9 + length:]
        return fields

    def close(self):
        self.socket.close()
        os.unlink(self.path)


class Case(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="sockward-test-")
        self.path = os.path.join(self.directory, "audit.jsonl")
        self.journal = os.path.join(self.directory, "journal")
        self.helper = None

    def tearDown(self):
        if self.helper and self.helper.process:
            self.helper.__exit__(None)
        shutil.rmtree(self.directory)

    def start(self, *args, **how):
        if not self.helper:
            self.helper = wire.Helper("auditor", ("--file", self.path, "--journal", self.journal)
                                      + args, **how)
        self.helper.start()
        return self.helper

    def broker(self, **how):
        broker = Broker(self.helper, **how)
        broker.connect()
        return broker

    def data(self):
        with open(self.path, "rb") as file:
            return file.read()

    def proven(self):
        records = prove(self.data())
        done = self.verify()
        self.assertEqual(done.returncode, 0, done.stderr)
        return records

    def verify(self, *args, path=None):
        return subprocess.run([SOCKWARD, "audit", "verify", path or self.path, *args],
                              capture_output=True, text=True)


class Records(Case):
    def test_members(self):
        self.start()
        broker = self.broker()
        client, peer = ("203.0.113.7", 40001), ("2001:db8::5", 443)
        broker.tell("start")
        broker.tell("session-open", session=0xabc, client=client, policy=0x1122334455667788)
        broker.tell("authenticated", session=0xabc, client=client, grant="page", dialect=1,
                    subject="token:12345678", host="gw.test:8086", origin="https://a.test",
                    has_origin=1)
        broker.tell("granted", session=0xabc, stream=3, protocol=wire.TCP, host="db.test",
                    peer=peer, local=("2001:db8::1", 50000), rule="db.test:443", addresses=2)
        broker.tell("refused", session=0xabc, protocol=wire.TCP, host="10.0.0.1",
                    peer=("", 25), reason="no-rule", rule="private-10")
        broker.tell("refused", session=0xabc, host="evil.test", reason="host-not-served")
        broker.tell("stream-end", session=0xabc, stream=3, protocol=wire.TCP, duration_ms=1500,
                    bytes_up=2 ** 53 + 1, bytes_down=0, claimed_up=0, claimed_down=10 ** 18,
                    rtt_us=300, retransmits=2, reason="peer-closed")
        broker.tell("session-end", session=0xabc, exit_code=13, cpu_us=7, max_rss_kib=900,
                    streams=1, claimed_close=1000, claimed_messages_in=5, reason="worker-exited")
        broker.tell("session-end", session=0xabd, exit_code=-1, signal=11, reason="worker-crashed")
        broker.tell("stop")
        records = self.proven()
        run = "%016x" % broker.instance
        with open("/proc/sys/kernel/random/boot_id") as file:
            boot = file.read().strip()
        for n, record in enumerate(records):
            self.assertEqual((record["n"], record["run"], record["boot"]), (n + 1, run, boot))
            self.assertRegex(record["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$")
        opened, known, granted, refused, not_served, ended, session, crashed = records[1:9]
        self.assertEqual((opened["session"], opened["client"], opened["client_port"]),
                         ("0000000000000abc",) + client)
        self.assertEqual((opened["policy"], opened["generation"]), ("1122334455667788", 1))
        self.assertNotIn("reason", opened)
        self.assertEqual((known["claimed_host"], known["claimed_origin"], known["dialect"]),
                         ("gw.test:8086", "https://a.test", "raw"))
        self.assertEqual((known["grant"], known["subject"]), ("page", "token:12345678"))
        self.assertNotIn("host", known)
        self.assertEqual((granted["host"], granted["peer"], granted["peer_port"]),
                         ("db.test",) + peer)
        self.assertEqual((granted["local"], granted["local_port"], granted["addresses"]),
                         ("2001:db8::1", 50000, 2))
        self.assertEqual((granted["rule"], granted["protocol"]), ("db.test:443", "tcp"))
        self.assertEqual((refused["reason"], refused["host"], refused["peer_port"],
                          refused["rule"]), ("no-rule", "10.0.0.1", 25, "private-10"))
        self.assertEqual(not_served["claimed_host"], "evil.test")
        # 178: the kernel's word and the worker's stand apart.
        self.assertEqual((ended["bytes_up"], ended["bytes_down"], ended["claimed_up"],
                          ended["claimed_down"]), (2 ** 53 + 1, 0, 0, 10 ** 18))
        self.assertEqual((ended["duration_ms"], ended["rtt_us"], ended["retransmits"]),
                         (1500, 300, 2))
        self.assertEqual((session["claimed_exit"], session["cpu_us"], session["max_rss_kib"],
                          session["claimed_close"], session["streams"]),
                         ("dialect-violation", 7, 900, 1000, 1))
        self.assertEqual(crashed["signal"], 11)
        self.assertNotIn("claimed_exit", crashed)

    def test_171_172_text_is_text(self):
        """Whatever a client or a worker puts in: one value of one field, and none is lost."""
        self.start()
        broker = self.broker()
        texts = [b'x","event":"granted","x":"', b"line\nDECISION=allow\n\nSOCKWARD_EVENT=granted",
                 b"\x01\x1b[31m\x7f", b"\\u0041\\", b"\xff\xfe\x80", "\u00e9\u202e\u2028".encode(),
                 "\U0001f600 \U0010ffff".encode(), b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80",
                 b"\xe2\x82", b"a\xe2\x82z", b"\t\"\\/", b" ", bytes(range(1, 128)),
                 bytes(range(128, 256)), b"\xff" * 255]
        listen, entries = Journal(self.journal), []
        for text in texts:
            broker.tell("authenticated", session=1, host=text, origin=text, has_origin=1,
                        subject=text[:127], grant=text[:63], rule=text[:127])
            entries.append(listen.entry())
        records = self.proven()
        for text, record, fields in zip(texts, records, entries):
            for name, size in (("claimed_host", 255), ("claimed_origin", 255), ("subject", 127),
                               ("grant", 63), ("rule", 127)):
                stored = record[name].encode("utf-8", "surrogateescape")
                self.assertEqual(stored, text[:size])
            self.assertEqual(record["event"], "authenticated")
            names = [name for name, _ in fields]
            self.assertEqual(len(names), len(set(names)))
            self.assertEqual(dict(fields)["SOCKWARD_EVENT"], b"authenticated")
            self.assertTrue(all(re.fullmatch(rb"[ -~]*", value) for _, value in fields))
        listen.close()
        self.assertNotIn("allow", self.helper.stderr())

    def test_empty_origin_is_not_no_origin(self):
        self.start()
        broker = self.broker()
        broker.tell("authenticated", session=1, has_origin=1)
        broker.tell("authenticated", session=1)
        first, second = self.proven()
        self.assertEqual(first["claimed_origin"], "")
        self.assertNotIn("claimed_origin", second)

    def test_180_clocks(self):
        self.start()
        broker = self.broker()
        mono, wall = 10 ** 13, 1_800_000_000 * 10 ** 9
        hour = 3600 * 10 ** 9
        for step, wall_ns in enumerate((wall, wall + 10 ** 6, wall - hour, wall + 8766 * hour)):
            broker.tell("start", mono_ns=mono + step * 10 ** 6, wall_ns=wall_ns)
        broker.tell("start", mono_ns=mono + 9 * 10 ** 6, wall_ns=wall + 8766 * hour + 5 * 10 ** 6)
        records = self.proven()
        steps = [record.get("clock_step_ms") for record in records]
        self.assertEqual(steps[:2] + steps[4:], [None, None, None])
        self.assertAlmostEqual(steps[2], -3600000, delta=10)
        self.assertAlmostEqual(steps[3], 8767 * 3600000, delta=10)
        self.assertEqual([r["mono"] for r in records], sorted(r["mono"] for r in records))
        self.assertEqual(records[0]["time"], "2027-01-15T08:00:00.000000000Z")

    def test_numbers_and_words_out_of_range(self):
        self.start()
        broker = self.broker()
        broker.add("start", dialect=99, protocol=9, reason=65535)
        broker.settle()
        record = self.proven()[0]
        self.assertEqual((record["dialect"], record["protocol"], record["reason"]), ("unknown",) * 3)


class Channel(Case):
    def test_greeting(self):
        self.start()
        broker = self.broker()
        self.assertEqual(broker.stored, 0)
        for _ in range(5):
            broker.tell("start")
        broker.channel.close()
        self.assertEqual(broker.connect(), 5)
        broker.channel.close()
        self.assertEqual(self.broker().stored, 0)

    def test_what_came_twice_is_written_once(self):
        self.start()
        broker = self.broker()
        for _ in range(3):
            broker.tell("start")
        for number in (1, 2, 3, 2):
            broker.channel.setblocking(True)
            broker.channel.send(broker.records[number - 1])
            self.assertEqual(wire.unpack(broker.channel.recv(4096)), ("STORED", 3))
        self.assertEqual([r["n"] for r in self.proven()], [1, 2, 3])

    def test_illegal_messages(self):
        self.start()
        broker = self.broker()
        broker.tell("start")
        record = wire.record(2, "start")
        for message in (record[:-1], record + b"\0", b"", wire.lookup("a.test"),
                        wire.record(4, "start"), wire.hello(7), struct.pack("=I", 0) + record[4:]):
            with self.subTest(message[:8]):
                broker.channel.send(message)
                broker.channel.settimeout(5)
                self.assertTrue(wire.cut_off(broker.channel))
                broker.channel.close()
                broker.connect()
        for message in (record, wire.hello(0), wire.hello(5, version=2)):
            with self.helper.connect(seconds=5) as other:
                other.send(message)
                self.assertTrue(wire.cut_off(other))
        broker.tell("stop")
        self.assertEqual([r["event"] for r in self.proven()], ["start", "stop"])

    def test_one_broker_at_a_time(self):
        self.start()
        first = self.broker()
        second = Broker(self.helper)
        second.connect(ready=False)
        first.tell("session-open", session=1)
        second.channel.settimeout(0.3)
        with self.assertRaises(socket.timeout):
            second.channel.recv(100)
        first.channel.close()
        second.channel.settimeout(5)
        self.assertEqual(second.ready(), 0)
        second.tell("start")
        self.assertEqual([(r["event"], r.get("reason")) for r in self.proven()],
                         [("session-open", None), ("session-end", "broker-lost"), ("start", None)])

    def test_209_what_a_lost_broker_left_behind(self):
        """Its last records, sent but not answered, come before the ends of its sessions."""
        self.start()
        first = self.broker()
        for session in range(1, 301):
            first.tell("session-open", session=session)
        os.kill(self.helper.process.pid, signal.SIGSTOP)
        for session in range(1, 101):
            first.add("session-end", session=session)
        first.channel.setblocking(False)
        sent = 0
        try:
            for record in first.records[300:]:
                first.channel.send(record)
                sent += 1
        except BlockingIOError:
            pass
        self.assertGreater(sent, 20)
        first.channel.close()
        second = Broker(self.helper)
        second.connect(ready=False)
        os.kill(self.helper.process.pid, signal.SIGCONT)
        self.assertEqual(second.ready(), 0)
        second.tell("start")
        records = self.proven()
        self.assertEqual([r["n"] for r in records if "n" in r and r["run"] != records[-1]["run"]],
                         list(range(1, 301 + sent)))
        lost = [r for r in records if r.get("reason") == "broker-lost"]
        self.assertEqual(len(lost), 300 - sent)
        self.assertEqual({r["run"] for r in lost}, {records[0]["run"]})
        ends = [r["session"] for r in records if r["event"] == "session-end"]
        self.assertEqual(sorted(ends), sorted({"%016x" % s for s in range(1, 301)}))

    def test_open_sessions_are_known_after_a_restart(self):
        self.start()
        first = self.broker()
        for session in range(1, 2001):
            first.add("session-open", session=session)
            if session % 3:
                first.add("session-end", session=session)
        first.settle()
        first.channel.close()
        self.helper.kill()
        self.start()
        self.broker().tell("start")
        records = self.proven()
        lost = sorted(int(r["session"], 16) for r in records if r.get("reason") == "broker-lost")
        self.assertEqual(lost, [s for s in range(1, 2001) if s % 3 == 0])

    def test_the_end_takes_what_was_sent(self):
        self.start()
        broker = self.broker()
        for _ in range(40):
            broker.add("start")
        os.kill(self.helper.process.pid, signal.SIGSTOP)
        broker.push()
        self.helper.process.send_signal(signal.SIGTERM)
        os.kill(self.helper.process.pid, signal.SIGCONT)
        self.assertEqual(self.helper.process.wait(5), 0)
        self.assertEqual(len(self.proven()), broker.sent)


class Survival(Case):
    def test_212_killed_at_any_time(self):
        """Nothing is lost or doubled, and what was said to be stored is."""
        rng = random.Random(212)
        self.start(*(["--sync"] if rng.random() < 0.5 else []))
        broker = self.broker()
        session = 0
        for _ in range(40):
            end = time.monotonic() + rng.random() * 0.1
            while time.monotonic() < end:
                for _ in range(rng.randrange(60)):
                    session += 1
                    broker.add("session-open", session=session, host="h" * rng.randrange(200))
                    broker.add("session-end", session=session, duration_ms=1)
                broker.push()
            self.helper.kill()
            broker.push()
            broker.channel.close()
            self.start()
            broker.connect()
        broker.settle(30)
        records = [r for r in self.proven() if r["event"] != "repair"]
        self.assertEqual([r["n"] for r in records], list(range(1, len(broker.records) + 1)))
        self.assertGreater(len(records), 1000)

    def test_235_half_a_line_at_the_end(self):
        self.start()
        broker = self.broker()
        for number in range(30):
            broker.tell("session-open", session=number + 1, origin=os.urandom(200), has_origin=1)
        self.helper.kill()
        whole = self.data()
        rng = random.Random(235)
        for _ in range(25):
            cut = rng.randrange(1, len(whole))
            with self.subTest(cut=cut):
                with open(self.path, "wb") as file:
                    file.write(whole[:cut])
                self.start()
                broker.stored = 0
                broker.connect()
                lines = whole[:cut].count(b"\n")
                self.assertEqual(broker.stored, lines)
                broker.settle()
                records = self.proven()
                torn = cut - (whole[:cut].rfind(b"\n") + 1)
                repairs = [r for r in records if r["event"] == "repair"]
                self.assertEqual(len(repairs), 1 if torn else 0)
                if torn:
                    self.assertEqual((repairs[0]["reason"], repairs[0]["cut_bytes"],
                                      repairs[0]["line"]), ("line-cut", torn, lines + 1))
                    kept = repairs[0]["cut"].encode()
                    self.assertEqual(kept, whole[cut - torn:cut][:512])
                    self.assertIn("had no end", self.helper.stderr())
                self.assertEqual([r["n"] for r in records if "n" in r], list(range(1, 31)))
                broker.channel.close()
                self.helper.kill()

    def test_a_chain_that_does_not_verify_is_said_to(self):
        self.start()
        broker = self.broker()
        for _ in range(10):
            broker.tell("start")
        self.helper.kill()
        lines = self.data().split(b"\n")
        lines[4] = lines[4].replace(b'"start"', b'"stop_"')
        with open(self.path, "wb") as file:
            file.write(b"\n".join(lines))
        self.start()
        self.assertIn("does not verify from line 5", self.helper.stderr())
        broker.connect()
        broker.tell("stop")
        last = json.loads(self.data().split(b"\n")[-3])
        self.assertEqual((last["event"], last["reason"], last["line"]), ("repair", "chain-broken", 5))
        done = self.verify()
        self.assertEqual(done.returncode, 1)
        self.assertIn("line 5, record 5", done.stderr)

    def test_one_auditor_a_file(self):
        self.start()
        other = wire.Helper("auditor", ("--file", self.path, "--journal", "none"))
        other.start()
        self.assertEqual(other.process.wait(5), 1)
        self.assertIn("another auditor", other.stderr())
        other.__exit__(None)

    def test_what_is_no_audit_file(self):
        os.mkfifo(self.path + ".fifo")
        os.symlink(self.path, self.path + ".link")
        for path in (self.directory, self.path + ".fifo", self.path + ".link", "/dev/null",
                     self.directory + "/no/audit"):
            other = wire.Helper("auditor", ("--file", path, "--journal", "none"))
            other.start()
            self.assertEqual(other.process.wait(5), 1, path)
            other.__exit__(None)

    def test_someone_touches_the_file(self):
        def extend():
            with open(self.path, "ab") as file:
                file.write(b"look-alike\n")

        for harm in (lambda: os.truncate(self.path, os.path.getsize(self.path) - 10), extend,
                     lambda: os.unlink(self.path)):
            self.start()
            broker = self.broker()
            broker.tell("start")
            time.sleep(0.2)
            harm()
            broker.add("start")
            broker.push()
            self.assertEqual(self.helper.process.wait(5), 1)
            broker.channel.close()

    def test_a_passed_file(self):
        with open(self.path, "ab+") as file:
            self.helper = wire.Helper("auditor", ("--journal", "none"), extra=[(file, "audit")])
            self.start()
            broker = self.broker()
            broker.tell("start")
            self.helper.kill()
            self.start()
            broker.connect()
            self.assertEqual(broker.stored, 1)
            broker.tell("stop")
            self.assertEqual([r["event"] for r in self.proven()], ["start", "stop"])
        with open(self.path, "rb+") as file:  # it would not append
            other = wire.Helper("auditor", ("--journal", "none"), extra=[(file, "audit")])
            other.start()
            self.assertEqual(other.process.wait(5), 1)
            other.__exit__(None)


class ToTheJournal(Case):
    def test_fields(self):
        self.start()
        broker = self.broker()
        broker.tell("start")  # there is no journal yet: no error
        listen = Journal(self.journal)
        broker.tell("refused", session=9, protocol=1, host="db.test", peer=("", 25),
                    reason="no-rule", client=("203.0.113.9", 1))
        fields = dict(listen.entry())
        record = self.proven()[-1]
        for name, value in record.items():
            self.assertEqual(fields["SOCKWARD_" + name.upper()].decode(), str(value))
        self.assertRegex(fields["MESSAGE_ID"].decode(), "^[0-9a-f]{32}$")
        self.assertEqual(fields["MESSAGE"].decode(),
                         "refused: no-rule, session 0000000000000009, to db.test port 25")
        self.assertEqual(fields["SYSLOG_IDENTIFIER"], b"sockward")
        first = fields["MESSAGE_ID"]
        listen.close()
        broker.tell("start")
        listen = Journal(self.journal)  # it was started anew
        broker.tell("stop")
        self.assertNotEqual(dict(listen.entry())["MESSAGE_ID"], first)
        listen.close()
        self.assertIn("journal did not take", self.helper.stderr())

    def test_217_a_journal_that_hangs(self):
        self.start()
        broker = self.broker()
        listen = Journal(self.journal)
        began = time.monotonic()
        for _ in range(3000):
            broker.add("start")
        broker.settle()
        self.assertLess(time.monotonic() - began, 10)
        self.assertEqual(len(self.proven()), 3000)
        self.assertEqual(self.helper.stderr().count("journal did not take"), 1)
        listen.close()


class Tampering(Case):
    def setUp(self):
        super().setUp()
        self.start()
        broker = self.broker()
        for number in range(1, 41):
            broker.tell("session-open", session=number, client=("203.0.113.1", number))
        self.helper.stop()
        self.lines = self.data().splitlines(keepends=True)
        self.rng = random.Random(179)

    def change(self):
        at = self.rng.randrange(len(self.lines))
        line = bytearray(self.lines[at])
        where = self.rng.randrange(len(line))
        how = self.rng.randrange(4)
        if how == 0:
            line[where] ^= 1 << self.rng.randrange(8)
        elif how == 1:
            line[where] = self.rng.randrange(256)
        elif how == 2:
            line[where:where] = bytes([self.rng.randrange(256)])
        else:
            del line[where:where + self.rng.randrange(1, 9)]
        lines = self.lines[:at] + [bytes(line)] + self.lines[at + 1:]
        return lines, at + 1

    def delete(self):
        at = self.rng.randrange(len(self.lines) - 1)
        count = self.rng.randrange(1, len(self.lines) - at)
        return self.lines[:at] + self.lines[at + count:], at + 1

    def swap(self):
        one, two = sorted(self.rng.sample(range(len(self.lines)), 2))
        lines = list(self.lines)
        lines[one], lines[two] = lines[two], lines[one]
        return lines, one + 1

    def double(self):
        at, to = self.rng.randrange(len(self.lines)), self.rng.randrange(len(self.lines) + 1)
        return self.lines[:to] + [self.lines[at]] + self.lines[to:], to + (2 if to == at else 1)

    def truncate(self):
        at = self.rng.randrange(len(self.lines))
        line = self.lines[at]
        return self.lines[:at] + [line[:self.rng.randrange(1, len(line))]], at + 1

    def forge(self):
        """A record of the forger's own with a right hash of its own."""
        at = self.rng.randrange(len(self.lines) - 1)
        record = json.loads(self.lines[at])
        record["client"] = "198.51.100.66"
        del record["hash"]
        body = json.dumps(record, separators=(",", ":"))
        line = '%s,"hash":"%s"}\n' % (body[:-1], hashlib.sha256(body.encode()).hexdigest())
        return self.lines[:at] + [line.encode()] + self.lines[at + 1:], at + 2

    def test_179_a_thousand_ways(self):
        path = self.path + ".copy"
        ways = [self.change, self.delete, self.swap, self.double, self.truncate, self.forge]
        tried = 0
        while tried < 1000:
            way = ways[tried % len(ways)]
            lines, bad = way()
            if lines == self.lines:
                continue
            tried += 1
            with open(path, "wb") as file:
                file.write(b"".join(lines))
            done = self.verify(path=path)
            self.assertEqual(done.returncode, 1, way.__name__)
            line, seq = map(int, re.search(r"line (\d+), record (\d+):", done.stderr).groups())
            self.assertEqual((line, seq), (bad, bad), (way.__name__, done.stderr))
        self.assertEqual(self.verify().returncode, 0)

    def test_what_is_wrong_is_said(self):
        path = self.path + ".copy"
        lines = self.lines
        for changed, said in (
                (lines[:5] + lines[6:], "missing"), (lines[3:], "missing"),
                (lines[:5] + [lines[6], lines[5]] + lines[7:], "another order"),
                (lines[:5] + [lines[4]] + lines[5:], "another order"),
                (lines[:5] + [lines[5].replace(b"203", b"204")] + lines[6:], "altered"),
                (lines[:5] + [b"hello\n"] + lines[6:], "no record"),
                (lines[:5] + [b"\n"] + lines[5:], "no record"),
                (lines[:5] + [b"x" * 100000 + b"\n"] + lines[5:], "no record"),
                (lines + [b"x" * 100000], "no end"), (lines[:-1] + [lines[-1][:-1]], "no end")):
            with open(path, "wb") as file:
                file.write(b"".join(changed))
            done = self.verify(path=path)
            self.assertEqual(done.returncode, 1)
            self.assertIn(said, done.stderr)

    def test_lines_cut_off_the_end_show_against_a_kept_hash(self):
        last = json.loads(self.lines[-1])
        kept = "%d:%s" % (last["seq"], last["hash"])
        self.assertEqual(self.verify("--last", kept).returncode, 0)
        middle = json.loads(self.lines[20])
        self.assertEqual(self.verify("--last", "21:" + middle["hash"]).returncode, 0)
        path = self.path + ".copy"
        with open(path, "wb") as file:
            file.write(b"".join(self.lines[:-1]))
        self.assertEqual(self.verify(path=path).returncode, 0)
        done = self.verify("--last", kept, path=path)
        self.assertEqual(done.returncode, 1)
        self.assertIn("truncated", done.stderr)
        done = self.verify("--last", "21:" + last["hash"])
        self.assertEqual(done.returncode, 1)
        self.assertIn("written anew", done.stderr)
        for wrong in ("", "0:" + last["hash"], "1:", "1:" + last["hash"][1:], "x" + kept, "-" + kept):
            self.assertEqual(self.verify("--last", wrong).returncode, 2, wrong)

    def test_show(self):
        def show(*args, path=self.path):
            return subprocess.run([SOCKWARD, "audit", "show", path, *args],
                                  capture_output=True, text=True)

        done = show()
        self.assertEqual((done.returncode, done.stdout.count("\n")), (0, 40))
        self.assertIn("session-open run=", done.stdout)
        done = show("--session", "0000000000000005", "--json")
        self.assertEqual(done.stdout.encode(), self.lines[4])
        self.assertEqual(show("--event", "refused").stdout, "")
        path = self.path + ".copy"
        with open(path, "wb") as file:
            file.write(b"".join(self.lines[:3]) + b'{"seq":4,"x":"\x1b[31m"}\n')
        done = show(path=path)
        self.assertEqual(done.returncode, 1)
        self.assertNotIn("\x1b", done.stdout + done.stderr)
        self.assertEqual(show("--frob").returncode, 2)
        self.assertEqual(show(path=self.path + ".none").returncode, 1)


if __name__ == "__main__":
    sys.exit(tap.main())
