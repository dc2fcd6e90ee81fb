# SPDX-License-Identifier: ISC
"""The real suite, started by `sockward run`, for one test or for a class of tests.

    with suite.Suite(suite.policy()) as s:
        client = wsclient.connect(s.address, "/raw/127.0.0.1/80")

At the end in order it must exit with 0, leave no process behind, and its audit
file must verify. This process is the subreaper of all of it, so that whatever a
killed `sockward run` leaves behind comes to us and is found.
"""

import atexit
import contextlib
import ctypes
import hashlib
import json
import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import wsclient

BUILD = os.environ.get("SOCKWARD_BUILD") or os.getcwd()
SOURCE = os.environ.get("SOCKWARD_SOURCE") or os.path.abspath(
    os.path.join(os.path.dirname(__file__), "..", ".."))
SOCKWARD = os.path.join(BUILD, "sockward")
ROLES = ("listener", "worker", "broker", "resolver", "authenticator", "auditor")
TOKEN = "open-sesame-0123456789abcdef"
ORIGIN = "http://app.example.test:8080"

running = []  # suites that are up, for last_words() and end_all()

ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def token_hash(token):
    return "sha256:" + hashlib.sha256(token.encode()).hexdigest()


def grant(allow=None, deny=(), origins=("none",), auth="none", **more):
    """A grant that may reach loopback, which it names; limits are given by name."""
    limits = {"connects_per_minute": 100000, "bytes_per_minute": "64GiB", "channels": 64,
              "connect_timeout": "10s", "idle_timeout": "5m", "session_timeout": "1h"}
    limits.update(more.pop("limits", {}))
    allow = [to("127.0.0.1:*"), to("[::1]:*")] if allow is None else allow
    return dict({"auth": auth, "origins": list(origins), "allow": allow, "deny": list(deny),
                 "limits": limits}, **more)


def to(target, protocols=("tcp",), **more):
    return dict({"to": target, "protocols": list(protocols)}, **more)


def tokens(*words):
    return {"tokens": [token_hash(word) for word in words]}


def policy(grants=None, **more):
    base = {"version": 1, "hosts": ["127.0.0.1", "localhost", "[::1]"],
            "dialects": ["raw", "netproxy"],
            "grants": grants or {"open": grant(), "key": grant(auth=tokens(TOKEN))}}
    base.update(more)
    return base


def sockward(*args, check=False, seconds=30, stdin=None):
    """Run the `sockward` command; a CompletedProcess with text."""
    done = subprocess.run([SOCKWARD, *map(str, args)], input=stdin, capture_output=True,
                          text=stdin is None or isinstance(stdin, str), timeout=seconds)
    if check and done.returncode != 0:
        raise AssertionError("sockward %s: status %d\n%s%s" % (
            " ".join(map(str, args)), done.returncode, done.stdout, done.stderr))
    return done


def status_of(pid):
    """/proc/PID/status as a dict, or None when the process is gone."""
    try:
        with open("/proc/%d/status" % pid) as file:
            return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    except (FileNotFoundError, ProcessLookupError):
        return None


def argv_of(pid):
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as file:
            return file.read().decode(errors="replace").split("\0")[:-1]
    except (FileNotFoundError, ProcessLookupError):
        return []


def children_of():
    """Every process's children, by parent."""
    tree = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            facts = status_of(int(name))
            if facts:
                tree.setdefault(int(facts["PPid"]), []).append(int(name))
    return tree


def descendants(root):
    tree, found, todo = children_of(), [], [root]
    while todo:
        for pid in tree.get(todo.pop(), []):
            found.append(pid)
            todo.append(pid)
    return found


def wait_for(true, seconds=10, what="it"):
    end = time.monotonic() + seconds
    while True:
        value = true()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("%s did not happen within %d s" % (what, seconds))
        time.sleep(0.02)


