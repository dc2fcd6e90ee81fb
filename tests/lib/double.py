# SPDX-License-Identifier: ISC
"""Listener and broker of one worker, played by the test: it starts a worker as the
listener does, hands it a client, and answers as the test wants.

    with double.Double(worker) as one:
        one.ask("/attack/stream-reconnect?port=80")
        one.client.recv(100)
"""

import contextlib
import ctypes
import os
import re
import select
import signal
import socket
import struct
import subprocess
import time

import suite

CLONE_NEWNET = 0x40000000
UDP = 2  # PROTOCOL_UDP
libc = ctypes.CDLL(None, use_errno=True)


def message_types():
    """Numbers of the messages, from the one table."""
    with open(os.path.join(suite.SOURCE, "ipc", "messages.h")) as file:
        rows = re.findall(r"^\tROW\((\w+),\s+struct", file.read(), re.M)
    assert rows[0] == "SPAWN" and len(rows) > 30, rows
    return {name: number + 1 for number, name in enumerate(rows)}


TYPES = message_types()


def plain(name):
    return struct.pack("=I", TYPES[name])


def client():
    """CLIENT, of one that is no listed proxy."""
    return plain("CLIENT") + bytes(4)


def granted(channels=8, message_bytes=1 << 20, connect_ms=30000):
    return struct.pack("=IIIII44x", TYPES["GRANTED"], 0, channels, message_bytes, connect_ms)


def opened(tag, stream, port):
    return struct.pack("=IIIBBH16s", TYPES["OPENED"], tag, stream, 4, 0, port,
                       bytes([127, 0, 0, 1]) + bytes(12)) + bytes(20)


def connected_pair():
    """Two ends of a TCP connection on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        return client, listener.accept()[0]


class Double:
    def __init__(self, worker, empty_net=False):
        self.worker = worker
        self.empty_net = empty_net
        self.dialled = []

    def __enter__(self):
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.client, self.accepted = connected_pair()
        self.client.settimeout(10)

        def prepare():
            os.dup2(theirs.fileno(), 3)
            if self.empty_net and libc.unshare(CLONE_NEWNET) != 0:
                os._exit(99)

        with open(os.devnull, "r+b") as null:
            self.process = subprocess.Popen(
                [self.worker, "--session"], stdin=null, stdout=null, stderr=null, env={},
                close_fds=True, pass_fds=(3,) if theirs.fileno() == 3 else (3, theirs.fileno()),
                preexec_fn=prepare)
        theirs.close()
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for sock in [self.channel, self.client, self.accepted] + self.dialled:
            with contextlib.suppress(OSError):
                sock.close()

    def hand_client(self):
        socket.send_fds(self.channel, [client()], [self.accepted.fileno()])
        self.accepted.close()

    def ask(self, path):
        """Hand over the client, which asks for that."""
        self.hand_client()
        self.client.sendall(b"GET %s HTTP/1.1\r\n\r\n" % path.encode())

    def serve(self, seconds=10):
        """Play the broker until the worker is gone: grant and dial whatever it asks for."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            if not select.select([self.channel], [], [], 0.02)[0]:
                continue
            with contextlib.suppress(ConnectionResetError):
                self.answer(self.channel.recv(65536))
        return self.status()

    def answer(self, message):
        if len(message) < 4:
            return
        kind = struct.unpack_from("=I", message)[0]
        with contextlib.suppress(BrokenPipeError):
            if kind == TYPES["AUTH"]:
                self.channel.send(granted())
            elif kind == TYPES["OPEN"]:
                tag, port, protocol = struct.unpack_from("=I2xH16xB", message, 4)
                self.dialled.append(socket.socket(
                    type=socket.SOCK_DGRAM if protocol == UDP else socket.SOCK_STREAM))
                self.dialled[-1].connect(("127.0.0.1", port))
                socket.send_fds(self.channel, [opened(tag, len(self.dialled), port)],
                                [self.dialled[-1].fileno()])

    def status(self, seconds=10):
        """The exit status; -31 when the filter ended it."""
        return self.process.wait(seconds)

    def heard(self):
        """All lines that the client has got by the end."""
        text = b""
        with contextlib.suppress(ConnectionResetError, socket.timeout):
            while True:
                more = self.client.recv(65536)
                if not more:
                    break
                text += more
        return text.decode(errors="replace").splitlines()


KILLED = -signal.SIGSYS
