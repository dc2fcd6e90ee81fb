#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""What an operator does to a tenant on a booted systemd, while it is used (cases 229 to 236,
as far as a service manager is in them)."""

import contextlib
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import suite
import tap
import wsclient
from suite import to
from used import DEMO, HOST, UNIT, Load, Used, rules


@tap.needs_root
class Operation(Used):
    seconds = 180

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
                self.assertEqual(load.wrong, [])

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