class Suite:
    def __init__(self, rules=None, listen="127.0.0.1:0", args=(), prefix=(), rlimits=None):
        self.rules = policy() if rules is None else rules
        self.listen = listen
        self.args = list(args)
        self.prefix = list(prefix)
        self.rlimits = rlimits or {}
        self.directory = tempfile.mkdtemp(prefix="sockward-test-")
        atexit.register(shutil.rmtree, self.directory, ignore_errors=True)
        os.chmod(self.directory, 0o755)
        self.runtime = os.path.join(self.directory, "run")
        self.audit_file = os.path.join(self.directory, "audit.jsonl")
        self.policy_file = os.path.join(self.directory, "policy.json")
        self.stderr_file = os.path.join(self.directory, "stderr")
        self.process = None
        self.address = None
        self.ready = b""
        self.pids_seen = set()
        self.filters = 0

    # --- start and stop -----------------------------------------------------------

    def write_policy(self, rules):
        text = rules if isinstance(rules, str) else json.dumps(rules, indent=1)
        fresh = self.policy_file + ".new"
        with open(fresh, "w") as file:
            file.write(text)
        os.chmod(fresh, 0o644)
        os.rename(fresh, self.policy_file)

    def limit(self):
        import resource
        for what, value in self.rlimits.items():
            resource.setrlimit(getattr(resource, what), (value, value))

    def start(self, seconds=30):
        if not os.path.exists(self.policy_file):
            self.write_policy(self.rules)
        command = self.prefix + [SOCKWARD, "run", "--listen", self.listen, "--policy",
                                 self.policy_file, "--audit", self.audit_file,
                                 "--runtime-dir", self.runtime] + self.args
        with open(self.stderr_file, "ab") as stderr:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr,
                start_new_session=True, preexec_fn=self.limit if self.rlimits else None)
        running.append(self)
        try:
            self.wait_ready(seconds)
        except BaseException:
            self.kill_all()
            raise
        return self

    def wait_ready(self, seconds):
        end = time.monotonic() + seconds
        while b"\n" not in self.ready:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise AssertionError("no ready line within %d s\n%s" % (seconds, self.stderr()))
            more = os.read(self.process.stdout.fileno(), 4096)
            if not more:
                raise AssertionError("sockward run ended with %s\n%s" % (
                    self.process.wait(10), self.stderr()))
            self.ready += more
        match = re.search(rb"^ready ws://(\[[0-9a-f:]+\]|[0-9.]+):(\d+)/$", self.ready, re.M)
        assert match, self.ready
        self.address = (match.group(1).decode().strip("[]"), int(match.group(2)))
        self.pids_seen.update(descendants(self.process.pid))
        # The template's, which may be confining itself yet: one more than the listener's.
        self.filters = int(status_of(self.pid("listener"))["Seccomp_filters"]) + 1

    def stop(self, seconds=30, expect=0):
        """End in order; checks everything that must hold at the end."""
        try:
            self.pids_seen.update(descendants(self.process.pid))
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGTERM)
            code = self.process.wait(seconds)
            assert code == expect, "sockward run ended with %d\n%s" % (code, self.stderr())
            left = self.left_over()
            assert not left, "left running: %s" % left
        except BaseException:
            self.kill_all()
            raise
        self.forget()
        self.verify()

    def left_over(self):
        """Processes of the suite that still run, after a second to be gone."""
        end = time.monotonic() + 1
        while True:
            self.reap()
            left = [(pid, argv_of(pid)) for pid in self.pids_seen
                    if any("sockward" in word for word in argv_of(pid)[:1])]
            left += [(pid, argv_of(pid)) for pid in descendants(os.getpid())
                     if pid not in self.pids_seen and self.directory in " ".join(argv_of(pid))]
            if not left or time.monotonic() > end:
                return left
            time.sleep(0.05)

    def reap(self):
        """Collect zombies that came to us as the subreaper."""
        for pid in children_of().get(os.getpid(), []):
            if pid in self.pids_seen and pid != self.process.pid:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)

    def kill_all(self):
        """Whatever state it is in: nothing of it runs after this."""
        for _ in range(3):
            self.pids_seen.update(descendants(self.process.pid))
            for pid in [self.process.pid] + descendants(self.process.pid) + [
                    pid for pid, _ in self.left_over()]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        self.reap()
        self.forget()

    def forget(self):
        self.process.stdout.close()
        if self in running:
            running.remove(self)

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.stop()
            else:
                note_last(self)
                self.kill_all()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    # --- what it says ---------------------------------------------------------------

    def stderr(self):
        with open(self.stderr_file, errors="replace") as file:
            return file.read()

    def records(self, event=None, session=None, **fields):
        """The records of the audit file, filtered."""
        with open(self.audit_file) as file:
            found = [json.loads(line) for line in file.read().split("\n")[:-1]]
        if event:
            found = [r for r in found if r["event"] == event]
        if session is not None:
            found = [r for r in found if r.get("session") == session]
        return [r for r in found if all(r.get(k) == v for k, v in fields.items())]

    def wait_record(self, event, count=1, seconds=10, **fields):
        """The count-th record of that event, when it is there."""
        def there():
            found = self.records(event, **fields)
            return found if len(found) >= count else None
        return wait_for(there, seconds, "record %s %s" % (event, fields))[count - 1]

    def session_at(self, port):
        """The newest session of that client's port, which an older one may have had."""
        self.wait_record("session-open", client_port=port)
        return self.records("session-open", client_port=port)[-1]["session"]

    def verify(self):
        sockward("audit", "verify", self.audit_file, check=True)

    def control(self, *args, **how):
        return sockward(*args, "--runtime-dir", self.runtime, **how)

    # --- its processes ----------------------------------------------------------------

    def processes(self, role):
        """Pids of that role's processes, oldest first; workers are template and sessions."""
        self.pids_seen.update(descendants(self.process.pid))
        found = []
        for pid in self.pids_seen:
            argv, facts = argv_of(pid), status_of(pid)
            if argv and facts and os.path.basename(argv[0]) == "sockward-" + role and \
                    not facts["State"].startswith("Z"):
                found.append(pid)
        return sorted(found, key=started)

    def pid(self, role):
        """The one process of that role: a child that was forked just now still has its name."""
        def one():
            found = self.processes(role)
            return found if len(found) == 1 else None
        return wait_for(one, what="one process " + role)[0]

    def workers(self):
        """{pid: its seccomp filters}: a session has one more than its template."""
        facts = {pid: status_of(pid) for pid in self.processes("worker")}
        return {pid: int(one["Seccomp_filters"]) for pid, one in facts.items() if one}

    def template(self):
        """The process that sessions are forked from; None while it is started anew."""
        found = [pid for pid, filters in self.workers().items() if filters == self.filters]
        return found[0] if found else None

    def sessions(self):
        """The pids of sessions, oldest first."""
        return [pid for pid, filters in self.workers().items() if filters > self.filters]

    def wait_sessions(self, count, seconds=10):
        return wait_for(lambda: len(self.sessions()) == count and (self.sessions() or True),
                        seconds, "%d session processes" % count)

    def connect(self, path, **how):
        return wsclient.connect(self.address, path, **how)


def started(pid):
    try:
        with open("/proc/%d/stat" % pid) as file:
            return int(file.read().rsplit(")", 1)[1].split()[19])
    except (FileNotFoundError, ProcessLookupError):
        return 0


class SuiteCase(unittest.TestCase):
    """Tests that share one suite; the last of them stops it and checks the end."""

    rules = None
    args = ()
    seconds = 60

    @classmethod
    def setUpClass(cls):
        cls.suite = Suite(cls.rules, args=cls.args)
        cls.suite.start()

    @classmethod
    def tearDownClass(cls):
        if cls.suite in running:
            cls.suite.kill_all()
        shutil.rmtree(cls.suite.directory, ignore_errors=True)

    def test_zz_stops_in_order(self):
        self.suite.stop()


last = []


def note_last(one):
    last[:] = [one.stderr()]


def last_words():
    """What the suites said on standard error: for the report of a failure."""
    text = "".join(one.stderr()[-4000:] for one in running) or "".join(last)[-4000:]
    return "standard error of the suite:\n" + text if text else ""


def end_all():
    for one in list(running):
        one.kill_all()
