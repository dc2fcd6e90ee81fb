#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The Debian package: what is in it, and its life on a booted systemd, of which nothing
is left when it is purged."""

import json
import os
import re
import stat
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import debs
import suite
import tap
import targets
import wsclient
from suite import to

DEMO = ("127.0.0.1", 8086)
SECOND = ("127.0.0.1", 8090)
INETD = ("127.0.0.1", 8088)
SECRET = "a-secret-of-demo-0123456789abcdef0123456789\n"
NEIGHBOURS = {
    # Names that are nearly ours: the operator's own, which no purge may touch.
    "etc/systemd/system/sockward-backup@.service": "[Service]\nExecStart=/bin/true\n",
    "etc/systemd/system/sockward-backup.service": "[Service]\nExecStart=/bin/true\n",
    "etc/systemd/system/sockward-two_words.slice.d/a.conf": "[Slice]\nCPUWeight=50\n",
    "etc/systemd/system/nginx.service.d/sockward.conf": "[Unit]\nDescription=mine\n",
    "etc/sockward-notes": "mine\n",
    "var/log/sockward-notes": "mine\n",
}
package = None


def setUpModule():
    global package
    package = debs.Package()


def tearDownModule():
    package.remove()


def units(tenant):
    """All of a tenant's that the package has."""
    return sorted(os.path.basename(name).replace("@.", "@%s." % tenant)
                  for name, _ in package.files() if re.search(r"\.(service|socket|target)$", name))


def rules():
    return suite.policy({
        "open": suite.grant([to("127.0.0.1:*")]),
        "key": suite.grant([to("127.0.0.1:*")], auth={"jwt": {
            "algorithm": "HS256", "key_file": "demo.key", "issuer": "i", "audience": "a"}})})


class Built(unittest.TestCase):
    seconds = 120

    def test_lintian_has_nothing_to_say(self):
        done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning",
                               package.changes], capture_output=True, text=True, timeout=100)
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)

    def test_lintian_can_say_something(self):
        """An error of old: a file of the package in /usr/local."""
        bad = os.path.join(package.directory, "bad")
        debs.run("cp", "-a", package.content, bad)
        os.makedirs(os.path.join(bad, "usr/local/bin"))
        debs.run("cp", "/bin/true", os.path.join(bad, "usr/local/bin/sockward-true"))
        debs.run("dpkg-deb", "-b", "-Znone", "--root-owner-group", bad, bad + ".deb")
        done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error", bad + ".deb"],
                              capture_output=True, text=True, timeout=100)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("usr-local", done.stdout)

    def test_files(self):
        found = dict(package.files())
        for name in ("/usr/bin/sockward", "/usr/libexec/sockward/sockward-listener",
                     "/usr/libexec/sockward/sockward-worker",
                     "/usr/libexec/sockward/sockward-broker",
                     "/usr/libexec/sockward/sockward-resolver",
                     "/usr/libexec/sockward/sockward-authenticator",
                     "/usr/libexec/sockward/sockward-auditor",
                     "/lib/systemd/system/sockward-.slice.d/10-sockward.conf",
                     "/usr/lib/sysusers.d/sockward.conf", "/usr/lib/tmpfiles.d/sockward.conf",
                     "/usr/share/bash-completion/completions/sockward.bash",
                     "/usr/share/doc/sockward/NEWS.gz", "/usr/share/doc/sockward/README.Debian",
                     "/usr/share/doc/sockward/README.md.gz",
                     "/usr/share/doc/sockward/copyright",
                     "/usr/share/doc/sockward/examples/haproxy.cfg",
                     "/usr/share/man/man1/sockward.1.gz",
                     "/usr/share/man/man5/sockward-policy.5.gz",
                     "/usr/share/man/man8/sockward-broker.8.gz",
                     "/usr/share/sockward/policy.json",
                     "/usr/share/sockward/policy.schema.json"):
            self.assertIn(name, found)
        for unit in os.listdir(os.path.join(suite.SOURCE, "units")):
            if re.search(r"\.(service|socket|target)(\.in)?$", unit):
                self.assertIn("/lib/systemd/system/" + unit.replace(".in", ""), found)
        for name, path in found.items():
            self.assertFalse(os.lstat(path).st_mode & (stat.S_ISUID | stat.S_ISGID), name)
            # Whatever is in /etc is the operator's; what is in /var is not the package's.
            self.assertRegex(name, "^/(usr|lib)/")
        self.assertFalse(os.path.exists(os.path.join(package.content, "DEBIAN/conffiles")))

    def test_programs_are_hardened_and_name_no_build_path(self):
        programs = [(name, path) for name, path in package.files() if os.access(path, os.X_OK)]
        scripts = [one for one in programs if one[0].endswith("/sockward-leftover")]
        self.assertEqual((len(programs), len(scripts)), (8, 1))
        programs.remove(scripts[0])
        for name, path in programs:
            with self.subTest(name):
                said = debs.run("readelf", "-hldW", path)
                self.assertRegex(said, r"Type: +DYN \(Position-Independent Executable")
                self.assertIn("GNU_RELRO", said)
                self.assertRegex(said, r"FLAGS_1\).*NOW")
                self.assertNotRegex(said, r"GNU_STACK.* RWE ")
                with open(path, "rb") as file:
                    self.assertNotIn(package.directory.encode(), file.read())

    def test_flags_of_both_are_in_force(self):
        """configure.ac's, and none of them lowered by one of Debian's behind it."""
        lines = [line for line in package.log.splitlines()
                 if re.match(r"gcc .* -c ", line) and "conftest" not in line]
        self.assertGreater(len(lines), 100)
        for line in lines:
            words = line.split()
            for word in ("-Werror", "-Wconversion", "-fstack-protector-strong", "-fPIE",
                         "-ftrivial-auto-var-init=zero", "-Werror=format-security"):
                self.assertIn(word, words)
            self.assertEqual([word for word in words if word.startswith("-Wformat")][-1],
                             "-Wformat=2")
            self.assertFalse([word for word in words if re.match("-Wno-|-fno-stack|-fno-pie",
                                                                 word)])

    def test_the_surface_was_checked(self):
        self.assertRegex(package.log, r"(?m)surface\.sh .*--check")


