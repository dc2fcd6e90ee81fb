#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Orders of a person: status, sessions, kill, drain, signals; cases 232, 236."""

import json
import os
import signal
import socket
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import story
import suite
import tap
import targets
import wsclient

RULES = suite.policy({"open": suite.grant(explain=True),
                      "key": suite.grant(auth=suite.tokens(suite.TOKEN))})


class Control(suite.SuiteCase):
    rules = RULES

    def json(self, *args):
        done = self.suite.control(*args, "--json")
        self.assertIn(done.returncode, (0, 3), done.stderr)
        return json.loads(done.stdout)

    def test_status(self):
        self.suite.wait_sessions(0)  # those of other tests
        before = suite.wait_for(lambda: [now for now in [self.json("status")]
                                         if now["sessions"] == 0])[0]
        self.assertEqual(before["state"], "serving")
        self.assertEqual(before["generation"], 1)
        for role in ("listener", "resolver", "authenticator", "auditor"):
            self.assertTrue(before[role], role)
        with targets.Hold() as target, self.suite.connect(target.path()) as client:
            client.recv_bytes(6)
            now = self.json("status")
            self.assertEqual(now["sessions"], before["sessions"] + 1)
            client.finish()
        suite.wait_for(lambda: self.json("status")["sessions"] == before["sessions"])
        after = self.json("status")
        self.assertEqual(after["sessions_total"], before["sessions_total"] + 1)
        text = self.suite.control("status", check=True).stdout
        self.assertIn("serving", text)

    def test_status_when_something_is_amiss(self):
        pid = self.suite.pid("resolver")
        os.kill(pid, signal.SIGKILL)
        suite.wait_for(lambda: [p for p in self.suite.processes("resolver") if p != pid])
        suite.wait_for(lambda: self.suite.control("status").returncode == 0)

    def test_sessions_and_kill(self):
        with targets.Hold() as target, self.suite.connect(target.path()) as client, \
                self.suite.connect(target.path()) as other:
            client.recv_bytes(6)
            other.recv_bytes(6)
            own = "%s:%d" % client.sock.getsockname()
            row = [r for r in self.json("sessions") if r["client"] == own][0]
            self.assertEqual(row["state"], "open")
            self.assertIn(row["worker"], self.suite.sessions())
            self.assertIn(str(row["session"]), self.suite.control("sessions").stdout)
            self.suite.control("kill", row["session"], check=True)
            try:
                self.assertEqual(client.recv_close()[0], 1001)
            except wsclient.Gone:
                pass
            self.suite.wait_record("session-end", reason="killed")
            other.send(b"x")
            self.assertEqual(len([r for r in self.json("sessions")
                                  if r["client"] == "%s:%d" % other.sock.getsockname()]), 1)
            other.finish()

    def test_kill_what_is_not_there(self):
        done = self.suite.control("kill", "12345678901234")
        self.assertEqual(done.returncode, 1)
        self.assertTrue(done.stderr)
        self.assertEqual(self.suite.control("kill", "x").returncode, 2)
        self.assertEqual(self.suite.control("kill").returncode, 2)

    def test_nobody_there(self):
        done = suite.sockward("status", "--runtime-dir", self.suite.directory)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no suite is running", done.stderr)

    def test_garbage_on_the_control_socket(self):
        for data in (b"", b"x", bytes(4), b"\xff" * 4, bytes(100000), os.urandom(64)):
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            sock.connect(os.path.join(self.suite.runtime, "control.sock"))
            sock.settimeout(5)
            try:
                sock.send(data)
            except OSError:
                pass
            sock.close()
        self.suite.control("status", check=True)

    @tap.needs_root
    def test_others_may_not_connect(self):
        def child(path):
            pid = os.fork()
            if pid == 0:
                try:
                    os.setgroups([])
                    os.setresgid(65534, 65534, 65534)
                    os.setresuid(65534, 65534, 65534)
                    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                    sock.connect(path)
                    os._exit(0)
                except PermissionError:
                    os._exit(13)
                except BaseException:
                    os._exit(1)
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        for name in ("control", "status", "metrics", "broker", "resolver", "authenticator",
                     "auditor"):
            with self.subTest(name):
                self.assertEqual(child(os.path.join(self.suite.runtime, name + ".sock")), 13)


