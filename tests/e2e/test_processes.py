#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""What each process of the suite is to the kernel: invariants 2, 9, 13 of the
design, cases 63 and 64 from outside. What is closed to an attacker inside a
worker is test_hostile.py's."""

import ctypes
import fcntl
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import memory
import story
import suite
import tap
import targets
import wsclient

RULES = suite.policy({"open": suite.grant(explain=True),
                      "key": suite.grant(auth=suite.tokens(suite.TOKEN))})


def descriptors(pid):
    """{number: what it is} of another process; needs root."""
    found = {}
    for name in os.listdir("/proc/%d/fd" % pid):
        try:
            found[int(name)] = os.readlink("/proc/%d/fd/%s" % (pid, name)).split(":")[0]
        except FileNotFoundError:
            pass
    return found


def namespace(pid, kind):
    return os.readlink("/proc/%d/ns/%s" % (pid, kind))


class Processes(suite.SuiteCase):
    rules = RULES

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.target = targets.Hold().__enter__()
        cls.client = cls.suite.connect(cls.target.path())
        cls.client.recv_bytes(6)
        cls.suite.wait_sessions(1)

    @classmethod
    def tearDownClass(cls):
        cls.client.sock.close()
        cls.target.__exit__()
        super().tearDownClass()

    def test_zz_stops_in_order(self):
        self.client.sock.close()
        super().test_zz_stops_in_order()

    def each(self, check):
        """check(role, pid) of every process of the suite."""
        for role in suite.ROLES:
            for pid in self.suite.processes(role):
                with self.subTest(role=role, pid=pid):
                    check(role, pid)

    def test_each_says_how_it_is_confined(self):
        """Also where standard error is a file, which a limit could keep from growing."""
        said = self.suite.stderr()
        for role in suite.ROLES:
            if role != "worker":  # its standard error is /dev/null
                self.assertIn("sockward-%s: confining: no capabilities" % role, said)

    def test_all_are_there(self):
        """One of each, and two workers: a session of an earlier test may be ending yet."""
        for role in suite.ROLES:
            count = 2 if role == "worker" else 1
            suite.wait_for(lambda: len(self.suite.processes(role)) == count,
                           what="%d of %s" % (count, role))

    def test_sandbox_of_each(self):
        def check(role, pid):
            facts = suite.status_of(pid)
            self.assertEqual(facts["NoNewPrivs"], "1")
            self.assertEqual(facts["Seccomp"], "2")
            for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                self.assertEqual(int(facts[kind], 16), 0, kind)
            self.assertEqual(facts["Threads"], "1")
            self.assertEqual(facts["TracerPid"], "0")
            with open("/proc/%d/limits" % pid) as file:
                core = [line.split() for line in file if line.startswith("Max core")][0]
            self.assertEqual(core[4:6], ["0", "0"])
        self.each(check)

    def test_a_session_has_one_filter_more_than_its_template(self):
        template = self.suite.template()
        session = self.suite.sessions()[0]
        self.assertEqual(int(suite.status_of(session)["Seccomp_filters"]),
                         int(suite.status_of(template)["Seccomp_filters"]) + 1)

    def test_none_is_dumpable(self):
        """The kernel gives what is in /proc of such a process to root."""
        def check(role, pid):
            owner = os.stat("/proc/%d/environ" % pid).st_uid
            self.assertEqual(owner, 0)
            if os.geteuid():
                with self.assertRaises(PermissionError):
                    os.listdir("/proc/%d/fd" % pid)
        self.each(check)

    @tap.needs_root
    def test_uids_are_distinct(self):
        uids = {}
        def check(role, pid):
            ids = set(suite.status_of(pid)["Uid"].split() + suite.status_of(pid)["Gid"].split())
            self.assertEqual(len(ids), 1)
            uids.setdefault(role, set()).update(ids)
            self.assertEqual(suite.status_of(pid).get("Groups", "").split(), [])
        self.each(check)
        self.assertTrue(all(len(ids) == 1 for ids in uids.values()))
        self.assertNotIn({"0"}, uids.values())
        others = [next(iter(uids[role])) for role in suite.ROLES if role != "worker"]
        self.assertEqual(len(set(others)), len(others))
        self.assertEqual(uids["worker"], uids["listener"])

    @tap.needs_root
    def test_each_says_ready_at_a_socket_of_its_own(self):
        owners = {}
        def check(role, pid):
            owners.setdefault(int(suite.status_of(pid)["Uid"].split()[0]), role)
        self.each(check)
        said = set()
        for name in os.listdir(self.suite.runtime):
            if name.startswith("ready-"):
                found = os.stat(os.path.join(self.suite.runtime, name))
                self.assertEqual(found.st_mode & 0o777, 0o600)
                said.add(owners[found.st_uid])
        self.assertEqual(said, set(suite.ROLES) - {"worker"})

    @tap.needs_root
    def test_the_lock_of_the_uids_is_roots(self):
        uids = []
        self.each(lambda role, pid: uids.append(int(suite.status_of(pid)["Uid"].split()[0])))
        with open("/run/sockward-uids", "r+") as file:
            found = os.fstat(file.fileno())
            self.assertEqual((found.st_uid, found.st_mode & 0o777), (0, 0o600))
            with self.assertRaises(BlockingIOError):
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, min(uids))

    @tap.needs_root
    def test_network_of_listener_and_workers_is_empty(self):
        own = namespace(os.getpid(), "net")
        def check(role, pid):
            if role in ("listener", "worker"):
                self.assertNotEqual(namespace(pid, "net"), own)
                with open("/proc/%d/net/dev" % pid) as file:
                    names = [line.split(":")[0].strip() for line in file if ":" in line]
                self.assertLessEqual(set(names), {"lo", "ifb0", "ifb1", "sit0", "tunl0", "ip6tnl0"})
                with open("/proc/%d/net/route" % pid) as file:
                    self.assertLessEqual(len(file.readlines()), 1)  # its heading
            elif role == "broker":
                self.assertEqual(namespace(pid, "net"), own)
        self.each(check)

    def test_own_namespace_or_said(self):
        """Whichever layer is missing is said at the start."""
        line = [text for text in self.suite.stderr().splitlines() if "layers:" in text]
        self.assertEqual(len(line), 1)
        self.assertIn("seccomp", line[0])
        listener, own = self.suite.pid("listener"), os.getpid()
        try:
            empty = namespace(listener, "net") != namespace(own, "net")
        except PermissionError:
            return
        self.assertEqual(empty, "empty network namespace" in line[0].split("missing")[0])

    @tap.needs_root
    def test_descriptors_of_a_worker_at_three_points(self):
        def inventory(pid):
            found = descriptors(pid)
            self.assertEqual([found.pop(n) for n in (0, 1, 2)], ["/dev/null"] * 3)
            return sorted(found.values())
        before = set(self.suite.sessions())
        with targets.Echo() as target, wsclient.Client(self.suite.address) as client:
            client.send_raw(b"GET /netproxy HTTP/1.1\r\n")
            pid = suite.wait_for(lambda: set(self.suite.sessions()) - before).pop()
            start = suite.wait_for(lambda: inventory(pid) if len(descriptors(pid)) >= 6 else None)
            self.assertEqual(start, ["anon_inode", "socket", "socket"])  # epoll, channel, client
            client.send_raw(client.request("/netproxy").split(b"\r\n", 1)[1])
            self.assertEqual(client.read_answer().status, 101)
            for id in (1, 2):
                client.send_text('{"t":"open","id":%d,"host":"127.0.0.1","port":%d}'
                                 % (id, target.port))
                self.assertIn(b"opened", client.recv()[1])
            self.assertEqual(inventory(pid), ["anon_inode"] + ["socket"] * 4)
            for id in (1, 2):
                client.send_text('{"t":"close","id":%d}' % id)
                client.recv()
            suite.wait_for(lambda: inventory(pid) == ["anon_inode", "socket", "socket"],
                           what="the streams' descriptors closed")
            client.finish()

    @tap.needs_root
    def test_no_secret_in_an_environment(self):
        os.environ["SOCKWARD_TEST_SECRET"] = "do-not-hand-on-4711"
        try:
            with suite.Suite(RULES) as one:
                for role in suite.ROLES:
                    for pid in one.processes(role):
                        with open("/proc/%d/environ" % pid, "rb") as file:
                            self.assertNotIn(b"do-not-hand-on", file.read(), role)
                for role in ("broker", "listener", "worker", "resolver", "auditor"):
                    for pid in one.processes(role):
                        self.assertFalse(memory.in_memory(pid, suite.TOKEN.encode()), role)
                        self.assertFalse(memory.in_memory(pid, b"do-not-hand-on"), role)
        finally:
            del os.environ["SOCKWARD_TEST_SECRET"]

    @tap.needs_root
    def test_64_a_worker_holds_no_other_sessions_token(self):
        secret = "SECRET-%s" % os.urandom(8).hex()
        with self.suite.connect("/netproxy?token=" + secret) as client:
            client.recv_close()
            self.assertFalse(memory.in_memory(self.suite.sessions()[0], secret.encode()))
            self.assertFalse(memory.in_memory(self.suite.template(), secret.encode()))
        with self.suite.connect("/netproxy") as client:
            client.send_text('{"t":"' + secret + '"}')
            client.recv()
            pid = max(self.suite.sessions(), key=suite.started)
            self.assertTrue(memory.in_memory(pid, secret.encode()), "the negative control")

    @tap.needs_root
    def twice(self, count):
        """What it counts, if that stays for a moment."""
        first = count()
        time.sleep(0.3)
        return first if count() == first else None

    def test_descriptors_of_the_broker_are_constant(self):
        pids = {role: self.suite.pid(role) for role in suite.ROLES if role != "worker"}

        def counts():
            return {role: len(descriptors(pid)) for role, pid in pids.items()}

        def load():
            for number in range(40):
                with self.suite.connect(self.target.path()) as client:
                    client.recv_bytes(6)
                    if number % 3 == 0:
                        client.finish()
                with self.suite.connect("/raw/10.0.0.1/80") as client:
                    client.recv_close()
        load()
        ended = self.suite.wait_record("session-end", count=80, seconds=30)
        self.assertTrue(ended)
        self.suite.wait_sessions(1, seconds=20)
        # Who asked how many sessions there are may be leaving yet.
        before = suite.wait_for(lambda: self.twice(counts), what="a steady count")
        load()
        self.suite.wait_record("session-end", count=160, seconds=30)
        self.suite.wait_sessions(1, seconds=20)
        suite.wait_for(lambda: counts() == before, what="the same descriptors as before")

    def test_programs_are_mapped_in_full_hardening(self):
        """No writable and executable memory, no libseccomp or libsystemd; TLS in workers alone."""
        if os.geteuid():
            self.skipTest("needs root")
        def check(role, pid):
            with open("/proc/%d/maps" % pid) as file:
                maps = file.read()
            self.assertNotIn(" rwx", maps)
            for library in ("libseccomp", "libsystemd", "libssl"):
                self.assertNotIn(library, maps)
            self.assertEqual("libgnutls" in maps, role == "worker")
            if role == "broker":
                self.assertNotIn("json", maps)
                self.assertNotIn("wslay", maps)
        self.each(check)


