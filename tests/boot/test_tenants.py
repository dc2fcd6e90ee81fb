#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Two tenants on a booted systemd: who they are, what they cannot, what is on record."""

import json
import os
import re
import socket
import sys
import unittest
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import booted
import openmetrics
import suite
import tap
import targets
import wsclient
from suite import to

HOST = "127.0.0.1"
DEMO, SECOND = (HOST, 8086), (HOST, 8090)
PROGRAMS = {"listen": "sockward@%s.service", "broker": "sockward-broker@%s.service",
            "names": "sockward-resolver@%s.service", "auth": "sockward-authenticator@%s.service",
            "audit": "sockward-auditor@%s.service"}
CONNECT = """import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
try:
    s.connect(sys.argv[1])
    print("in")
except OSError as error:
    print(type(error).__name__)
"""
SECRET = "a-secret-of-demo-0123456789abcdef0123456789"


def rules(**more):
    grants = {"open": suite.grant([to(HOST + ":*"), to("localhost:*", private=True),
                                   to("169.254.169.254:80")], explain=True,
                                  limits={"connect_timeout": "1s"}),
              "key": suite.grant([to(HOST + ":*")], auth=dict(
                  suite.tokens(suite.TOKEN), jwt={"algorithm": "HS256", "key_file": "demo.key",
                                                  "issuer": "i", "audience": "a"}))}
    return suite.policy(grants, **more)