class Ends(unittest.TestCase):
    seconds = 90

    def test_232_drain_by_command(self):
        with targets.Hold() as target, suite.Suite(RULES) as one:
            client = one.connect(target.path())
            client.recv_bytes(6)
            one.control("drain", "--deadline", "5s", check=True)
            with client:
                code, reason = client.recv_close()
                self.assertIn(code, (1001, 1012))
                self.assertIn("draining", reason)
                client.close(code)
            self.assertEqual(one.process.wait(20), 0)
            one.stop()
            story.check(one.records())
            with self.assertRaises(OSError):
                wsclient.Client(one.address)

    def test_232_drain_cuts_at_its_deadline(self):
        """A client that does not answer is not waited for without end."""
        with targets.Endless() as target, suite.Suite(RULES) as one:
            with wsclient.connect(one.address, target.path(), rcvbuf=4096):
                began = time.monotonic()
                one.control("drain", "--deadline", "1s", check=True)
                self.assertEqual(one.process.wait(30), 0)
                self.assertLess(time.monotonic() - began, 25)
            one.stop()
            story.check(one.records())

    def test_sigterm_with_sessions(self):
        with targets.Hold() as target, suite.Suite(RULES) as one:
            clients = [one.connect(target.path()) for _ in range(5)]
            for client in clients:
                client.recv_bytes(6)
            one.process.send_signal(signal.SIGTERM)
            for client in clients:
                with client:
                    self.assertEqual(client.recv_close()[0], 1001)
                    client.close(1001)
                    self.assertTrue(client.gone())
            self.assertEqual(one.process.wait(20), 0)
            one.stop()
            sessions, _ = story.check(one.records())
            self.assertEqual(len(sessions), 5)
            events = [r["event"] for r in one.records()]
            self.assertEqual((events[0], events[-1]), ("start", "stop"))

    def test_212_helpers_die_during_the_drain(self):
        """They are started again: what ends after that needs them, to be put on record."""
        roles = ("auditor", "resolver", "authenticator")
        with targets.Hold() as target, suite.Suite(RULES) as one:
            clients = [one.connect(target.path()) for _ in range(3)]
            for client in clients:
                client.recv_bytes(6)
            old = {role: one.pid(role) for role in roles}
            one.process.send_signal(signal.SIGTERM)
            for client in clients:
                self.assertEqual(client.recv_close()[0], 1001)
            for role in roles:
                os.kill(old[role], signal.SIGKILL)
            for role in roles:
                suite.wait_for(lambda: [p for p in one.processes(role) if p != old[role]],
                               what="another " + role)
            for client in clients:
                with client:
                    client.close(1001)
                    self.assertTrue(client.gone())
            self.assertEqual(one.process.wait(20), 0)
            one.stop()
            sessions, streams = story.check(one.records())
            self.assertEqual((len(sessions), len(streams)), (3, 3))
            self.assertEqual(one.records()[-1]["event"], "stop")

    def test_209_the_broker_dies_during_the_drain(self):
        """Its sessions end with it. Another one comes, so that this is on record."""
        with targets.Hold() as target, suite.Suite(RULES) as one:
            clients = [one.connect(target.path()) for _ in range(3)]
            for client in clients:
                client.recv_bytes(6)
            broker = one.pid("broker")
            one.process.send_signal(signal.SIGTERM)
            for client in clients:
                self.assertEqual(client.recv_close()[0], 1001)
            os.kill(broker, signal.SIGKILL)
            for client in clients:
                with client:
                    self.assertTrue(client.gone())
            self.assertEqual(one.process.wait(20), 0)
            one.stop()
            sessions, _ = story.check(one.records())
            self.assertEqual([end["reason"] for end in sessions.values()], ["broker-lost"] * 3)

    def test_212_the_auditor_dies_after_the_drain(self):
        """While the broker ends, with records that are stored nowhere yet."""
        with targets.Hold() as target, suite.Suite(RULES) as one:
            client = one.connect(target.path())
            client.recv_bytes(6)
            auditor = one.pid("auditor")
            os.kill(auditor, signal.SIGSTOP)
            one.process.send_signal(signal.SIGTERM)
            with client:
                self.assertEqual(client.recv_close()[0], 1001)
                client.close(1001)
                self.assertTrue(client.gone())
            suite.wait_for(lambda: not one.processes("listener"), what="the listener's end")
            self.assertEqual(one.records("session-end"), [])
            os.kill(auditor, signal.SIGKILL)
            self.assertEqual(one.process.wait(20), 0)
            one.stop()
            sessions, _ = story.check(one.records())
            self.assertEqual(len(sessions), 1)
            self.assertEqual(one.records()[-1]["event"], "stop")

    def test_236_a_second_sigterm(self):
        with targets.Endless() as target:
            one = suite.Suite(RULES)
            one.start()
            with wsclient.connect(one.address, target.path(), rcvbuf=4096):
                began = time.monotonic()
                one.process.send_signal(signal.SIGTERM)
                time.sleep(0.3)
                one.process.send_signal(signal.SIGTERM)
                code = one.process.wait(30)
                self.assertLess(time.monotonic() - began, 8)
            self.assertIn(code, (0, 1))
            self.assertEqual(one.left_over(), [])
            one.forget()
            one.verify()

    def test_sigint_and_sighup(self):
        with suite.Suite(RULES) as one:
            one.process.send_signal(signal.SIGHUP)
            suite.wait_for(lambda: len(one.records("policy")) >= 2)
            one.process.send_signal(signal.SIGINT)
            self.assertEqual(one.process.wait(20), 0)

    def test_what_is_left_of_a_killed_suite(self):
        """kill -9 of `sockward run` ends everything, and the next start cleans up."""
        one = suite.Suite(RULES)
        one.start()
        client = one.connect("/netproxy")
        one.wait_record("authenticated")
        one.process.kill()
        one.process.wait()
        with client:
            try:
                client.recv_close()
            except wsclient.Gone:
                pass
        self.assertEqual(one.left_over(), [])
        one.forget()
        one.ready = b""
        one.start()
        with one.connect("/netproxy") as client:
            client.finish()
        one.stop()
        sessions, _ = story.check(one.records())
        self.assertEqual(len(sessions), 2)

    def test_two_addresses_and_ipv6(self):
        one = suite.Suite(RULES, listen="[::1]:0")
        with targets.Echo() as target, one:
            with one.connect(target.path()) as client:
                client.send(b"x")
                self.assertEqual(client.recv_bytes(1), b"x")
                client.finish()
            self.assertEqual(one.wait_record("session-open")["client"], "::1")

    def test_spawn_by_exec(self):
        with targets.Echo() as target, suite.Suite(RULES, args=["--spawn=exec"]) as one:
            for _ in range(3):
                with one.connect(target.path()) as client:
                    client.send(b"x")
                    self.assertEqual(client.recv_bytes(1), b"x")
                    workers = one.processes("worker")
                    self.assertEqual([suite.argv_of(pid)[1] for pid in workers], ["--session"])
                    client.finish()

    def test_wrong_use(self):
        with suite.tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(RULES, file)
            file.flush()
            for args in ((), ("--listen", "127.0.0.1:0"), ("--policy", file.name),
                         ("--listen", "localhost:0", "--policy", file.name),
                         ("--listen", "127.0.0.1:99999", "--policy", file.name),
                         ("--listen", "127.0.0.1:0", "--policy", file.name, "--spawn=no"),
                         ("--listen", "127.0.0.1:0", "--policy", file.name, "more")):
                with self.subTest(args):
                    self.assertEqual(suite.sockward("run", *args).returncode, 2)
            done = suite.sockward("run", "--listen", "127.0.0.1:0", "--policy", "/nowhere.json")
            self.assertEqual(done.returncode, 1)
            self.assertIn("/nowhere.json", done.stderr)


if __name__ == "__main__":
    sys.exit(tap.main())
