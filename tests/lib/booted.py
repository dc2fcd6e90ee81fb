# SPDX-License-Identifier: ISC
"""A real systemd, in a container of our own, with sockward installed in it:

    with Machine() as machine:
        machine.tenant("demo", policy)
        machine.run("systemctl", "is-active", "sockward@demo.service")

Its /usr is this host's with `make install` laid over it, its network is its own and
empty. The test's threads are in that network from `with' on (root only), so that clients
and far ends are ordinary ones.
"""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import netns
import suite

COPIED = ("passwd", "group", "shadow", "gshadow", "nsswitch.conf", "ld.so.cache", "ld.so.conf",
          "login.defs", "pam.d", "security", "dbus-1", "ssl", "alternatives", "default",
          "profile", "services", "protocols")
MASKED = ("systemd-logind.service", "getty.target", "console-getty.service",
          "systemd-update-utmp.service", "systemd-update-utmp-runlevel.service",
          "systemd-ask-password-wall.path", "systemd-ask-password-console.path",
          # What else happens to be installed here is not wanted there.
          "timers.target", "remote-fs.target", "nginx.service", "haproxy.service",
          "postgresql.service", "apache2.service", "ssh.service", "cron.service")
# The container's own filter would hide what the units' walls are made of.
CALLS = "bpf @keyring landlock_create_ruleset landlock_add_rule landlock_restrict_self"
ROLES = ("listen", "broker", "names", "auth", "audit")


