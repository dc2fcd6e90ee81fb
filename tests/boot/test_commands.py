#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""`sockward' beside systemd, with two tenants: which one is meant, and the drop-in of
`sockward policy units', which opens and closes what it says."""

import json
import sys
import os
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import booted
import suite
import tap
import targets
import wsclient
from suite import to

HOST = "127.0.0.1"
PORTS = {"demo": 8086, "second": 8090}
METADATA, INSIDE, OTHER = "169.254.169.254", "10.9.9.9", "10.9.9.10"
DROP_IN = "/etc/systemd/system/sockward-broker@%s.service.d/addresses.conf"


def rules(*more):
    return suite.policy({"open": suite.grant([to(HOST + ":*"), to(METADATA + ":80"),
                                              to(INSIDE + ":80"), *more], explain=True,
                                             limits={"connect_timeout": "1s"})})


def by_name(*more):
    return rules(to("localhost:*", private=True), *more)


@tap.needs_root
class Commands(unittest.TestCase):
    seconds = 120

    @classmethod
    def setUpClass(cls):
        cls.machine = booted.Machine().__enter__()
        try:
            for address in (METADATA, INSIDE, OTHER):
                cls.machine.run("ip", "address", "add", address + "/32", "dev", "lo")
            cls.machine.tenant("demo", rules())
            cls.machine.tenant("second", by_name(), port=PORTS["second"])
            for tenant in PORTS:
                assert cls.reached(tenant, HOST)
        except BaseException:
            cls.machine.__exit__()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.machine.__exit__()

    @classmethod
    def reached(cls, tenant, address):
        """Whether it is; what the policy refuses is no answer."""
        with targets.Echo(address=address, port=80) as echo:
            try:
                with wsclient.connect((HOST, PORTS[tenant]), echo.path()) as client:
                    client.send(b"x")
                    return client.recv_bytes(1) == b"x"
            except wsclient.Closed as closed:
                if closed.code != 4008:
                    raise
                return False

    def put(self, tenant):
        text = self.machine.run("sockward", "policy", "units", tenant).stdout
        self.machine.write(DROP_IN % tenant, text)
        self.machine.systemctl("daemon-reload")
        self.addCleanup(self.take_away, tenant)
        return [line for line in text.splitlines() if not line.startswith("#")]

    def take_away(self, tenant):
        self.machine.run("rm", "-f", DROP_IN % tenant)
        self.machine.systemctl("daemon-reload")

    def serving(self, tenant):
        """A reload has the authenticator started again."""
        suite.wait_for(lambda: self.machine.status(tenant)["state"] == "serving",
                       what="that it serves")

    def load(self, tenant, policy):
        before = self.machine.status(tenant)["generation"]
        self.machine.policy(tenant, policy)
        self.machine.systemctl("reload", "sockward@%s.service" % tenant)
        suite.wait_for(lambda: self.machine.status(tenant)["generation"] == before + 1,
                       what="the policy")
        self.serving(tenant)

    # --- the drop-in ------------------------------------------------------------------------

    def test_the_list_of_a_policy_by_addresses(self):
        unit = "sockward-broker@demo.service"
        pid = self.machine.pid(unit)
        self.assertFalse(self.reached("demo", METADATA))
        self.assertTrue(self.reached("demo", INSIDE))
        with targets.Echo(address=INSIDE, port=81) as far, \
                targets.Echo() as echo:
            self.load("demo", rules(to(INSIDE + ":81")))
            with wsclient.connect((HOST, PORTS["demo"]), far.path()) as open_before, \
                    wsclient.connect((HOST, PORTS["demo"]), echo.path()) as other:
                lines = self.put("demo")
                self.assertEqual(lines, ["[Service]", "IPAddressAllow=", "IPAddressDeny=any"] +
                                 ["IPAddressAllow=%s/32" % a for a in (HOST, METADATA, INSIDE)])
                for client in (open_before, other):
                    client.send(b"still there")
                    self.assertEqual(client.recv_bytes(11), b"still there")
        for address in (HOST, METADATA, INSIDE):
            self.assertTrue(self.reached("demo", address), address)
        # What a new policy allows waits for the new list.
        self.load("demo", rules(to(OTHER + ":80")))
        self.assertFalse(self.reached("demo", OTHER))
        self.put("demo")
        self.assertTrue(self.reached("demo", OTHER))
        self.load("demo", rules())
        self.put("demo")
        self.load("demo", rules(to(OTHER + ":80")))
        self.assertFalse(self.reached("demo", OTHER))
        self.assertEqual(self.machine.pid(unit), pid)

    def test_the_list_of_a_policy_by_names(self):
        self.assertFalse(self.reached("second", METADATA))
        self.assertEqual(self.put("second"), ["[Service]", "IPAddressAllow=%s/32" % METADATA])
        for address in (HOST, METADATA, INSIDE):
            self.assertTrue(self.reached("second", address), address)
        # Its neighbour is allowed by a rule that came later, and not by the list.
        self.machine.run("ip", "address", "add", "169.254.169.253/32", "dev", "lo")
        self.load("second", by_name(to("169.254.169.253:80")))
        self.assertFalse(self.reached("second", "169.254.169.253"))

    # --- which one --------------------------------------------------------------------------

    def sockward(self, *argv, user=None, env=(), status=0):
        as_user = ["setpriv", "--reuid", user, "--regid", "nogroup"] if user else []
        groups = ["--groups", "sockward"] if user == "games" else ["--clear-groups"]
        done = self.machine.run(*as_user, *(groups if user else []), "env", *env, "sockward",
                                *argv, check=False)
        self.assertEqual(done.returncode, status, (argv, done.stdout, done.stderr))
        return done

    def test_status_of_all(self):
        for name in PORTS:  # those of other tests
            suite.wait_for(lambda: self.machine.status(name)["sessions"] == 0)
        said = self.sockward("status").stdout.splitlines()
        self.assertEqual([line.split() for line in said],
                         [["--tenant", name, "serving", "0", "sessions"] for name in PORTS])
        told = [json.loads(line) for line in self.sockward("status", "--json").stdout.splitlines()]
        self.assertEqual([one["directory"] for one in told],
                         ["/run/sockward/" + name for name in PORTS])
        with targets.Hold() as hold, wsclient.connect((HOST, PORTS["second"]),
                                                      hold.path()) as client:
            client.recv_bytes(6)
            said = self.sockward("status").stdout.splitlines()
        self.assertEqual([line.split()[3] for line in said], ["0", "1"])

    def test_one_of_them(self):
        for how, env in ((["--tenant", "second"], ()), ([], ["SOCKWARD_TENANT=second"]),
                         (["--tenant", "second"], ["SOCKWARD_TENANT=demo"]),
                         (["--tenant", "second"], ["SOCKWARD_RUNTIME_DIR=/run/sockward/demo"]),
                         (["--runtime-dir", "/run/sockward/second"], ["SOCKWARD_TENANT=demo"])):
            with self.subTest(how=how, env=env):
                said = json.loads(self.sockward("status", "--json", *how, env=env).stdout)
                self.assertEqual(said["directory"], "/run/sockward/second")
        self.assertIn("sockward_up", self.sockward("metrics", "--tenant", "demo").stdout)
        self.assertIn("no suite is running in /run/sockward/third",
                      self.sockward("status", "--tenant", "third", status=1).stderr)
        self.assertIn("is no tenant", self.sockward("status", "--tenant", "../etc",
                                                    status=1).stderr)
        self.assertIn("not both", self.sockward("status", "--tenant", "demo", "--runtime-dir",
                                                "/run/sockward/demo", status=2).stderr)

    def test_who_must_say_which(self):
        for command in (["sessions"], ["kill", "5"], ["drain"], ["reload"], ["metrics"]):
            with self.subTest(command):
                said = self.sockward(*command, status=1).stderr
                self.assertEqual(said.splitlines()[1:], ["  --tenant demo", "  --tenant second"])

    def test_a_session_is_killed_by_its_tenant(self):
        with targets.Hold() as hold, wsclient.connect((HOST, PORTS["second"]),
                                                      hold.path()) as client:
            client.recv_bytes(6)
            number, = [one["session"] for one in json.loads(
                self.sockward("sessions", "--tenant", "second", "--json").stdout)]
            self.sockward("kill", "--tenant", "demo", str(number), status=1)
            self.sockward("kill", "--tenant", "second", str(number))
            with self.assertRaises(wsclient.Closed):
                client.recv()

    def test_who_may_ask(self):
        """Members of the group; others are told what they lack."""
        self.sockward("status", user="games")
        self.assertIn("in the group sockward", self.sockward("status", user="nobody",
                                                             status=1).stderr)

    def test_reload_names_the_unit(self):
        for name in PORTS:
            said = self.sockward("reload", "--tenant", name, status=1).stderr
            order = said.rsplit(": ", 1)[1].split()
            self.assertEqual(order, ["systemctl", "reload", "sockward@%s.service" % name])
            before = self.machine.status(name)["generation"]
            self.machine.run(*order)
            suite.wait_for(lambda: self.machine.status(name)["generation"] == before + 1,
                           what="the policy")
            self.serving(name)

    def test_the_trail_of_a_tenant(self):
        for name in PORTS:
            shown = self.sockward("audit", "show", "--tenant", name, "--event", "start").stdout
            self.assertIn(" start", shown)
            self.sockward("audit", "verify", "--tenant", name)
            by_environment = self.sockward("audit", "verify", env=["SOCKWARD_TENANT=" + name])
            self.assertIn("/var/log/sockward/%s/audit.jsonl: " % name, by_environment.stdout)
        self.sockward("audit", "verify", status=2)
        self.sockward("audit", "verify", "--tenant", "demo", "/etc/hosts", status=2)
        self.sockward("audit", "verify", "--tenant", "third", status=1)
        self.sockward("audit", "verify", "--tenant", "../demo", status=2)


if __name__ == "__main__":
    sys.exit(tap.main())
