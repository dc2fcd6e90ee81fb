#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The hostile worker inside the real suite: cases 63 to 79 and 81 to 83. Whatever it
does, the victim sees nothing, the audit trail says how it ended, and the other
sessions, the broker and the listener go on."""

import os
import re
import signal
import socket
import statistics
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import suite
import tap
import targets
from test_hostile_alone import HOSTILE, KILLS, NO_CONFINE, NO_FILTER, SAYS_BEFORE

NOBODY_DIES = ("kill", "pidfd-signal", "pidfd-getfd", "ptrace", "vm-read", "vm-write")


class Client:
    """A client that asks the hostile worker for one attack."""

    def __init__(self, where, path):
        self.sock = socket.create_connection(where, timeout=15)
        self.port = self.sock.getsockname()[1]
        self.text = b""
        self.sock.sendall(b"GET /attack/%s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % path.encode())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def more(self):
        try:
            data = self.sock.recv(65536)
        except ConnectionResetError:
            data = b""
        self.text += data
        return bool(data)

    def line(self, at):
        """The line with that number, when it has come."""
        while self.text.count(b"\n") <= at:
            assert self.more(), "ended early: %r" % self.text
        return self.text.decode(errors="replace").split("\n")[at]

    def all(self):
        while self.more():
            pass
        return self.text.decode(errors="replace").splitlines()

    def echo(self, data=b"ping"):
        """On an `echo` session: how long an answer took."""
        had, began = len(self.text), time.monotonic()
        self.sock.sendall(data)
        while len(self.text) < had + len(data):
            assert self.more(), "the echo session is gone"
        assert self.text[had:] == data
        return time.monotonic() - began


class Hostile(suite.SuiteCase):
    seconds = 180
    worker = HOSTILE
    more_args = ()

    @classmethod
    def setUpClass(cls):
        cls.allowed = targets.Echo()
        cls.victim = targets.Sink()
        cls.allowed.__enter__()
        cls.victim.__enter__()
        cls.rules = suite.policy({"open": suite.grant(
            allow=[suite.to("127.0.0.1:%d" % cls.allowed.port)], explain=True,
            limits={"channels": 2})})
        cls.args = ("--worker", cls.worker) + cls.more_args
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.allowed.__exit__()
        cls.victim.__exit__()

    def ask(self, name, pid=0, **more):
        more.update(port=self.allowed.port, victim=self.victim.port, pid=pid)
        return Client(self.suite.address, "%s%s%s" % (
            name, "&" if "?" in name else "?", "&".join("%s=%s" % one for one in more.items())))

    def go(self, name, pid=0, **more):
        """All that the client heard, and the session's last record."""
        with self.ask(name, pid, **more) as client:
            return client.all(), self.end_of(client)

    def end_of(self, client):
        return self.suite.wait_record("session-end",
                                      session=self.suite.session_at(client.port))

    def bystander(self):
        """Another session, which must still be served at the end of a test."""
        client = self.ask("echo")
        self.addCleanup(client.sock.close)
        client.line(0)
        client.echo()
        self.addCleanup(client.echo)
        return client

    def sessions(self, count):
        return self.suite.wait_sessions(count)

    def steady(self):
        """Pids that must be the same at the end of a test."""
        before = {role: self.suite.pid(role) for role in ("broker", "listener", "auditor")}
        self.addCleanup(lambda: self.assertEqual(
            before, {role: self.suite.pid(role) for role in before}))
        return before