class Machine:
    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="sockward-boot-")
        self.root = os.path.join(self.directory, "root")
        self.stage = os.path.join(self.directory, "stage")
        self.log = os.path.join(self.directory, "log")
        self.mounts = ["--overlay-ro=/usr:%s/usr:/usr" % self.stage]
        self.process = None
        self.leader = None
        self.home = None
        self.group = None

    # --- from nothing to running ----------------------------------------------------

    def path(self, *names):
        return os.path.join(self.root, *names)

    def write(self, name, text, mode=0o644):
        path = self.path(name.lstrip("/"))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, mode)

    def install(self):
        subprocess.run(["make", "-s", "-C", suite.BUILD, "install", "DESTDIR=" + self.stage],
                       check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=120)

    def make(self):
        self.install()
        for name in ("usr", "dev", "proc", "sys", "run", "tmp", "root", "var/log/journal",
                     "var/lib", "srv", "etc/systemd/system"):
            os.makedirs(self.path(name))
        for name in ("bin", "sbin", "lib", "lib64"):
            os.symlink("usr/" + name, self.path(name))
        for name in COPIED:
            source = os.path.join("/etc", name)
            if os.path.isdir(source):
                shutil.copytree(source, self.path("etc", name), symlinks=True)
            elif os.path.exists(source):
                shutil.copy2(source, self.path("etc", name))
        shutil.copy("/usr/lib/os-release", self.path("etc/os-release"))
        self.write("etc/machine-id", os.urandom(16).hex() + "\n")
        self.write("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")
        self.write("etc/fstab", "")
        os.symlink("/lib/systemd/system/multi-user.target",
                   self.path("etc/systemd/system/default.target"))
        for name in MASKED:
            os.symlink("/dev/null", self.path("etc/systemd/system", name))

    def make_group(self):
        """A control group that no other container has, and none had: what a service manager
        left in one (processes, address filters) would hold for the next, too."""
        with open("/proc/self/mountinfo") as file:
            mount = next(line.split()[4] for line in file if " - cgroup2 " in line)
        with open("/proc/self/cgroup") as file:
            mine = next(line[3:].rstrip("\n") for line in file if line.startswith("0::"))
        self.group = os.path.join(mount, mine.lstrip("/"), os.path.basename(self.directory))
        os.mkdir(self.group)

    def remove_group(self):
        """Groups go when they are empty, and the last process may still be on its way out."""
        def gone():
            for directory, _, _ in os.walk(self.group, topdown=False):
                try:
                    os.rmdir(directory)
                except OSError:
                    pass
            return not os.path.exists(self.group)
        suite.wait_for(gone, what="the end of " + self.group)

    def boot(self, seconds=30):
        self.make_group()
        environ = dict(os.environ, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY="1")
        command = ["sh", "-c", 'echo 0 >"$0/cgroup.procs" && exec "$@"', self.group,
                   "systemd-nspawn", "-q", "--register=no", "--keep-unit", "-D", self.root,
                   *self.mounts, "--private-network", "--capability=all",
                   "--system-call-filter=" + CALLS, "-b"]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env=environ)
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            self.leader = self.find_leader()
            if self.leader and self.state() in ("running", "degraded"):
                return
            time.sleep(0.05)
        raise RuntimeError("systemd did not come up: " + self.console()[-2000:])

    def find_leader(self):
        try:
            with open("/proc/{0}/task/{0}/children".format(self.process.pid)) as file:
                for pid in file.read().split():
                    with open("/proc/%s/comm" % pid) as comm:
                        if comm.read() == "systemd\n":
                            return int(pid)
        except OSError:
            pass
        return None

    def state(self):
        return self.run("systemctl", "is-system-running", check=False).stdout.strip()

    def console(self):
        with open(self.log, errors="replace") as file:
            return file.read()

    def __enter__(self):
        try:
            self.make()
            self.boot()
            # A process in a chroot makes none (user_namespaces(7)), and then nor does a unit.
            if self.run("unshare", "--user", "true", check=False).returncode:
                raise unittest.SkipTest("no user namespace can be made: is this a chroot?")
            self.home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            there = os.open("/proc/%d/ns/net" % self.leader, os.O_RDONLY | os.O_CLOEXEC)
            netns.setns(there)
            os.close(there)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.home is not None:
            netns.setns(self.home)
            os.close(self.home)
            self.home = None
        if self.process and self.process.poll() is None:
            if self.leader:
                os.kill(self.leader, signal.SIGRTMIN + 4)  # systemd(1): poweroff.target
            else:
                self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)
        if self.group and os.path.exists(self.group):
            self.remove_group()

    # --- what is done in it ----------------------------------------------------------

    def run(self, *argv, check=True, seconds=60, stdin=None):
        """A command in the container."""
        # Its root and directory too: where this host is a chroot, so is the container.
        enter = ["nsenter", "-t", str(self.leader), "-a", "-r", "-w", "--"]
        done = subprocess.run(enter + list(argv), text=True, capture_output=True,
                              timeout=seconds, input=stdin,
                              stdin=None if stdin is not None else subprocess.DEVNULL)
        if check and done.returncode:
            raise AssertionError("%s: %d: %s%s" % (" ".join(argv), done.returncode, done.stdout,
                                                   done.stderr))
        return done

    def systemctl(self, *argv, **how):
        return self.run("systemctl", "--no-pager", *argv, **how)

    def show(self, unit, name):
        return self.systemctl("show", "-P", name, unit).stdout.strip()

    def pid(self, unit):
        """Of a service's main process, as this host numbers it."""
        inside = int(self.show(unit, "MainPID"))
        return self.outside(inside) if inside else 0

    def all(self):
        """Every process in there, as this host numbers them."""
        space = os.readlink("/proc/%d/ns/pid" % self.leader)
        for name in os.listdir("/proc"):
            try:
                if name.isdigit() and os.readlink("/proc/%s/ns/pid" % name) == space:
                    yield int(name)
            except OSError:
                continue

    def outside(self, inside):
        for pid in self.all():
            facts = suite.status_of(pid)
            if facts and int(facts["NSpid"].split()[-1]) == inside:
                return pid
        raise AssertionError("no process %d in there" % inside)

    def processes(self, unit):
        """All of a unit's, as this host numbers them."""
        group = self.show(unit, "ControlGroup") + "\n"
        found = []
        for pid in self.all():
            try:
                with open("/proc/%d/cgroup" % pid) as file:
                    if file.read().endswith(group):
                        found.append(pid)
            except OSError:
                continue
        return found

    def workers(self, tenant):
        main = self.pid("sockward@%s.service" % tenant)
        return [pid for pid in self.processes("sockward@%s.service" % tenant) if pid != main]

    def policy(self, tenant, rules):
        """Not by renaming: as an editor that writes in place would."""
        self.write("etc/sockward/%s.json" % tenant,
                   rules if isinstance(rules, str) else json.dumps(rules, indent=1), 0o640)

    def tenant(self, name, rules, port=8086):
        """Enabled and started, as the manual says it."""
        self.policy(name, rules)
        if port != 8086:
            self.write("etc/systemd/system/sockward@%s.socket.d/port.conf" % name,
                       "[Socket]\nListenStream=\nListenStream=127.0.0.1:%d\n" % port)
            self.systemctl("daemon-reload")
        self.systemctl("enable", "--now", "sockward@%s.socket" % name)

    def records(self, tenant, **fields):
        path = self.path("var/log/private/sockward", tenant, "audit.jsonl")
        try:
            with open(path) as file:
                found = [json.loads(line) for line in file.read().split("\n")[:-1]]
        except FileNotFoundError:
            return []
        return [record for record in found
                if all(record.get(name) == value for name, value in fields.items())]

    def wait_records(self, tenant, count=1, seconds=15, **fields):
        def there():
            found = self.records(tenant, **fields)
            return found if len(found) >= count else None
        return suite.wait_for(there, seconds, "%d records %s" % (count, fields))

    def status(self, tenant):
        done = self.run("sockward", "status", "--json", "--runtime-dir",
                        "/run/sockward/" + tenant, check=False)
        return json.loads(done.stdout)

    def controllers(self):
        """Those of the kernel that units in there can use: not many, in a container."""
        return set(self.run("cat", "/sys/fs/cgroup/cgroup.controllers").stdout.split())

    def journal(self, *matches):
        done = self.run("journalctl", "--no-pager", "-o", "json", *matches)
        return [json.loads(line) for line in done.stdout.splitlines()]
