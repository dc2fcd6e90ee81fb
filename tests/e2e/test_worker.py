#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The real, confined worker under a template, with the test as listener and broker."""

import asyncio
import hashlib
import os
import random
import select
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import double  # noqa: E402
import suite  # noqa: E402
import tap  # noqa: E402
import wsclient  # noqa: E402

WORKER = os.path.join(suite.BUILD, "worker", "sockward-worker")
DONE, CONFINE_FAILED = 0, 1
HTTP_REFUSED, CLIENT_LOST, BROKER_LOST = 10, 15, 16


def reason(name):
    with open(os.path.join(suite.SOURCE, "ipc", "reasons.def")) as file:
        rows = [line for line in file if line.startswith("REASON(")]
    return next(i for i, row in enumerate(rows) if row.startswith("REASON(%s," % name))


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
        socket.send_fds(self.broker, [double.plain("CLIENT")], [accepted.fileno()])
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


class Streams(WorkerCase):
    seconds = 120

    def exchange(self, seed, up, down):
        """Random pieces both ways at once, half-closes, SHA-256 of all of it."""
        session = self.session()
        ws = session.ws("/raw/db.example/5432?eof=message")
        far, _ = session.dial()
        pieces = random.Random(seed)
        sent = pieces.randbytes(up)
        back = pieces.randbytes(down)
        got = hashlib.sha256()

        def server():
            far.sendall(back)
            far.shutdown(socket.SHUT_WR)
            while True:
                some = far.recv(pieces.randint(1, 100000))
                if not some:
                    break
                got.update(some)

        def client():
            at = 0
            while at < up:
                n = pieces.randint(1, 90000)
                ws.send(sent[at:at + n])
                at += n
            ws.send(b"")

        threads = [threading.Thread(target=server), threading.Thread(target=client)]
        for thread in threads:
            thread.start()
        heard = hashlib.sha256()
        try:
            while True:
                heard.update(ws.recv()[1])
        except wsclient.Closed as closed:
            self.assertEqual(closed.code, 1000)
        for thread in threads:
            thread.join()
        self.assertEqual(heard.hexdigest(), hashlib.sha256(back).hexdigest())
        self.assertEqual(got.hexdigest(), hashlib.sha256(sent).hexdigest())
        ended = struct.unpack_from("=IIIIQQ", session.take("END"))
        self.assertEqual(ended[4:], (up, down))
        ws.sock.close()
        self.assertEqual(session.status(), DONE)

    def test_bytes(self):
        for seed, (up, down) in enumerate([(0, 0), (1, 0), (0, 1), (70001, 1 << 20),
                                           (5000000, 30000000), (30000000, 100)]):
            with self.subTest(up=up, down=down):
                self.exchange(seed, up, down)

    def test_reset_of_the_destination(self):
        session = self.session()
        ws = session.ws("/raw/db.example/5432")
        far, ours = session.dial()
        ours.close()
        far.sendall(b"before")
        self.assertEqual(ws.recv()[1], b"before")
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        far.close()
        with self.assertRaises(wsclient.Closed) as closed:
            ws.recv()
        self.assertEqual(closed.exception.code, 4004)

    def test_cut_comes_after_the_shutdown(self):
        session = self.session()
        ws = session.ws("/raw/db.example/5432")
        far, ours = session.dial()
        far.sendall(b"delivered")
        time.sleep(0.1)
        ours.shutdown(socket.SHUT_RDWR)
        time.sleep(0.1)
        session.broker.send(struct.pack("=III", double.TYPES["CUT"], 1, reason("LIFETIME")))
        self.assertEqual(ws.recv()[1], b"delivered")
        with self.assertRaises(wsclient.Closed) as closed:
            ws.recv()
        self.assertEqual(closed.exception.code, 4008)

    def test_no_spinning(self):
        """Neither idle, nor with a client that reads nothing and a stream that hung up."""
        session = self.session()
        session.ws("/raw/db.example/5432")
        far, ours = session.dial()
        ours.close()
        ticks = session.cpu_ticks()
        time.sleep(1)
        self.assertLessEqual(session.cpu_ticks() - ticks, 1)
        far.settimeout(0.5)
        try:
            while True:
                far.send(bytes(65536))
        except socket.timeout:
            pass
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        far.close()
        time.sleep(0.2)
        ticks = session.cpu_ticks()
        time.sleep(1)
        self.assertLessEqual(session.cpu_ticks() - ticks, 1)

    def test_other_sessions_live_on(self):
        one, two = self.session(), self.session()
        ws = two.ws("/raw/db.example/5432")
        far, _ = two.dial()
        one.client.sendall(b"nonsense\r\n\r\n")
        self.assertEqual(one.status(), HTTP_REFUSED)
        ws.send(b"still here")
        self.assertEqual(far.recv(100), b"still here")


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


class OtherClients(WorkerCase):
    def test_python_websockets(self):
        import websockets

        session = self.session()
        far = []

        def broker():
            session.admit()
            far.append(session.dial()[0])
            while True:
                some = far[0].recv(65536)
                if not some:
                    break
                far[0].sendall(some)
            far[0].close()

        thread = threading.Thread(target=broker)
        thread.start()

        async def read(ws, n):
            got = b""
            while len(got) < n:
                got += await ws.recv()
            return got

        async def client():
            async with websockets.connect("ws://h/raw/db.example/5432", sock=session.client,
                                          subprotocols=["binary"]) as ws:
                self.assertEqual(ws.subprotocol, "binary")
                blob = random.Random(3).randbytes(300000)
                await ws.send(blob)
                self.assertEqual(await read(ws, len(blob)), blob)
                await asyncio.wait_for(await ws.ping(b"there?"), 5)
                await ws.send([b"in ", b"three ", b"fragments"])
                self.assertEqual(await read(ws, 18), b"in three fragments")
                await ws.close(4321, "enough")
                return ws.close_code

        self.assertEqual(asyncio.run(client()), 4321)
        thread.join()
        self.assertEqual(session.status(), DONE)


if __name__ == "__main__":
    sys.exit(tap.main())
