#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""`sockward metrics` and `sockward status`: numbers that are those of the audit file, who
is down and since when."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import dialects
import ipcwire as wire
import openmetrics
import suite
import tap
import targets
import wsclient
from suite import to
from test_inbound import free_range

ALL = ("tcp", "udp", "tls")
LOW = free_range(2)
LISTEN = {"address": "127.0.0.1", "ports": "%d-%d" % (LOW, LOW + 1), "from": ["127.0.0.1/32"],
          "most": 1}
RULES = suite.policy(
    {"open": suite.grant([to("127.0.0.1:*", ALL), to("localhost:*", ALL, private=True)],
                         explain=True, listen=LISTEN),
     "key": suite.grant(auth=suite.tokens(suite.TOKEN))},
    dialects=["raw", "wasmnet"])
WORDS = list(wire.REASONS)
TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
STATUS = ["directory", "state", "state_for_ms", "amiss", "uptime_ms", "generation", "policy",
          "policy_for_ms", "sessions", "sessions_most", "sessions_per_source", "handshake_ms",
          "sessions_minute", "sessions_total", "shed_total", "workers_crashed", "draining",
          "listener", "listener_for_ms", "broker", "broker_for_ms", "resolver",
          "resolver_for_ms", "authenticator", "authenticator_for_ms", "auditor",
          "auditor_for_ms", "audit_records", "audit_writable"]


def numbers(one):
    return openmetrics.parse(one.control("metrics", check=True).stdout)


def wait_numbers(one, **wanted):
    """The numbers, once those that have no label are as wanted."""
    def there():
        found = numbers(one)
        return found if all(found.get(("sockward_" + name,)) == value
                            for name, value in wanted.items()) else None
    return suite.wait_for(there, what=str(wanted))


def status(one):
    done = one.control("status", "--json")
    return done.returncode, json.loads(done.stdout)


@contextlib.contextmanager
def frozen(one):
    """Nothing that dies meanwhile is started again."""
    one.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        one.process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def unreachable(one, name):
    """Nobody connects to that program anew: a queue that nobody serves would pass for it."""
    path = os.path.join(one.runtime, name + ".sock")
    os.rename(path, path + ".away")
    try:
        yield
    finally:
        os.rename(path + ".away", path)


class Text(unittest.TestCase):
    def test_the_reader_is_strict(self):
        good = ("# TYPE a counter\n# HELP a x\na_total{b=\"c\"} 1\na_total{b=\"d\"} 2\n# EOF\n")
        self.assertEqual(openmetrics.parse(good), {("a_total", "b=c"): 1, ("a_total", "b=d"): 2})
        h = ("# TYPE h_s histogram\n# UNIT h_s s\n# HELP h_s x\nh_s_bucket{le=\"1.0\"} 1\n"
             "h_s_bucket{le=\"+Inf\"} 2\nh_s_count 2\nh_s_sum 3.5\n# EOF\n")
        self.assertEqual(len(openmetrics.parse(h)), 4)
        for text, old, new in (
                (good, "# EOF\n", ""), (good, "# EOF\n", "# EOF\n\n"), (good, "# EOF", "#EOF"),
                (good, "# TYPE a counter\n", ""), (good, "# HELP a x\n", ""),
                (good, "# HELP a x\n", "# HELP a x\n# HELP a y\n"), (good, "counter", "thing"),
                (good, "# HELP a x\n", "# HELP a x\n# UNIT a s\n"), (good, '"d"', '"c"'),
                (good, "a_total{b=\"d\"} 2\n", "a 2\n"), (good, " 2\n", " -2\n"),
                (good, " 2\n", " 2 \n"), (good, " 2\n", " NaN\n"), (good, 'b="d"', 'b="d",b="e"'),
                (good, 'b="d"', 'b="\\x"'), (good, "a_total{b=\"d\"}", "\na_total{b=\"d\"}"),
                (good, "# EOF", "# TYPE b gauge\n# HELP b x\nb 1\n# TYPE a gauge\n# EOF"),
                (good, "# EOF", "# TYPE b gauge\n# HELP b x\n# EOF"),
                (good, "# EOF", "# TYPE a_total gauge\n# HELP a_total x\na_total 1\n# EOF"),
                (good, "# EOF", "# EOF\n# TYPE b gauge\n# HELP b x\nb 1\n# EOF"),
                (h, "count 2", "count 3"), (h, "h_s_sum 3.5\n", ""), (h, "} 1\n", "} 3\n"),
                (h, 'le="1.0"', 'le="1"'), (h, "h_s_bucket{le=\"+Inf\"} 2\n", "")):
            with self.subTest(old=old, new=new):
                self.assertIn(old, text)
                with self.assertRaises(openmetrics.Wrong):
                    openmetrics.parse(text.replace(old, new, 1))

    def test_all_are_documented(self):
        with open(os.path.join(suite.SOURCE, "docs", "METRICS.md")) as file:
            rows = [re.findall(r"^\| `(sockward_\w+)` \| (\w+) \|([^|]*)\|", line)
                    for line in file]
        rows = {name: (kind, set(re.findall(r"`(\w+)`", labels)))
                for found in rows for name, kind, labels in found}
        with suite.Suite(RULES) as one:
            found = openmetrics.families(one.control("metrics", check=True).stdout)
        self.assertEqual(list(found), list(rows))
        for name, family in found.items():
            labels = {label for _, labels, _ in family.samples for label in labels}
            self.assertEqual((family.meta["TYPE"], labels), rows[name], name)


