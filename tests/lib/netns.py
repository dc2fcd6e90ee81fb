# SPDX-License-Identifier: ISC
"""Two network namespaces of our own (root only). One is for a suite and its
clients: it has 203.0.114.1 and 2600:99::1, and its default route leads to the
other one, which takes EVERY address for its own. So whatever a suite dials, public
or private, arrives here and nowhere else, and is seen:

    with netns.Pair() as pair, suite.Suite(...) as one: ...
    pair.arrived  ->  [("8.8.8.8", 80), ...]       connections and datagrams

It listens on some ports of all addresses, and sends datagrams back from there; from other
ports for some addresses.
"""

import contextlib
import ctypes
import os
import select
import socket
import struct
import subprocess
import threading

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


class Datagrams:
    """The same for datagrams: each goes back from where it was meant to go."""

    # Level; IP_PKTINFO twice; IP_FREEBIND. IPV6_RECVPKTINFO, IPV6_PKTINFO, IPV6_FREEBIND.
    INFO = {socket.AF_INET: (socket.IPPROTO_IP, 8, 8, 15),
            socket.AF_INET6: (socket.IPPROTO_IPV6, 49, 50, 78)}

    def __init__(self, arrived, address, port):
        self.arrived, self.port = arrived, port
        self.family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.sock = socket.socket(self.family, socket.SOCK_DGRAM)
        if self.family == socket.AF_INET6:
            self.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        self.level, ask, self.info, free = self.INFO[self.family]
        self.sock.setsockopt(self.level, ask, 1)
        self.sock.setsockopt(self.level, free, 1)
        self.sock.bind((address, port))
        self.over, self.stop = os.pipe()
        self.thread = threading.Thread(target=self.loop, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        os.write(self.stop, b"x")
        self.thread.join(10)
        self.sock.close()
        os.close(self.over)
        os.close(self.stop)

    def loop(self):
        while self.over not in select.select([self.sock, self.over], [], [])[0]:
            data, more, _, peer = self.sock.recvmsg(70000, 256)
            info, = [value for level, kind, value in more
                     if (level, kind) == (self.level, self.info)]
            # Of IPv4: interface, own address, destination. Of IPv6: destination, interface.
            to = info[8:12] if self.family == socket.AF_INET else info[:16]
            self.arrived.append((socket.inet_ntop(self.family, to), self.port))
            back = struct.pack("=I4s4x", 0, to) if self.family == socket.AF_INET else \
                to + bytes(4)
            self.sock.sendmsg([data], [(self.level, self.info, back)], 0, peer)


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
                self.stack.enter_context(Datagrams(self.arrived, address, port))
        for address, port in self.datagrams:
            self.stack.enter_context(targets.UdpEcho(address, port))

    def make_inner(self):
        ip("link", "set", "lo", "up")
        ip("addr", "add", OWN4 + "/24", "dev", "in")
        ip("addr", "add", OWN6 + "/64", "dev", "in", "nodad")
        ip("link", "set", "in", "up")
        ip("route", "add", "default", "via", "203.0.114.2")
        ip("-6", "route", "add", "default", "via", "2600:99::2")