class Sandbox(Hostile):
    def killed(self, name, **more):
        lines, end = self.go(name, **more)
        plain = name.split("?")[0]
        self.assertEqual(end.get("signal"), signal.SIGSYS, (lines, end))
        self.assertEqual(end["reason"], "worker-crashed")
        self.assertEqual(lines[:1], ["%s: 0 " % plain])
        self.assertEqual(len(lines), 1 + SAYS_BEFORE.get(plain, 0), lines)

    def test_each_attack_ends_its_own_session(self):
        self.steady()
        self.bystander()
        # UDP is judged like TCP, and this grant has none: no such socket is to be had.
        for name in [name for name in KILLS if not name.startswith("udp-")]:
            with self.subTest(attack=name):
                self.killed(name, pid=1)
        self.assertEqual(self.victim.seen, [])

    def test_no_process_of_the_suite_can_be_touched(self):
        self.steady()
        with self.ask("hold?ms=60000") as held:
            held.line(1)
            pids = {"broker": self.suite.pid("broker"), "listener": self.suite.pid("listener"),
                    "sibling": self.sessions(1)[0]}
            for role, pid in pids.items():
                for name in NOBODY_DIES:
                    with self.subTest(attack=name, target=role):
                        self.killed(name, pid=pid)
            self.assertIsNotNone(suite.status_of(pids["sibling"]))

    def test_files_and_interfaces_are_refused(self):
        lines, end = self.go("files")
        self.assertNotIn("signal", end)
        self.assertEqual(len(lines), 12)
        for line in lines[1:-1]:
            self.assertTrue(line.endswith(": -1 EACCES"), line)
        lines, _ = self.go("client-interfaces")
        self.assertIn("SIOCGIFCONF: -1 ENOTTY", lines)

    def test_inventory_from_inside(self):
        lines, _ = self.go("inventory")
        self.assertEqual(lines, ["inventory: 0 ", "descriptor: 0 ", "descriptor: 1 ",
                                 "descriptor: 2 ", "others: 0 ", "end: 0 "])

    @tap.needs_root
    def test_inventory_from_outside(self):
        with self.ask("hold?ms=60000") as held:
            held.line(1)
            pid = self.sessions(1)[0]
            status = suite.status_of(pid)
            kinds = sorted(re.sub(r":.*", "", os.readlink("/proc/%d/fd/%s" % (pid, fd)))
                           for fd in os.listdir("/proc/%d/fd" % pid))
            with open("/proc/%d/limits" % pid) as file:
                limits = file.read()
            with open("/proc/%d/environ" % pid, "rb") as file:
                environ = file.read()
            net = os.readlink("/proc/%d/ns/net" % pid)
        self.assertEqual(kinds, ["/dev/null"] * 3 + ["socket"] * 2)
        # The bounding set is systemd's: under no_new_privs it has nothing to bound.
        for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            self.assertEqual(int(status[name].strip(), 16), 0, name)
        self.assertEqual(status["NoNewPrivs"].strip(), "1")
        self.assertEqual(status["Seccomp"].strip(), "2")
        self.assertNotIn("0", status["Uid"].split())
        self.assertEqual(status["Threads"].strip(), "1")
        self.assertEqual(environ, b"")
        self.assertNotEqual(net, os.readlink("/proc/self/ns/net"))
        for name, most in (("core file size", 0), ("file size", 0), ("open files", 1024),
                           ("address space", 256 << 20)):
            self.assertRegex(limits, r"Max %s +%d +%d " % (name, most, most))

    @tap.needs_root
    def test_no_session_holds_what_is_another_ones(self):
        secrets = [b"marker-of-session-%d-%d" % (i, os.getpid()) for i in range(2)]
        with self.ask("hold?ms=60000&%s" % secrets[0].decode()) as one:
            one.line(1)
            first = self.sessions(1)[0]
            with self.ask("hold?ms=60000&%s" % secrets[1].decode()) as two:
                two.line(1)
                second = [pid for pid in self.sessions(2) if pid != first][0]
                template = self.suite.template()
                self.assertEqual(self.found(first, secrets), [True, False])
                self.assertEqual(self.found(second, secrets), [False, True])
                self.assertEqual(self.found(template, secrets), [False, False])

    @staticmethod
    def found(pid, secrets):
        """Which of them are in that process's memory."""
        memory = b""
        with open("/proc/%d/maps" % pid) as maps, open("/proc/%d/mem" % pid, "rb", 0) as file:
            for line in maps:
                if " rw-p " not in line:
                    continue
                start, end = (int(one, 16) for one in line.split()[0].split("-"))
                file.seek(start)
                memory += file.read(end - start)
        return [secret in memory for secret in secrets]


@unittest.skipUnless(os.geteuid() == 0, "needs root")
class SandboxByExec(Sandbox):
    """The same where each session is an exec of its own."""

    more_args = ("--spawn", "exec")

    def sessions(self, count):
        """There is no template: each worker is a session."""
        def there():
            found = self.suite.processes("worker")
            return found if len(found) == count else None
        return suite.wait_for(there, 10, "%d session processes" % count)

    def test_no_session_holds_what_is_another_ones(self):
        """Nor a layout: each session has its own."""
        with self.ask("hold?ms=60000") as one, self.ask("hold?ms=60000") as two:
            one.line(1), two.line(1)
            maps = []
            for pid in self.sessions(2):
                with open("/proc/%d/maps" % pid) as file:
                    maps.append(file.readline().split("-")[0])
        self.assertNotEqual(maps[0], maps[1])


