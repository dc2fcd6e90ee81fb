#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Case 164: a worker that does not sleep comes behind the others. That this helps them is a
matter of time, and measured: bench/spin.py."""

import contextlib
import json
import os
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import story
import suite
import tap
import targets
import wsclient

RULES = suite.policy({"open": suite.grant()}, dialects=["raw", "wasmnet"])
WITHIN = 60  # seconds; on an idle machine it takes 3


def raise_priority(pid):
    """It gets a CPU whatever else this machine has to do, if we may do that."""
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, pid, -20)
    # Where the kernel shares out by group first (sched(7)), which it may not do.
    with contextlib.suppress(OSError), open("/proc/%d/autogroup" % pid, "w") as file:
        file.write("-20")


class Feeder:
    """Keeps a worker busy: it closes a stream that there is not, until the end of this."""

    def __init__(self, client):
        self.client = client
        self.enough = threading.Event()
        self.thread = threading.Thread(target=self.feed)

    def feed(self):
        raise_priority(threading.get_native_id())
        message = wsclient.frame(wsclient.TEXT, b'{"op":"close","id":77}')
        while not self.enough.is_set():
            self.client.sock.sendall(message * 4000)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.enough.set()
        self.thread.join()


class Busy(unittest.TestCase):
    seconds = 120

    def row(self, one, client):
        """What `sockward sessions` says of it."""
        own = "%s:%d" % client.sock.getsockname()
        rows = json.loads(one.control("sessions", "--json", check=True).stdout)
        return [row for row in rows if row["client"] == own][0]

    def policy_of(self, one, client):
        """Its scheduling policy; the kernel's word and that of `sockward sessions` agree."""
        row = self.row(one, client)
        # The listener may act between the two.
        policy = os.sched_getscheduler(row["worker"])
        if row["behind"]:
            self.assertEqual(policy, os.SCHED_IDLE)
        return policy

    def behind(self, *args):
        with targets.Echo() as target, suite.Suite(RULES, args=args) as one, \
                one.connect("/wasmnet") as spins, one.connect(target.path()) as works, \
                one.connect(target.path()) as sleeps:
            def trip(client):
                client.send(b"x")
                self.assertEqual(client.recv_bytes(1), b"x")

            def is_behind():
                trip(works)
                return self.policy_of(one, spins) == os.SCHED_IDLE
            trip(sleeps)
            for client in (spins, works, sleeps):
                self.assertEqual(self.policy_of(one, client), os.SCHED_OTHER)
            raise_priority(self.row(one, spins)["worker"])
            with Feeder(spins):
                suite.wait_for(is_behind, WITHIN, "the busy worker's way behind")
                row = suite.wait_for(lambda: self.row(one, spins)["behind"] and
                                     self.row(one, spins), WITHIN, "its row")
                self.assertEqual(row["state"], "open")
                for client in (works, sleeps):
                    self.assertEqual(self.policy_of(one, client), os.SCHED_OTHER)
                    self.assertFalse(self.row(one, client)["behind"])
            text = one.control("sessions", check=True).stdout
            self.assertEqual([line.split()[2] for line in text.splitlines()[1:]
                              if line.split()[0] == str(row["session"])], ["behind"])
            for client in (works, sleeps):
                trip(client)
            # It works, too, and stays where it is.
            spins.sock.settimeout(WITHIN)
            spins.send_text(json.dumps({"op": "connect", "id": 1, "addr": "127.0.0.1",
                                        "port": target.port}))
            self.assertEqual(json.loads(spins.recv()[1]), {"ev": "connected", "id": 1})
            spins.send_text(json.dumps({"op": "send", "id": 1, "data": "eA=="}))
            self.assertEqual(json.loads(spins.recv()[1]), {"ev": "data", "id": 1, "data": "eA=="})
            self.assertTrue(self.row(one, spins)["behind"])
            # The listener, and what later sessions are forked from, are where they were.
            for role in ("listener", "broker"):
                self.assertEqual(os.sched_getscheduler(one.pid(role)), os.SCHED_OTHER)
            with one.connect(target.path()) as later:
                trip(later)
                self.assertEqual(self.policy_of(one, later), os.SCHED_OTHER)
                later.finish()
            for client in (spins, works, sleeps):
                client.finish()
            one.stop()
            said = [line for line in one.stderr().splitlines() if "comes behind" in line]
            self.assertEqual(len(said), 1, said)
            self.assertIn("session %d " % row["session"], said[0])
            story.check(one.records())

    def test_164_behind(self):
        self.behind()

    def test_164_behind_by_exec(self):
        self.behind("--spawn=exec")


if __name__ == "__main__":
    sys.exit(tap.main())
