#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""What an operator does to a tenant on a booted systemd, while it is used; and what
happens when a process is lost (cases 205 to 236, as far as a service manager is in them)."""

import contextlib
import os
import signal
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import booted
import suite
import tap
import targets
import wsclient
from suite import to

HOST = "127.0.0.1"
DEMO = (HOST, 8086)
UNIT = "sockward%s@demo.service"


def rules(**limits):
    return suite.policy({"open": suite.grant([to(HOST + ":*"), to("localhost:*", private=True)],
                                             explain=True,
                                             limits=dict({"sessions": 2000, "connects_per_minute":
                                                          0, "idle_timeout": 0}, **limits))},
                        limits={"sessions": 2000, "sessions_per_source": 2000})


class Load:
    """Sessions, one after the other, each an echo of a few bytes; with what went wrong."""

    def __init__(self, port, pause=0.0, host=HOST):
        self.path, self.pause = "/raw/%s/%d" % (host, port), pause
        self.done, self.wrong, self.over = 0, [], False
        self.thread = threading.Thread(target=self.loop, daemon=True)

    def loop(self):
        while not self.over:
            try:
                with wsclient.connect(DEMO, self.path, timeout=20) as client:
                    client.send(b"ping")
                    assert client.recv_bytes(4) == b"ping"
                    client.finish()
                self.done += 1
            except (OSError, wsclient.Gone, wsclient.Refused, wsclient.Closed,
                    AssertionError) as error:
                self.wrong.append(repr(error))
            time.sleep(self.pause)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over = True
        self.thread.join(30)

    def more(self, count=20):
        """Until so many more were served."""
        goal = self.done + count
        suite.wait_for(lambda: self.done >= goal, 30, "%d more sessions: %s" % (count,
                                                                              self.wrong[-1:]))


@tap.needs_root
class Operation(unittest.TestCase):
    seconds = 180

    @classmethod
    def setUpClass(cls):
        cls.machine = booted.Machine().__enter__()
        cls.echo = targets.Echo(backlog=1024)
        cls.echo.__enter__()
        try:
            cls.machine.tenant("demo", rules())
            cls.serves()
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.echo.__exit__()
        cls.machine.__exit__()

    @classmethod
    def serves(cls):
        with wsclient.connect(DEMO, cls.echo.path(), timeout=30) as client:
            client.send(b"serves")
            assert client.recv_bytes(6) == b"serves"

    def setUp(self):
        self.echo.most = 1 << 20

    def live(self):
        client = wsclient.connect(DEMO, self.echo.path(), timeout=30)
        client.near = client.sock.getsockname()[1]
        self.addCleanup(client.sock.close)
        self.still(client)
        return client

    def still(self, client):
        client.send(b"still there")
        self.assertEqual(client.recv_bytes(11), b"still there")

    def systemctl(self, verb, what="", **how):
        return self.machine.systemctl(verb, UNIT % what, **how)

    def generation(self):
        return self.machine.status("demo")["generation"]

    # --- the policy -------------------------------------------------------------------------

    def test_229_reloads_under_load(self):
        client = self.live()
        before = self.generation()
        with Load(self.echo.port) as load:
            for _ in range(20):
                self.systemctl("reload")
            load.more()
        self.assertEqual(load.wrong, [])
        self.still(client)
        suite.wait_for(lambda: self.generation() == before + 20, what="the last generation")
        last = 0
        for record in self.machine.records("demo", event="granted"):
            self.assertGreaterEqual(record["generation"], last)
            last = record["generation"]

    def test_230_what_is_not_sound_changes_nothing(self):
        client = self.live()
        before = self.generation()
        for text, word in (("{ broken", "error"), ("", "error"),
                           ('{"version": 1, "hosts": ["a.test"], "dialects": ["raw"], "grants": {'
                            '"a": {"auth": {"jwt": {"algorithm": "HS256", "key_file": "none.key",'
                            '"issuer": "i", "audience": "a"}}}}}', "none.key")):
            with self.subTest(word):
                self.machine.policy("demo", text)
                done = self.systemctl("reload", check=False)
                self.assertNotEqual(done.returncode, 0)
                said = "".join(entry["MESSAGE"] for entry in
                               self.machine.journal("-u", UNIT % "-check"))
                self.assertIn(word, said)
        os.unlink(self.machine.path("etc/sockward/demo.json"))
        self.assertNotEqual(self.systemctl("reload", check=False).returncode, 0)
        self.assertEqual(self.generation(), before)
        self.still(client)
        self.serves()
        # And who is restarted while it is broken has the one that was sound.
        self.systemctl("restart", "-authenticator")
        self.serves()
        self.machine.policy("demo", rules())
        self.systemctl("reload")
        suite.wait_for(lambda: self.generation() == before + 1, what="the new policy")

    def test_a_reload_that_is_about_the_auditor(self):
        """It is restarted when the policy wants another one of it, and not else."""
        first = self.machine.pid(UNIT % "-auditor")
        self.systemctl("reload")
        self.assertEqual(self.machine.pid(UNIT % "-auditor"), first)
        for sync in (True, False):
            self.machine.policy("demo", dict(rules(), audit={"sync": sync}))
            self.systemctl("reload")
            pid = self.machine.pid(UNIT % "-auditor")
            self.assertNotEqual(pid, first)
            self.assertEqual("--sync" in suite.argv_of(pid), sync)
            self.serves()
            first = pid
        self.machine.policy("demo", rules())

    def test_a_policy_that_does_not_fit_changes_nothing(self):
        """The disk is full, be it for the last of the files alone."""
        def files():
            return {name: self.machine.run("sha256sum", place + "/" + name).stdout
                    for name in ("text", "keys", "options", "image")}
        place = "/run/staged"
        self.machine.run("mkdir", "-m", "700", place)
        self.machine.run("mount", "-t", "tmpfs", "-o", "size=48k,mode=700", "none", place)
        try:
            stage = ["sockward", "policy", "stage", "/etc/sockward/demo.json", "-o", place]
            self.machine.run(*stage)
            before = files()
            for names in (200, 2000):  # the image, and the text before it
                self.machine.policy("demo", suite.policy({"open": suite.grant(
                    [to("h%d.test:80" % i) for i in range(names)])}))
                done = self.machine.run(*stage, check=False)
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn("no room for", done.stderr)
                self.assertEqual(files(), before)
        finally:
            self.machine.policy("demo", rules())
            self.machine.run("umount", place)

    def test_231_a_reload_withdraws_a_destination(self):
        self.machine.policy("demo", suite.policy({"open": suite.grant([to(HOST + ":1")],
                                                                      explain=True)}))
        self.systemctl("reload")

        def refused():
            try:
                wsclient.connect(DEMO, self.echo.path()).recv()
            except wsclient.Closed as closed:
                return closed.code == 4003
            return False
        suite.wait_for(refused, what="the refusal")
        self.machine.policy("demo", rules())
        self.systemctl("reload")
        suite.wait_for(self.is_served, what="the connection")

    # --- restarts ---------------------------------------------------------------------------

    def test_233_the_listener_restarts_under_load(self):
        """Nobody is refused, and who is there stays."""
        client = self.live()
        begun = time.monotonic()
        with contextlib.ExitStack() as stack:
            loads = [stack.enter_context(Load(self.echo.port)) for _ in range(4)]
            for _ in range(8):
                self.systemctl("restart")
                for load in loads:
                    load.more(20)
                self.still(client)
        served = sum(load.done for load in loads)
        print("# %d sessions in %.1f s, over eight restarts" % (served,
                                                                 time.monotonic() - begun))
        self.assertEqual([wrong for load in loads for wrong in load.wrong], [])

    def test_restarts_that_cost_a_delay(self):
        client = self.live()
        for helper in ("-resolver", "-authenticator", "-auditor"):
            with self.subTest(helper):
                with Load(self.echo.port, host="localhost") as load:
                    load.more(5)
                    del load.wrong[:]
                    self.systemctl("restart", helper)
                    self.still(client)
                    load.more(5)
                # What was asked in that very moment may be told that it is gone, no more.
                self.assertLessEqual(len(load.wrong), 3, load.wrong)

    def test_the_broker_restarts_and_its_sessions_end(self):
        client = self.live()
        before = [pid for pid in self.machine.workers("demo")]
        self.systemctl("restart", "-broker")
        with self.assertRaises((wsclient.Closed, wsclient.Gone)):
            while True:
                client.recv()
        opened = self.machine.records("demo", event="session-open")
        session = [r["session"] for r in opened if r["client_port"] == client.near][-1]
        end, = self.machine.wait_records("demo", event="session-end", session=session)
        self.assertEqual(end["reason"], "draining")
        self.serves()
        self.assertTrue(before)
        suite.wait_for(lambda: not self.left_open(), what="an end for each session")

    def left_open(self):
        opened = {r["session"] for r in self.machine.records("demo", event="session-open")}
        return opened - {r["session"] for r in self.machine.records("demo", event="session-end")}

    def test_the_service_manager_watches(self):
        """Each program says that it lives; one that hangs is replaced."""
        units = ("", "-broker", "-resolver", "-authenticator", "-auditor")
        for unit in units:
            self.machine.write("etc/systemd/system/%s.d/watch.conf" % (UNIT % unit),
                               "[Service]\nWatchdogSec=7\n")
        self.machine.systemctl("daemon-reload")
        self.machine.systemctl("restart", *[UNIT % unit for unit in units])
        self.serves()
        pids = {unit: self.machine.pid(UNIT % unit) for unit in units}
        time.sleep(16)  # two of its times, and more: whoever says nothing is killed by then
        self.assertEqual({unit: self.machine.pid(UNIT % unit) for unit in units}, pids)
        for pid in pids.values():
            os.kill(pid, signal.SIGSTOP)
        for unit, pid in pids.items():
            suite.wait_for(lambda: self.machine.pid(UNIT % unit) not in (0, pid), 40,
                           "another " + unit)
        suite.wait_for(self.is_served, 20, what="service")
        for unit in units:
            os.unlink(self.machine.path("etc/systemd/system/%s.d/watch.conf" % (UNIT % unit)))
        self.machine.systemctl("daemon-reload")

    def is_served(self):
        try:
            self.serves()
        except (OSError, wsclient.Closed, wsclient.Gone):
            return False
        return True

    # --- what is killed ---------------------------------------------------------------------

    def kill(self, what):
        pid = self.machine.pid(UNIT % what)
        os.kill(pid, signal.SIGKILL)
        suite.wait_for(lambda: self.machine.pid(UNIT % what) not in (0, pid), 20, "its successor")

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

    # --- the end ------------------------------------------------------------------------------

    def test_zz_232_the_tenant_drains_and_stops(self):
        """Clients are told; nothing is left; it can be started again."""
        client = self.live()
        self.machine.systemctl("stop", "sockward@demo.target")
        with self.assertRaises(wsclient.Closed) as closed:
            while True:
                client.recv()
        self.assertEqual(closed.exception.code, 1001)
        left = self.machine.run("pgrep", "-a", "sockward", check=False).stdout
        self.assertEqual(left, "")
        self.assertEqual(self.left_open(), set())
        with self.assertRaises(ConnectionRefusedError):
            wsclient.connect(DEMO, self.echo.path())
        self.assertEqual(self.machine.records("demo")[-1]["event"], "stop")
        self.machine.systemctl("start", "sockward@demo.socket")
        self.serves()


if __name__ == "__main__":
    sys.exit(tap.main())
