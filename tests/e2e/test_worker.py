#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The real, confined worker under a template: how sessions start and end."""

import os
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import suite
import tap
import wsclient
from workerbox import BROKER_LOST, CLIENT_LOST, CONFINE_FAILED, DONE, Session, WorkerCase, start


class Template(WorkerCase):
    def test_session_is_a_confined_child_of_the_listener(self):
        session = self.session()
        status = dict(line.split(":\t", 1) for line in session.proc("status").splitlines())
        self.assertEqual(int(status["PPid"]), os.getpid())
        self.assertEqual(status["Seccomp"].strip(), "2")
        self.assertEqual(status["NoNewPrivs"].strip(), "1")
        for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertEqual(int(status[kind], 16), 0, kind)
        self.assertEqual(int(status["Threads"]), 1)

    @tap.needs_root
    def test_descriptors(self):
        session = self.session()
        ws = session.ws("/raw/db.example/5432")

        def table():
            path = "/proc/%d/fd" % session.pid
            return sorted(os.readlink(os.path.join(path, fd)).split(":")[0]
                          for fd in os.listdir(path))

        base = ["/dev/null"] * 3 + ["anon_inode", "socket", "socket"]
        suite.wait_for(lambda: table() == base, what="the table of a session: %s" % table())
        session.dial()
        suite.wait_for(lambda: table() == base + ["socket"], what="the table with a stream")
        ws.close(1000)
        path = "/proc/%d/fd" % self.template.pid
        self.assertEqual(sorted(os.listdir(path)), ["0", "1", "2", "3"])

    def test_ends_with_its_listener(self):
        session = self.session()
        self.channel.close()
        self.assertEqual(self.template.wait(5), DONE)
        session.broker.close()
        self.assertEqual(session.status(), BROKER_LOST)

    def test_many(self):
        began = time.monotonic()
        for _ in range(200):
            self.session()
        took = time.monotonic() - began
        print("# 200 sessions started in %.0f ms" % (took * 1000))
        for session in self.sessions:
            session.client.close()
        for session in self.sessions:
            self.assertEqual(session.status(), CLIENT_LOST)

    def test_nonsense_ends_it(self):
        self.channel.send(b"nonsense")
        self.assertEqual(self.template.wait(5), BROKER_LOST)

    def test_standard_descriptors_must_be_null(self):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs, open("/dev/zero", "wb") as zero:
            self.assertEqual(start("--template", theirs, zero).wait(5), CONFINE_FAILED)

    def test_channel_must_be_a_packet_socket(self):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            self.assertEqual(start("--template", theirs).wait(5), CONFINE_FAILED)
            self.assertEqual(start("--nonsense", theirs).wait(5), CONFINE_FAILED)

    def test_exec_mode(self):
        def spawn(channel):
            process = start("--session", channel)
            return process.pid, os.pidfd_open(process.pid)

        session = Session(spawn)
        self.sessions.append(session)
        ws = session.ws("/raw/db.example/5432")
        far, _ = session.dial()
        ws.send(b"by exec")
        self.assertEqual(far.recv(100), b"by exec")
        with open("/proc/%d/status" % session.pid) as file:
            self.assertIn("\nSeccomp:\t2\n", file.read())


class Broker(WorkerCase):
    def test_gone(self):
        session = self.session()
        ws = session.ws("/raw/db.example/5432")
        far, ours = session.dial()
        ours.close()
        began = time.monotonic()
        session.broker.close()
        with self.assertRaises(wsclient.Closed) as closed:
            ws.recv()
        self.assertEqual(closed.exception.code, 1011)
        self.assertEqual(far.recv(1), b"")
        self.assertEqual(session.status(), BROKER_LOST)
        self.assertLess(time.monotonic() - began, 1)

    def test_killed_worker_takes_nobody_along(self):
        session = self.session()
        session.ws("/raw/db.example/5432")
        os.kill(session.pid, 9)
        self.assertEqual(session.status(), 9)
        self.assertEqual(session.client.recv(1), b"")
        other = self.session()
        other.ws("/raw/db.example/5432")


if __name__ == "__main__":
    sys.exit(tap.main())
