#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""sockward-auditor alone: what is in a record, and in the journal; cases 109, 171, 172,
178, 180, 217."""

import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import auditorbox
import ipcwire as wire
import tap


class Records(auditorbox.Case):
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
        listen, entries = auditorbox.Journal(self.journal), []
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


class Scans(auditorbox.Case):
    """Case 109: what tells of many destinations that came to nothing."""

    def refused(self, broker, *ports, session=9, **fields):
        for port in ports:
            broker.add("refused", session=session, stream=1, protocol=wire.TCP, grant="page",
                       subject="token:12345678", client=("203.0.113.9", 1), reason="peer-refused",
                       peer=("127.0.0.1", port), **fields)
        broker.settle()

    def scans(self):
        return [record for record in self.proven() if record["event"] == "scan"]

    def test_109_a_scan(self):
        self.start()
        broker = self.broker()
        self.refused(broker, *range(1, 32), 1, 2, 3)
        self.assertEqual(self.scans(), [])
        listen = auditorbox.Journal(self.journal)
        self.refused(broker, 32, session=10)
        refused, scan = (dict(listen.entry()) for _ in range(2))
        listen.close()
        record = self.proven()[-1]
        self.assertEqual((record["event"], record["targets"], record["refused"]), ("scan", 32, 35))
        self.assertEqual((record["session"], record["grant"], record["subject"], record["client"]),
                         ("000000000000000a", "page", "token:12345678", "203.0.113.9"))
        self.assertEqual(record["run"], "%016x" % broker.instance)
        self.assertNotIn("n", record)
        self.assertEqual((refused["PRIORITY"], scan["PRIORITY"]), (b"6", b"4"))
        self.assertEqual(scan["MESSAGE"], b"scan: 32 targets, session 000000000000000a")
        self.assertEqual(scan["SOCKWARD_TARGETS"], b"32")
        self.assertNotEqual(scan["MESSAGE_ID"], refused["MESSAGE_ID"])
        self.refused(broker, *range(100, 200))
        self.assertEqual(len(self.scans()), 1)

    def test_109_by_the_clock_of_records(self):
        self.start()
        broker = self.broker()
        second = 10 ** 9
        for minute, ports in ((1, 31), (2, 31), (3, 40), (4, 40)):
            self.refused(broker, *range(1, 1 + ports), mono_ns=minute * 60 * second)
        self.refused(broker, *range(50, 100), mono_ns=4 * 60 * second + 59 * second)
        self.assertEqual([scan["mono"] for scan in self.scans()], [180 * second, 240 * second])

    def test_109_what_is_sent_again(self):
        self.start()
        broker = self.broker()
        self.refused(broker, *range(1, 21))
        broker.channel.close()
        self.assertEqual(broker.connect(), 20)
        broker.sent = 0  # as if it had not been told
        self.refused(broker, *range(21, 32))
        self.assertEqual(self.scans(), [])
        self.refused(broker, 32)
        self.assertEqual([scan["refused"] for scan in self.scans()], [32])

    def test_109_a_scan_is_the_last_line(self):
        """An auditor that is started behind it goes on with the broker's numbers."""
        self.start()
        broker = self.broker()
        self.refused(broker, *range(1, 33))
        self.assertEqual(self.proven()[-1]["event"], "scan")
        self.helper.kill()
        self.start()
        self.assertEqual(broker.connect(), 32)
        broker.tell("stop")
        self.assertEqual([record.get("n") for record in self.proven()][-3:], [32, None, 33])

    def test_109_strangers_brand_nobody(self):
        self.start()
        broker = self.broker()
        for n in range(200):
            broker.add("refused", session=9, stream=2, protocol=16, grant="page", reason="no-rule",
                       peer=("203.0.113.%d" % (n % 200), 1000 + n), local=("127.0.0.1", 80))
        broker.settle()
        self.assertEqual(self.scans(), [])


class ToTheJournal(auditorbox.Case):
    def test_fields(self):
        self.start()
        broker = self.broker()
        broker.tell("start")  # there is no journal yet: no error
        listen = auditorbox.Journal(self.journal)
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
        listen = auditorbox.Journal(self.journal)  # it was started anew
        broker.tell("stop")
        self.assertNotEqual(dict(listen.entry())["MESSAGE_ID"], first)
        listen.close()
        self.assertIn("journal did not take", self.helper.stderr())

    def test_217_a_journal_that_hangs(self):
        self.start()
        broker = self.broker()
        listen = auditorbox.Journal(self.journal)
        began = time.monotonic()
        for _ in range(3000):
            broker.add("start")
        broker.settle()
        self.assertLess(time.monotonic() - began, 10)
        self.assertEqual(len(self.proven()), 3000)
        self.assertEqual(self.helper.stderr().count("journal did not take"), 1)
        listen.close()


if __name__ == "__main__":
    sys.exit(tap.main())
