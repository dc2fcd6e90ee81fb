#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The real, confined worker under a template: data, resets, and a client of others."""

import asyncio
import hashlib
import os
import random
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import double
import suite
import tap
import wsclient
from workerbox import DONE, HTTP_REFUSED, WorkerCase


def reason(name):
    with open(os.path.join(suite.SOURCE, "ipc", "reasons.def")) as file:
        rows = [line for line in file if line.startswith("REASON(")]
    return next(i for i, row in enumerate(rows) if row.startswith("REASON(%s," % name))


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