@tap.needs_root
class Life(unittest.TestCase):
    maxDiff = None
    seconds = 180

    @classmethod
    def setUpClass(cls):
        cls.machine = debs.Machine().__enter__()
        cls.echo = targets.Echo()
        cls.echo.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.echo.__exit__()
        cls.machine.__exit__()

    def setUp(self):
        # What fails half-way must not fail the next one.
        self.addCleanup(self.machine.dpkg, "--purge", "sockward", check=False)

    def client(self, address=DEMO):
        client = wsclient.connect(address, self.echo.path(), timeout=30)
        self.addCleanup(client.sock.close)
        self.still(client)
        return client

    def still(self, client):
        client.send(b"still there")
        self.assertEqual(client.recv_bytes(11), b"still there")

    def content(self, *names):
        found = {}
        for name in names:
            path = self.machine.path(name)
            with open(path, "rb") as file:
                facts = os.stat(path)
                found[name] = (file.read(), facts.st_mode, facts.st_mtime_ns, facts.st_ino)
        return found

    def nothing_is_left(self, before):
        self.assertEqual(self.machine.changes(before), [])
        self.assertEqual(self.machine.units(), [])
        self.assertNotIn("sockward", self.machine.dpkg("-l"))
        self.assertFalse(os.path.exists("/proc/%d/root/sys/fs/cgroup/sockward.slice"
                                        % self.machine.leader))

    def test_nothing_starts_by_being_installed(self):
        machine = self.machine
        before = machine.everything()
        machine.put(package.deb)
        self.assertEqual(machine.units(), [])
        self.assertEqual(machine.users(), [])
        self.assertTrue(machine.run("getent", "group", "sockward", "sockward-metrics").stdout)
        facts = os.stat(machine.path("etc/sockward"))
        self.assertEqual((stat.S_IMODE(facts.st_mode), facts.st_uid, facts.st_gid), (0o750, 0, 0))
        self.assertEqual(os.listdir(machine.path("etc/sockward")), [])
        done = machine.run("systemd-analyze", "verify", "--man=no", *units("demo"),
                           check=False)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))
        self.assertIn("0.1.0", machine.run("sockward", "--version").stdout)
        machine.dpkg("--purge", "sockward")
        self.nothing_is_left(before)

    def start(self):
        """Two tenants: one enabled, as the manual says it; one just started, and edited."""
        machine = self.machine
        machine.write("etc/sockward/demo.key", SECRET, 0o600)
        machine.tenant("demo", rules())
        machine.systemctl("enable", "sockward@demo.target")
        machine.systemctl("enable", "--now", "sockward-metrics@demo.socket")
        machine.policy("second", suite.policy({"open": suite.grant()}))
        machine.write("etc/systemd/system/sockward@second.socket.d/override.conf",
                      "[Socket]\nListenStream=\nListenStream=127.0.0.1:%d\n" % SECOND[1])
        machine.write("etc/systemd/system/sockward-broker@.service.d/mine.conf",
                      "[Service]\nLimitNOFILE=70000\n")
        machine.write("etc/systemd/system/sockward-demo.slice.d/mine.conf",
                      "[Slice]\nTasksMax=1000\n")
        machine.systemctl("daemon-reload")
        machine.systemctl("set-property", "sockward-second.slice", "CPUWeight=50")
        machine.systemctl("start", "sockward@second.socket")
        machine.policy("inetd", suite.policy({"open": suite.grant()}))
        machine.systemctl("enable", "--now", "sockward-inetd.socket")
        return self.client(), self.client(SECOND), self.client(INETD)

    def test_from_install_to_purge(self):
        machine = self.machine
        for name, text in NEIGHBOURS.items():
            machine.write(name, text)
        machine.run("useradd", "-r", "-d", "/", "-c", "somebody else", "sw-else-audit")
        self.addCleanup(machine.run, "userdel", "sw-else-audit")
        machine.systemctl("daemon-reload")
        before = machine.everything()
        machine.put(package.deb)
        clients = self.start()
        self.assertEqual(len(machine.users()), 16)
        mine = self.content("etc/sockward/demo.json", "etc/sockward/demo.key",
                            "etc/sockward/second.json",
                            "etc/systemd/system/sockward@second.socket.d/override.conf",
                            "etc/systemd/system/sockward-broker@.service.d/mine.conf")

        self.upgrade(clients)
        self.assertEqual(self.content(*mine), mine)
        machine.dpkg("--remove", "sockward")
        self.removed(mine)
        machine.dpkg("--purge", "sockward")
        self.nothing_is_left(before)

    def upgrade(self, clients):
        """Nothing is restarted, and it is said what is to be done; that does it."""
        machine = self.machine
        pids = {unit: machine.pid(unit) for unit in units("demo") if unit.endswith(".service")}
        said = machine.put(package.later(
            "0.1.1", "lib/systemd/system/sockward@.service", "listener\n", "a later listener\n"))
        for client in clients:
            self.still(client)
        self.assertEqual(pids, {unit: machine.pid(unit) for unit in pids})
        self.assertEqual(machine.show("sockward@demo.service", "NeedDaemonReload"), "no")
        self.assertEqual(machine.show("sockward@demo.service", "Description"),
                         "sockward for demo: a later listener")
        commands = re.findall(r"(?m)^  (systemctl restart sockward@\w+\.target)$", said)
        self.assertEqual(len(commands), 3, said)
        for command in commands:
            machine.run(*command.split())
        for name in ("@demo", "@second", "-inetd"):  # the target is up before what it starts
            suite.wait_for(lambda unit="sockward%s.socket" % name: machine.show(
                unit, "ActiveState") == "active", what="the socket of " + name)
        self.client(), self.client(SECOND), self.client(INETD)
        self.assertNotEqual(pids, {unit: machine.pid(unit) for unit in pids})
        self.assertEqual(machine.show("sockward-broker@demo.service", "LimitNOFILE"), "70000")

    def removed(self, mine):
        """All is stopped, in order, and disabled; what is the operator's is there."""
        machine = self.machine
        self.assertEqual(machine.units(), [])
        self.assertEqual([pid for pid in machine.all() if any(
            "sockward" in word for word in suite.argv_of(pid)[:1])], [])
        self.assertEqual(self.content(*mine), mine)
        for tenant in ("demo", "second", "inetd"):
            opened = {r["session"] for r in machine.records(tenant, event="session-open")}
            ended = {r["session"] for r in machine.records(tenant, event="session-end")}
            self.assertTrue(opened)
            self.assertEqual(opened, ended)
        self.assertEqual(len(machine.users()), 16)
        links = [path for path, what in machine.everything().items()
                 if path.startswith("/etc/systemd/system/") and re.match(r"to .*sockward", what)]
        self.assertEqual(links, [])


if __name__ == "__main__":
    sys.exit(tap.main())
