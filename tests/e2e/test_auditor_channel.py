#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""sockward-auditor alone: what it is sent, by one broker after the other; case 209."""

import os
import signal
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import auditorbox
import ipcwire as wire
import tap


class Channel(auditorbox.Case):
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
        second = auditorbox.Broker(self.helper)
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
        second = auditorbox.Broker(self.helper)
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


if __name__ == "__main__":
    sys.exit(tap.main())