class Numbers(unittest.TestCase):
    seconds = 120

    def refusals(self, one, target, closed):
        for path, how in (("/raw/10.0.0.1/80", {}), (target.path() + "?token=wrong", {}),
                          (target.path(), {"host": "evil.test"}),
                          ("/raw/127.0.0.1/%d" % closed.getsockname()[1], {}),
                          ("/raw/127.1/80", {})):
            with contextlib.suppress(wsclient.Refused, wsclient.Gone), \
                    one.connect(path, **how) as client:
                client.recv_close()
                client.close()

    def one_of_each(self, one, target, udp):
        """Streams of all kinds, granted and refused, and lookups, in one session."""
        with dialects.session(one, "wasmnet-json") as s:
            self.assertIsNone(s.ask("127.0.0.1", target.port))
            for stream, kind, host, wanted in (
                    (10, "udp", "127.0.0.1", "opened"), (11, "udp", "10.0.0.1", "refused"),
                    (12, "tls", "10.0.0.1", "refused"), (13, "tls", "localhost", "refused"),
                    (14, "tcp", "10.0.0.1", "refused")):
                s.open(stream, host, udp.port if kind == "udp" else target.port, kind)
                if stream == 13:  # granted, and no TLS is spoken there
                    s.wait(stream, "refused", "closed")
                    continue
                self.assertEqual(s.wait(stream, "opened", "refused")[0], wanted)
            s.send(10, b"datagram")
            self.assertEqual(s.read_bytes(10, 8), b"datagram")
            for stream, name, wanted in ((20, "localhost", "resolved"), (21, "a..b", "refused"),
                                         (22, "nowhere.invalid", "refused")):
                s.say("resolve", stream, name=name)
                self.assertEqual(s.wait(stream, "resolved", "refused")[0], wanted)
            s.say("bind", 30, "10.0.0.1", 80)
            s.wait(30, "refused")
            s.say("bind", 31, "127.0.0.1", 0)
            port = s.wait(31, "listening")[1]
            s.say("listen", 31)
            s.wait(31, "listening")
            with socket.create_connection(("127.0.0.1", port), 10) as outside:
                conn, _ = s.wait(31, "accepted")[1]
                s.send(conn, b"inside")
                self.assertEqual(outside.recv(6, socket.MSG_WAITALL), b"inside")

    def agree(self, one, before=0):
        """The auditor's numbers are those of the file, but for its first lines."""
        def same():
            found = numbers(one)
            want = openmetrics.expected(one.records()[before:], WORDS)
            self.wrong = {key: (found.get(key), value) for key, value in want.items()
                          if found.get(key) != value}
            return None if self.wrong else found
        try:
            return suite.wait_for(same)
        except AssertionError:
            self.fail("number, and what it should be: %s" % self.wrong)

    def test_they_are_those_of_the_audit_file(self):
        with suite.Suite(RULES) as one, targets.Echo() as target, targets.UdpEcho() as udp:
            self.one_of_each(one, target, udp)
            with targets.closed_port() as closed:
                self.refusals(one, target, closed)
            with one.connect(target.path()) as client:
                client.send(bytes(12345))
                client.recv_bytes(12345)
                client.finish()
            one.wait_record("session-end", count=7)
            found = self.agree(one)
            for kind in ("tcp", "udp", "tls", "listen", "inbound"):
                self.assertGreater(
                    found["sockward_streams_total", "kind=" + kind, "verdict=granted"], 0, kind)
            for kind in ("tcp", "udp", "tls", "listen"):
                self.assertGreater(
                    found["sockward_streams_total", "kind=" + kind, "verdict=refused"], 0, kind)
            self.assertGreater(found["sockward_lookups_total", "verdict=granted"], 0)
            self.assertGreater(found["sockward_lookups_total", "verdict=refused"], 0)
            self.assertGreater(found["sockward_claimed_udp_bytes_total", "direction=up"], 0)
            for why in ("no-rule", "peer-refused"):
                self.assertGreater(found["sockward_requests_refused_total", "reason=" + why], 0)
            for why in ("token-wrong", "host-not-served"):
                self.assertEqual(found["sockward_sessions_refused_total", "reason=" + why], 1)
            self.assertGreaterEqual(found["sockward_stream_bytes_total", "direction=up"], 12345)
            granted = found["sockward_sessions_authenticated_total",]
            found = wait_numbers(one, sessions_open=0, handshake_seconds_count=granted,
                                 sessions_accepted_total=7)
            self.assertGreater(found["sockward_handshake_seconds_sum",], 0)
            self.assertEqual(found["sockward_workers_crashed_total",], 0)

    def test_a_crash_and_a_limit(self):
        rules = dict(RULES, limits={"sessions_per_source": 2})
        with suite.Suite(rules) as one, targets.Hold() as target:
            clients = [one.connect(target.path()) for _ in range(2)]
            for client in clients:
                client.recv_bytes(6)
            with contextlib.suppress(OSError, wsclient.Gone), one.connect(target.path()):
                self.fail("one too many was taken")
            found = wait_numbers(one, connections_shed_total=1, sessions_open=2)
            self.assertEqual(found["sockward_handshake_seconds_count",], 2)
            os.kill(one.sessions()[0], signal.SIGSEGV)
            found = wait_numbers(one, workers_crashed_total=1, sessions_open=1)
            one.wait_record("session-end", reason="worker-crashed")
            found = self.agree(one)
            self.assertEqual(found["sockward_sessions_ended_total", "reason=worker-crashed"], 1)
            code, now = status(one)
            self.assertEqual((code, now["state"], now["workers_crashed"], now["shed_total"],
                              now["sessions"], now["sessions_minute"], now["sessions_total"],
                              now["sessions_per_source"]), (0, "serving", 1, 1, 1, 2, 2, 2))
            for client in clients:
                client.sock.close()

    def test_a_new_auditor_begins_at_0(self):
        with suite.Suite(RULES) as one, targets.Echo() as target:
            def session():
                with one.connect(target.path()) as client:
                    client.send(b"x")
                    client.recv_bytes(1)
                    client.finish()
            for _ in range(3):
                session()
            one.wait_record("session-end", count=3)
            before = self.agree(one)
            lines = len(one.records())
            auditor = one.pid("auditor")
            os.kill(auditor, signal.SIGKILL)
            suite.wait_for(lambda: [p for p in one.processes("auditor") if p != auditor])
            suite.wait_for(lambda: one.control("status").returncode == 0)
            session()
            one.wait_record("session-end", count=4)
            after = self.agree(one, lines)
            self.assertEqual(after["sockward_sessions_opened_total",], 1)
            start = ("sockward_start_time_seconds", "part=auditor")
            self.assertGreater(after[start], before[start])
            self.assertEqual(after["sockward_sessions_accepted_total",], 4)


