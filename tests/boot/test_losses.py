#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""What happens to a tenant on a booted systemd when a process is lost (cases 205 to 217, as
far as a service manager is in them)."""

import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import suite
import tap
import wsclient
from used import UNIT, Used


@tap.needs_root
class Losses(Used):
    seconds = 180

    def test_209_the_broker_is_killed(self):
        """Its sessions end, each on record, and the next ones are served."""
        clients = [self.live() for _ in range(20)]
        self.kill("-broker")
        for client in clients:
            with self.assertRaises((wsclient.Closed, wsclient.Gone)):
                while True:
                    client.recv()
        self.serves()
        lost = self.machine.wait_records("demo", count=20, event="session-end",
                                         reason="broker-lost")
        self.assertEqual(len({record["session"] for record in lost}), len(lost))
        suite.wait_for(lambda: not self.left_open(), what="an end for each session")

    def test_211_the_listener_is_killed(self):
        clients = [self.live() for _ in range(20)]
        self.kill("")
        for client in clients:
            self.still(client)
        self.serves()

    def test_a_worker_that_stays(self):
        """Whose listener is gone, and which does not end with its broker either."""
        before = set(self.machine.workers("demo"))
        self.live()
        stays, = set(self.machine.workers("demo")) - before
        os.kill(stays, signal.SIGSTOP)
        try:
            self.systemctl("restart")
            other = self.live()
            self.still(other)
            self.kill("-broker")
            suite.wait_for(lambda: not os.path.exists("/proc/%d" % stays), 20, "its end")
            self.serves()
            said = [entry["MESSAGE"] for entry in self.machine.journal("-u", UNIT % "-broker")]
            self.assertEqual(len([one for one in said if "did not end with its broker" in one]), 1)
        finally:
            if os.path.exists("/proc/%d" % stays):
                os.kill(stays, signal.SIGKILL)

    def test_a_long_audit_file_may_be_read_for_long(self):
        self.assertEqual(self.machine.show(UNIT % "-auditor", "TimeoutStartUSec"), "infinity")

    def test_212_helpers_are_killed(self):
        client = self.live()
        for helper in ("-auditor", "-resolver", "-authenticator"):
            with self.subTest(helper):
                self.kill(helper)
                self.still(client)
                suite.wait_for(self.is_served, what="service")
        verified = self.machine.run("sockward", "audit", "verify",
                                    "/var/log/sockward/demo/audit.jsonl", check=False)
        self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)
        numbers = [(record["run"], record["n"]) for record in self.machine.records("demo")
                   if "n" in record]
        self.assertEqual(len(numbers), len(set(numbers)))

    def test_213_a_worker_is_killed(self):
        client = self.live()
        before = set(self.machine.records("demo", event="session-end") and
                     [r["session"] for r in self.machine.records("demo", event="session-end")])
        others = set(self.machine.workers("demo"))
        victim = self.live()
        pid, = set(self.machine.workers("demo")) - others
        os.kill(pid, signal.SIGKILL)
        with self.assertRaises((wsclient.Gone, wsclient.Closed)):
            victim.recv()

        def ended():
            return [r for r in self.machine.records("demo", event="session-end",
                                                    reason="worker-crashed")
                    if r["session"] not in before]
        record, = suite.wait_for(ended, what="its record")
        self.assertEqual(record["signal"], signal.SIGKILL)
        self.still(client)

    def test_217_the_journal_stops_and_comes_back(self):
        """The trail goes on in its file; nobody waits for the journal."""
        client = self.live()
        units = ["systemd-journald.service", "systemd-journald.socket",
                 "systemd-journald-dev-log.socket"]
        self.machine.systemctl("stop", *units)
        for _ in range(5):
            self.serves()
        self.still(client)
        self.machine.systemctl("start", *units)
        self.serves()
        last = self.machine.records("demo", event="session-open")[-1]["session"]
        suite.wait_for(lambda: self.machine.journal("SOCKWARD_SESSION=" + last), 20,
                       "the journal's copy")
        suite.wait_for(lambda: len(self.left_open()) <= 1, what="the ends")

if __name__ == "__main__":
    sys.exit(tap.main())