class Messages(Hostile):
    WRONG = ("too-short", "trailing", "too-large", "one-byte", "unknown-type", "wrong-channel",
             "wrong-way", "record-forged", "open-before-auth", "auth-twice", "text-unended",
             "text-behind-its-end")

    def test_each_violation_ends_its_own_session(self):
        self.steady()
        self.bystander()
        for name in self.WRONG:
            with self.subTest(message=name):
                lines, end = self.go(name)
                self.assertEqual(end["reason"], "protocol-violation", lines)
                # It may be gone before it can say that its channel is.
                self.assertNotIn("still open", "".join(lines))

    def test_a_forged_record_is_no_record(self):
        before = len(self.suite.records())
        self.go("record-forged")
        events = [one["event"] for one in self.suite.records()[before:]]
        self.assertNotIn("granted", events)

    def test_a_denied_destination_is_not_reached(self):
        lines, _ = self.go("replayed")
        self.assertEqual(len([one for one in lines if one.startswith("REFUSED")]), 4, lines)
        self.assertEqual(self.victim.seen, [])

    def test_another_sessions_stream_is_out_of_reach(self):
        with self.ask("stream-hold") as held:
            stream = int(held.line(1).split()[1])
            self.go("foreign-stream", stream=max(stream - 2, 0))
            held.sock.sendall(b"x")
            self.assertEqual(held.line(2), "echo: 1 ")

    def test_a_kept_copy_is_dead(self):
        lines, end = self.go("kept-copy")
        facts = dict(line.split(": ", 1) for line in lines)
        self.assertEqual(facts["write before END"], "2 ")
        self.assertIn(facts["write after END"], ("-1 EPIPE", "-1 ECONNRESET"))
        self.assertEqual(facts["another stream"], "1 ", "the slot is free after the shutdown")
        self.assertEqual(len(self.suite.records("stream-end", end["session"])), 2)

    def test_a_flood_is_heard_at_its_share(self):
        self.steady()
        other = self.bystander()
        calm = statistics.quantiles([other.echo() for _ in range(200)], n=100)[98]
        with self.ask("flood") as client:
            client.line(0)
            times = []
            while time.monotonic() and len(times) < 400:
                times.append(other.echo())
            client.all()
            end = self.end_of(client)
        stormy = statistics.quantiles(times, n=100)[98]
        print("# echo p99: calm %.2f ms, under the flood %.2f ms" % (calm * 1e3, stormy * 1e3))
        self.assertNotEqual(end.get("reason"), "protocol-violation")
        refused = self.suite.records("refused", session=end["session"])
        self.assertGreater(len(refused), 0)
        self.assertLess(len(refused), 5000, "each refusal takes of the session's share")
        self.assertLess(stormy, max(2 * calm, 0.1))
        self.assertEqual(self.victim.seen, [])


class NoFilter(Hostile):
    """Filter off: what the broker, the listener's own confinement and Landlock do alone."""

    worker = NO_FILTER
    untouchable = ("broker", "listener")

    def descriptors_of(self, role):
        return len(os.listdir("/proc/%d/fd" % self.suite.pid(role)))

    @tap.needs_root
    def test_descriptors_reach_nobody(self):
        self.steady()
        self.bystander()
        before = self.descriptors_of("broker")
        _, end = self.go("descriptors")
        self.assertEqual(end["reason"], "protocol-violation")
        suite.wait_for(lambda: self.descriptors_of("broker") <= before, 5, "all closed again")

    def test_no_process_of_the_suite_can_be_touched(self):
        before = self.steady()
        for role in self.untouchable:
            for name in NOBODY_DIES:
                with self.subTest(attack=name, target=role):
                    lines, _ = self.go(name, pid=before[role])
                    self.assertRegex(lines[-2], r": -1 (EPERM|EACCES|EBADF)")

    def test_the_victim_is_not_reached(self):
        for name in ("client-reconnect", "stream-reconnect", "stream-connect"):
            with self.subTest(attack=name):
                lines, _ = self.go(name)
                self.assertTrue(any(line.endswith("-1 EACCES") or line.endswith("-1 EISCONN")
                                    or line.endswith("-1 EPIPE") for line in lines) or
                                name == "client-reconnect", lines)
        self.assertEqual(self.victim.seen, [])


class NoConfine(NoFilter):
    """No confinement of its own at all: the worker still has what the listener has."""

    worker = NO_CONFINE
    untouchable = ("broker",)  # of another uid

    @tap.needs_root
    def test_the_listener_is_out_of_reach(self):
        """Of the same uid, and with no confinement of its own: but the filter that it
        inherits from the listener has no call that names a process."""
        before = self.suite.pid("listener")
        self.go_without_record("pidfd-signal", before)
        with self.ask("hold?ms=1") as client:
            client.all()
        self.assertEqual(self.suite.pid("listener"), before)
        self.assertIsNotNone(suite.status_of(before))

    def go_without_record(self, name, pid):
        with self.ask(name, pid) as client:
            client.all()


if __name__ == "__main__":
    sys.exit(tap.main())
