# SPDX-License-Identifier: ISC
"""The real, confined worker under a template, with the test as listener and broker."""

import os
import select
import socket
import struct
import subprocess
import threading
import unittest

import double
import suite
import wsclient

WORKER = os.path.join(suite.BUILD, "worker", "sockward-worker")
DONE, CONFINE_FAILED = 0, 1
HTTP_REFUSED, CLIENT_LOST, BROKER_LOST = 10, 15, 16


def start(mode, channel, stdout=subprocess.DEVNULL):
    def prepare():
        os.dup2(channel.fileno(), 3)

    keep = (3,) if channel.fileno() == 3 else (3, channel.fileno())
    return subprocess.Popen([WORKER, mode], stdin=subprocess.DEVNULL, stdout=stdout,
                            stderr=subprocess.DEVNULL, env={}, pass_fds=keep, preexec_fn=prepare)


class Given(wsclient.Client):
    """A client on a connection that is there already."""

    def __init__(self, sock):  # pylint: disable=super-init-not-called
        self.sock = sock
        sock.settimeout(20)
        self.address = ("gw.example", 80)
        self.buffer = b""
        self.answer = None
        self.pings = 0
        self.pongs = []


class Session:
    """The broker's end of a session, the worker's process, and the client's TCP connection."""

    def __init__(self, spawn):
        self.broker, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        theirs.setblocking(False)  # the open description is the worker's
        self.broker.settimeout(10)
        self.client, accepted = double.connected_pair()
        accepted.setblocking(False)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        socket.send_fds(self.broker, [double.client()], [accepted.fileno()])
        accepted.close()
        self.pid, self.pidfd = spawn(theirs)
        theirs.close()
        self.sockets = [self.broker, self.client]

    def close(self):
        for sock in self.sockets:
            sock.close()
        if self.pidfd is not None:
            os.close(self.pidfd)

    def take(self, name):
        message = self.broker.recv(65536)
        kind = struct.unpack_from("=I", message)[0] if message else None
        assert kind == double.TYPES[name], (name, kind, message[:64])
        return message

    def ws(self, path, **how):
        """The client, upgraded and granted."""
        client = Given(self.client)
        thread = threading.Thread(target=self.admit)
        thread.start()
        client.open(path, **how)
        thread.join()
        return client

    def admit(self):
        self.take("AUTH")
        self.broker.send(double.granted())

    def dial(self):
        """Answers one OPEN. Returns the destination's end and the broker's duplicate."""
        tag, port = struct.unpack_from("=I2xH", self.take("OPEN"), 4)
        ours, far = double.connected_pair()
        ours.setblocking(False)
        far.settimeout(20)
        self.sockets += [ours, far]
        socket.send_fds(self.broker, [double.opened(tag, 1, port)], [ours.fileno()])
        return far, ours

    def status(self, seconds=15):
        assert select.select([self.pidfd], [], [], seconds)[0], "the session did not end"
        return os.waitid(os.P_PIDFD, self.pidfd, os.WEXITED).si_status

    def proc(self, name):
        with open("/proc/%d/%s" % (self.pid, name)) as file:
            return file.read()

    def cpu_ticks(self):
        fields = self.proc("stat").rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])


class WorkerCase(unittest.TestCase):
    def setUp(self):
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.channel.settimeout(10)
        self.template = start("--template", theirs)
        theirs.close()
        self.sessions = []

    def tearDown(self):
        for session in self.sessions:
            session.close()
        self.channel.close()
        if self.template.poll() is None:
            try:
                self.template.wait(5)
            except subprocess.TimeoutExpired:
                self.template.kill()
                self.template.wait()

    def spawn(self, channel):
        socket.send_fds(self.channel, [double.plain("SPAWN")], [channel.fileno()])
        message, fds, _, _ = socket.recv_fds(self.channel, 64, 4)
        kind, pid = struct.unpack("=II", message)
        self.assertEqual(kind, double.TYPES["SPAWNED"])
        self.assertEqual(len(fds), 1)
        return pid, fds[0]

    def session(self):
        self.sessions.append(Session(self.spawn))
        return self.sessions[-1]