class Keys(unittest.TestCase):
    """As an ordinary user, who owns the key: it may be readable by nobody else."""

    @tap.needs_root
    def test_a_key_file_lies_beside_the_policy(self):
        jwt = {"algorithm": "HS256", "key_file": "jwt.key", "issuer": "https://id.test",
               "audience": "sockward"}
        one = suite.Suite(suite.policy({"users": suite.grant(auth={"jwt": jwt})}),
                          prefix=["setpriv", "--reuid=65534", "--regid=65534",
                                  "--clear-groups"])
        os.chmod(one.directory, 0o777)
        key = os.path.join(one.directory, "jwt.key")
        with open(key, "wb") as file:
            file.write(os.urandom(32))
        os.chown(key, 65534, 65534)
        os.chmod(key, 0o600)
        # Not where it is started, but where the policy is.
        with one:
            self.assertIn("0 tokens and 1 keys are known", one.stderr())
            one.stop()


class Unprivileged(unittest.TestCase):
    """As an ordinary user: the same suite, without uids of its own."""

    @tap.needs_root
    def test_runs_for_an_ordinary_user(self):
        one = suite.Suite(RULES, prefix=["setpriv", "--reuid=65534", "--regid=65534",
                                         "--clear-groups"])
        os.chmod(one.directory, 0o777)
        ctypes.CDLL(None).umask(0)
        with targets.Echo() as target, one:
            with one.connect(target.path()) as client:
                client.send(b"x")
                self.assertEqual(client.recv_bytes(1), b"x")
                for role in suite.ROLES:
                    for pid in one.processes(role):
                        facts = suite.status_of(pid)
                        self.assertEqual(facts["Uid"].split(), ["65534"] * 4)
                        self.assertEqual(facts["Seccomp"], "2")
                        self.assertEqual(int(facts["CapEff"], 16), 0)
                client.finish()
            self.assertIn("missing: own uids", one.stderr())
            one.stop()
            story.check(one.records())


if __name__ == "__main__":
    sys.exit(tap.main())