class Amiss(unittest.TestCase):
    seconds = 90

    def test_a_helper_is_down(self):
        with suite.Suite(RULES) as one:
            self.assertEqual(status(one)[0], 0)
            with unreachable(one, "resolver"):
                os.kill(one.pid("resolver"), signal.SIGKILL)
                suite.wait_for(lambda: status(one)[0] == 3)
                code, first = status(one)
                self.assertEqual(first["state"], "degraded")
                self.assertEqual([each["what"] for each in first["amiss"]],
                                 ["the resolver is down"])
                self.assertEqual((first["resolver"], first["broker"], first["auditor"]),
                                 (False, True, True))
                later = suite.wait_for(lambda: [now for now in [status(one)[1]]
                                                if now["resolver_for_ms"] >
                                                first["resolver_for_ms"]])[0]
                self.assertEqual(later["state_for_ms"], later["resolver_for_ms"])
                self.assertLess(later["resolver_for_ms"], later["broker_for_ms"])
                text = one.control("status").stdout
                self.assertRegex(text, r"State: degraded since .* ago\n +the resolver is down, "
                                       r"since ")
                self.assertIn("resolver DOWN", text)
                found = numbers(one)
                for program in ("broker", "resolver", "authenticator", "auditor"):
                    self.assertEqual(found["sockward_program_up", "program=" + program],
                                     int(program != "resolver"))
                self.assertLess(
                    found["sockward_program_state_seconds", "program=resolver"],
                    found["sockward_program_state_seconds", "program=broker"])
            suite.wait_for(lambda: status(one)[0] == 0)
            self.assertEqual(status(one)[1]["state"], "serving")

    def test_the_broker_is_down(self):
        with suite.Suite(RULES) as one:
            with frozen(one):
                os.kill(one.pid("broker"), signal.SIGKILL)
                suite.wait_for(lambda: status(one)[0] == 3)
                now = status(one)[1]
                self.assertEqual((now["state"], now["broker"], now["resolver"], now["auditor"]),
                                 ("degraded", False, None, None))
                self.assertEqual([each["what"] for each in now["amiss"]],
                                 ["the broker is down"])
                self.assertIn("resolver unknown", one.control("status").stdout)
            suite.wait_for(lambda: status(one)[0] == 0)

    def test_one_of_the_two_does_not_answer(self):
        with suite.Suite(RULES) as one:
            with frozen(one):
                os.kill(one.pid("auditor"), signal.SIGKILL)
                found = numbers(one)
                self.assertEqual((found["sockward_up", "part=listener"],
                                  found["sockward_up", "part=auditor"]), (1, 0))
                self.assertNotIn(("sockward_audit_records_total",), found)
                self.assertIn(("sockward_sessions_open",), found)
                os.kill(one.pid("listener"), signal.SIGKILL)
                done = one.control("metrics")
                self.assertEqual(done.returncode, 1)
                self.assertEqual(openmetrics.parse(done.stdout),
                                 {("sockward_up", "part=listener"): 0,
                                  ("sockward_up", "part=auditor"): 0})
                self.assertEqual(one.control("status").returncode, 1)
            suite.wait_for(lambda: one.control("status").returncode == 0)
            found = numbers(one)
            self.assertEqual(found["sockward_up", "part=auditor"], 1)

    def test_an_auditor_that_stands_still(self):
        with suite.Suite(RULES) as one:
            auditor = one.pid("auditor")
            os.kill(auditor, signal.SIGSTOP)
            try:
                code, now = status(one)
                self.assertEqual((code, now["state"], now["auditor"], now["amiss"]),
                                 (3, "degraded", True,
                                  [{"what": "the auditor does not answer", "for_ms": None}]))
                self.assertIn("the auditor does not answer, since an unknown time",
                              one.control("status").stdout)
            finally:
                os.kill(auditor, signal.SIGCONT)
            self.assertEqual(status(one)[0], 0)

    def test_nobody_is_there(self):
        done = suite.sockward("metrics", "--runtime-dir", "/nonexistent")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(set(openmetrics.parse(done.stdout).values()), {0})
        self.assertEqual(suite.sockward("status", "--runtime-dir", "/nonexistent").returncode, 1)
        self.assertEqual(suite.sockward("metrics", "--json").returncode, 2)
        self.assertEqual(suite.sockward("metrics", "more").returncode, 2)

    def test_draining(self):
        with suite.Suite(RULES) as one, targets.Endless() as target, \
                wsclient.connect(one.address, target.path(), rcvbuf=4096):
            drain = subprocess.Popen([suite.SOCKWARD, "drain", "--runtime-dir", one.runtime,
                                      "--deadline", "20s"])
            try:
                suite.wait_for(lambda: status(one)[1]["draining"])
                code, now = status(one)
                self.assertEqual((code, now["state"], now["sessions"]), (3, "draining", 1))
                self.assertLess(now["state_for_ms"], now["broker_for_ms"])
                self.assertEqual(numbers(one)["sockward_draining",], 1)
                self.assertIn("draining since", one.control("status").stdout)
            finally:
                drain.kill()
                drain.wait()
            one.kill_all()
            one.start()

    def test_the_json_has_stable_names(self):
        with suite.Suite(RULES) as one:
            now = status(one)[1]
            self.assertEqual(list(now), STATUS)
            self.assertEqual(now["directory"], one.runtime)
            self.assertTrue(now["audit_writable"])
            self.assertEqual(now["audit_records"], len(one.records()))
            text = one.control("status", check=True).stdout
            for word in ("serving since", one.runtime, "generation 1", now["policy"],
                         "0 now", "at once", "0 connections", "0 workers", "can be written"):
                self.assertIn(word, text)


if __name__ == "__main__":
    sys.exit(tap.main())