@tap.needs_root
class Tenants(unittest.TestCase):
    seconds = 120

    @classmethod
    def setUpClass(cls):
        cls.machine = booted.Machine().__enter__()
        try:
            cls.machine.write("etc/sockward/demo.key", SECRET + "\n", 0o600)
            cls.machine.tenant("demo", rules())
            cls.machine.tenant("second", suite.policy({"open": suite.grant()}), port=SECOND[1])
            # The first client starts all of it, and is served.
            for address in (DEMO, SECOND):
                with targets.Echo() as echo, wsclient.connect(address, echo.path()) as client:
                    client.send(b"first")
                    assert client.recv_bytes(5) == b"first"
        except BaseException:
            cls.machine.__exit__()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.machine.__exit__()

    def pids(self, tenant):
        return {role: self.machine.pid(unit % tenant) for role, unit in PROGRAMS.items()}

    def test_each_program_of_each_tenant_has_its_uid(self):
        uids = {}
        with open(self.machine.path("etc/passwd")) as file:
            known = dict((line.split(":")[0], line.split(":")[2]) for line in file)
        for tenant in ("demo", "second"):
            for role, pid in self.pids(tenant).items():
                facts = suite.status_of(pid)
                self.assertEqual(set(facts["Uid"].split()), {known["sw-%s-%s" % (tenant, role)]})
                self.assertNotIn("0", facts["Uid"].split() + facts["Gid"].split())
                uids[tenant, role] = facts["Uid"]
        self.assertEqual(len(set(uids.values())), 10)

    def test_nothing_is_shared(self):
        demo, second = self.pids("demo"), self.pids("second")
        self.assertFalse(set(demo.values()) & set(second.values()))
        for tenant in ("demo", "second"):
            for unit in PROGRAMS.values():
                group = self.machine.show(unit % tenant, "ControlGroup")
                self.assertTrue(group.startswith("/sockward.slice/sockward-%s.slice/" % tenant))

    def test_what_they_have_lost(self):
        inside = os.readlink("/proc/%d/ns/net" % self.machine.leader)
        for tenant in ("demo", "second"):
            pids = self.pids(tenant)
            for role, pid in pids.items():
                with self.subTest(tenant=tenant, role=role):
                    facts = suite.status_of(pid)
                    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
                        self.assertEqual(int(facts[name], 16), 0, name)
                    self.assertEqual((facts["NoNewPrivs"], facts["Seccomp"]), ("1", "2"))
                    network = os.readlink("/proc/%d/ns/net" % pid)
                    self.assertEqual(network == inside, role in ("broker", "names"))
            networks = {role: os.readlink("/proc/%d/ns/net" % pid) for role, pid in pids.items()}
            self.assertEqual(len({networks[role] for role in ("listen", "auth", "audit")}), 3)

    def test_workers_too(self):
        with targets.Hold() as hold, wsclient.connect(DEMO, hold.path()) as client:
            client.recv_bytes(6)
            listener = self.machine.pid(PROGRAMS["listen"] % "demo")
            found = self.machine.workers("demo")
            self.assertGreaterEqual(len(found), 2)  # a template, and this session's
            for pid in found:
                facts, its = suite.status_of(pid), suite.status_of(listener)
                self.assertEqual(facts["Uid"], its["Uid"])
                self.assertEqual(int(facts["CapBnd"], 16) | int(facts["CapEff"], 16), 0)
                self.assertGreater(int(facts["Seccomp_filters"]), int(its["Seccomp_filters"]))
                self.assertEqual(os.readlink("/proc/%d/ns/net" % pid),
                                 os.readlink("/proc/%d/ns/net" % listener))

    def test_who_may_connect_to_whom(self):
        """A door is its visitor's alone: nobody else of the tenant, nor of another one."""
        asks = [("sw-demo-listen", "broker", True), ("sw-demo-broker", "auditor", True)] + [
            (user, door, False) for door, mine in (("broker", "listen"), ("resolver", "broker"),
                                                   ("authenticator", "broker"),
                                                   ("auditor", "broker"), ("control", "root"))
            for user in ["sw-demo-" + role for role in booted.ROLES if role != mine] +
            ["sw-second-listen", "sw-second-broker", "nobody"]]
        for user, door, opens in asks:
            with self.subTest(user=user, door=door):
                said = self.machine.run("setpriv", "--reuid", user, "--regid", user
                                        if user != "nobody" else "nogroup", "--clear-groups",
                                        "python3", "-c", CONNECT,
                                        "/run/sockward/demo/%s.sock" % door).stdout.strip()
                self.assertEqual(said, "in" if opens else "PermissionError")

    def test_secrets_are_the_authenticators(self):
        """The key is in no process's files but its own, and in no log."""
        for path, users in (("/etc/sockward/demo.json", booted.ROLES),
                            ("/etc/sockward/demo.key", booted.ROLES),
                            ("/run/sockward-policy/demo/keys", booted.ROLES),
                            ("/run/sockward-policy/demo/text", booted.ROLES),
                            ("/run/credentials/sockward-authenticator@demo.service/keys",
                             [role for role in booted.ROLES if role != "auth"])):
            self.machine.run("test", "-s", path)
            for role in users:
                with self.subTest(path=path, role=role):
                    user = "sw-demo-" + role
                    done = self.machine.run("setpriv", "--reuid", user, "--regid", user,
                                            "--clear-groups", "cat", path, check=False)
                    self.assertNotEqual(done.returncode, 0)
        said = self.machine.run("journalctl", "--no-pager", "-o", "export").stdout
        for word in (SECRET, suite.TOKEN):
            self.assertNotIn(word, said)

    def test_one_session_is_told_whole_by_the_journal(self):
        with targets.Echo() as echo:
            with wsclient.connect(DEMO, echo.path()) as client:
                client.send(b"x" * 1000)
                client.recv_bytes(1000)
                client.finish()
            end = self.machine.wait_records("demo", event="stream-end", peer_port=echo.port)[0]
        session = end["session"]
        self.machine.wait_records("demo", event="session-end", session=session)

        def whole():
            found = self.machine.journal("SOCKWARD_SESSION=" + session)
            return found if len(found) == 5 else None
        found = suite.wait_for(whole, what="the journal's five")
        self.assertEqual([entry["SOCKWARD_EVENT"] for entry in found],
                         ["session-open", "authenticated", "granted", "stream-end", "session-end"])
        for entry, record in zip(found, self.machine.records("demo", session=session)):
            self.assertEqual(entry["_SYSTEMD_UNIT"], "sockward-auditor@demo.service")
            for name, value in record.items():
                self.assertEqual(entry["SOCKWARD_" + name.upper()], str(value))
        self.assertEqual(found[3]["SOCKWARD_BYTES_UP"], "1000")

    def test_the_second_wall_holds(self):
        """The policy may name the metadata service: the unit does not let it be reached."""
        self.machine.run("ip", "address", "add", "169.254.169.254/32", "dev", "lo")
        with targets.Echo(address="169.254.169.254", port=80) as service:
            with self.assertRaises(wsclient.Closed) as closed:
                wsclient.connect(DEMO, "/raw/169.254.169.254/80").recv()
            self.assertFalse(service.seen)
            # Who is not behind the wall is let through.
            with socket.create_connection(("169.254.169.254", 80), 10) as other:
                other.sendall(b"x")
                self.assertEqual(other.recv(1), b"x")
        self.assertEqual(closed.exception.code, 4008, closed.exception.reason)
        self.machine.wait_records("demo", event="refused", peer="169.254.169.254",
                                  reason="timeout")

    def fetch(self):
        with urllib.request.urlopen("http://127.0.0.1:9086/metrics", timeout=20) as answer:
            return answer.read().decode()

    def test_218_what_a_tenant_may_take(self):
        """The slice's limits are set; where the kernel's controllers are, they hold."""
        for tenant in ("demo", "second"):
            unit = "sockward-%s.slice" % tenant
            self.assertEqual(self.machine.show(unit, "TasksMax"), "20000")
            for name in ("MemoryHigh", "MemoryMax"):
                self.assertTrue(self.machine.show(unit, name).isdigit(), name)
        if "pids" not in self.machine.controllers():
            print("# TasksMax= is set, and not tried: there is no controller for it here")
            return
        listener = self.machine.pid(PROGRAMS["listen"] % "demo")
        self.machine.systemctl("set-property", "--runtime", "sockward-demo.slice", "TasksMax=14")
        opened, failed = [], 0
        with targets.Hold() as hold:
            for _ in range(20):
                try:
                    opened.append(wsclient.connect(DEMO, hold.path(), timeout=5))
                except (OSError, wsclient.Gone, wsclient.Refused):
                    failed += 1
            self.assertTrue(opened and failed, (len(opened), failed))
            self.assertEqual(self.machine.pid(PROGRAMS["listen"] % "demo"), listener)
            opened[0].recv_bytes(6)
            for client in opened:
                client.sock.close()
        self.machine.systemctl("set-property", "--runtime", "sockward-demo.slice",
                               "TasksMax=20000")
        with targets.Hold() as hold, wsclient.connect(DEMO, hold.path()) as client:
            client.recv_bytes(6)

    def test_metrics_are_off_until_they_are_enabled(self):
        with self.assertRaises(urllib.error.URLError):
            self.fetch()
        self.machine.systemctl("enable", "--now", "sockward-metrics@demo.socket")
        try:
            for _ in range(3):
                numbers = openmetrics.parse(self.fetch())
        except OSError:
            for entry in self.machine.journal("-u", "sockward-metrics@demo.service"):
                print("#", entry["MESSAGE"])
            raise
        ups = {key: value for key, value in numbers.items() if key[0] == "sockward_up"}
        self.assertEqual(set(ups.values()), {1.0}, ups)
        pid = self.machine.pid("sockward-metrics@demo.service")
        facts = suite.status_of(pid)
        self.assertNotEqual(facts["Uid"].split()[0], "0")
        # It may ask, and not order.
        for door, opens in (("status", True), ("metrics", True), ("control", False)):
            done = self.machine.run("setpriv", "--reuid", "nobody", "--regid", "nogroup",
                                    "--groups", "sockward-metrics", "python3", "-c", CONNECT,
                                    "/run/sockward/demo/%s.sock" % door)
            self.assertEqual(done.stdout.strip(), "in" if opens else "PermissionError", door)
        with socket.create_connection((HOST, 9086), 10) as page:
            page.sendall(b"GET /metrics HTTP/1.1\r\nHost: evil.example:9086\r\n\r\n")
            self.assertEqual(page.recv(12), b"HTTP/1.1 421")
        self.machine.systemctl("disable", "--now", "sockward-metrics@demo.socket")

    def test_a_tenant_needs_a_sound_name(self):
        for name in ("Upper", "with-hyphen", "seventeenletters1"):
            done = self.machine.systemctl("start", "sockward@%s.socket" % name, check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("1 to 16 lower-case letters", "".join(
                entry["MESSAGE"] for entry in self.machine.journal(
                    "-u", "sockward-setup@%s.service" % name)))

    def test_no_unit_has_a_fault(self):
        units = sorted(name for name in os.listdir(os.path.join(
            self.machine.stage, "usr/lib/systemd/system")) if "@." in name)
        done = self.machine.run("systemd-analyze", "verify", "--man=no",
                                *[re.sub("@", "@demo", name) for name in units], check=False)
        said = [line for line in done.stderr.splitlines() if "sockward" in line]
        self.assertEqual((done.returncode, said), (0, []))


if __name__ == "__main__":
    sys.exit(tap.main())
