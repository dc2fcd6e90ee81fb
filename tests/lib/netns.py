# SPDX-License-Identifier: ISC
"""Two network namespaces of our own (root only). One is for a suite and its
clients: it has 203.0.114.1 and 2600:99::1, and its default route leads to the
other one, which takes EVERY address for its own. So whatever a suite dials, public
or private, arrives here and nowhere else, and is seen:

    with netns.Pair() as pair, suite.Suite(...) as one: ...
    pair.arrived  ->  [("8.8.8.8", 80), ...]

It listens on some ports of all addresses; datagrams it sends back for some addresses.
"""

import contextlib
import ctypes
import os
import subprocess

import targets

OWN4, OWN6 = "203.0.114.1", "2600:99::1"
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def setns(fd):
    if libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def unshare():
    """Into a new namespace; a descriptor of it."""
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Catcher(targets.Echo):
    """An echo on one port of all addresses; tells where a connection was meant to go."""

    def __init__(self, arrived, address, port):
        super().__init__(address=address, port=port)
        self.arrived = arrived

    def serve(self, sock, seen):
        self.arrived.append(sock.getsockname()[:2])
        super().serve(sock, seen)


class Pair:
    def __init__(self, ports=(80,), datagrams=()):
        self.ports = ports
        self.datagrams = datagrams  # (address, port)
        self.arrived = []
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        self.home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.stack.callback(os.close, self.home)
        self.inner = unshare()
        self.stack.callback(os.close, self.inner)
        self.outer = unshare()
        self.stack.callback(os.close, self.outer)
        self.stack.callback(setns, self.home)
        try:
            self.make_outer()
            setns(self.inner)
            self.make_inner()
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *_):
        self.stack.close()

    def make_outer(self):
        ip("link", "set", "lo", "up")
        ip("link", "add", "out", "type", "veth", "peer", "name", "in")
        ip("link", "set", "in", "netns", "/proc/%d/fd/%d" % (os.getpid(), self.inner))
        ip("addr", "add", "203.0.114.2/24", "dev", "out")
        ip("addr", "add", "2600:99::2/64", "dev", "out", "nodad")
        ip("link", "set", "out", "up")
        # In the main table, so that the way back to the other side is still longer.
        ip("route", "add", "local", "0.0.0.0/0", "dev", "lo", "table", "main")
        ip("-6", "route", "add", "local", "::/0", "dev", "lo", "table", "main")
        for port in self.ports:
            for address in ("0.0.0.0", "::"):
                self.stack.enter_context(Catcher(self.arrived, address, port))
        for address, port in self.datagrams:
            self.stack.enter_context(targets.UdpEcho(address, port))

    def make_inner(self):
        ip("link", "set", "lo", "up")
        ip("addr", "add", OWN4 + "/24", "dev", "in")
        ip("addr", "add", OWN6 + "/64", "dev", "in", "nodad")
        ip("link", "set", "in", "up")
        ip("route", "add", "default", "via", "203.0.114.2")
        ip("-6", "route", "add", "default", "via", "2600:99::2")
