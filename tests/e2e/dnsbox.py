# SPDX-License-Identifier: ISC
"""A box for lookups: own network and mount namespaces of this very process, with a
name server of ours on 127.0.0.1 and hosts, resolv.conf and nsswitch.conf of ours.
Nothing can leave it."""

import contextlib
import ctypes
import fcntl
import os
import socket
import struct
import threading

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
A, AAAA, CNAME = 1, 28, 5

libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), what)


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def enter(files):
    """Into the box; files: {path under /etc: text}. OSError where the kernel forbids it."""
    uid, gid = os.getuid(), os.getgid()
    flags = CLONE_NEWNS | CLONE_NEWNET | (CLONE_NEWUSER if uid else 0)
    check(libc.unshare(flags), "unshare")
    if uid:
        write("/proc/self/setgroups", "deny")
        write("/proc/self/uid_map", "0 %d 1" % uid)
        write("/proc/self/gid_map", "0 %d 1" % gid)
    check(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "mount")
    directory = "/mnt"  # any directory will do: what it holds is hidden in here only
    check(libc.mount(b"none", directory.encode(), b"tmpfs", 0, None), "tmpfs")
    for name, text in files.items():
        source = os.path.join(directory, name)
        write(source, text)
        os.chmod(source, 0o644)
        target = os.path.realpath("/etc/" + name)
        check(libc.mount(source.encode(), target.encode(), None, MS_BIND, None), target)
    with socket.socket() as probe:
        request = struct.pack("16sh22x", b"lo", 1 | 64)
        fcntl.ioctl(probe, 0x8914, request)  # SIOCSIFFLAGS: up, running


@contextlib.contextmanager
def hidden(path):
    """Within it that file is another one, which is empty; in the box."""
    empty = "/mnt/empty"
    write(empty, "")
    check(libc.mount(empty.encode(), path.encode(), None, MS_BIND, None), path)
    try:
        yield
    finally:
        check(libc.umount(path.encode()), path)


def name_at(packet, at):
    labels = []
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]].decode())
        at += 1 + packet[at]
    return ".".join(labels), at + 1


def wire_name(name):
    return b"".join(bytes([len(p)]) + p.encode() for p in name.split(".") if p) + b"\0"


def answer_of(rdata, kind, owner=b"\xc0\x0c", ttl=0):
    """A record; an owner may be a name or bytes of a packet."""
    owner = wire_name(owner) if isinstance(owner, str) else owner
    return owner + struct.pack("!HHIH", kind, 1, ttl, len(rdata)) + rdata


def address_records(addresses, kind, owner=b"\xc0\x0c", ttl=0):
    """Those of them that are of that type, as records."""
    return [answer_of(socket.inet_pton(socket.AF_INET6 if kind == AAAA else socket.AF_INET, one),
                      kind, owner, ttl)
            for one in addresses if (":" in one) == (kind == AAAA)]


class Server(threading.Thread):
    """zone: {name: addresses, or a function of (query, question, type) that makes the packet,
    or None for silence}; "NAME tcp" is what NAME is by TCP, "*.NAME"
    any name one label below it. Names that are not there do not
    exist. asked: the names, in the order of the questions, each for A and AAAA; by_tcp: those
    that came by TCP; ids: of the packets, by what is asked for."""

    def __init__(self, zone, ttl=0):
        super().__init__(daemon=True)
        self.zone = zone
        self.ttl = ttl
        self.asked = []
        self.by_tcp = []
        self.ids = {}
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 53))
        self.stray = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.stray.bind(("127.0.0.1", 0))
        self.listening = socket.create_server(("127.0.0.1", 53))
        self.start()
        threading.Thread(target=self.run_tcp, daemon=True).start()

    def run(self):
        while True:
            query, peer = self.socket.recvfrom(4096)
            packet = self.answer(query)
            for one in packet if isinstance(packet, list) else [packet]:
                if isinstance(one, tuple):
                    self.stray.sendto(one[0], peer)
                elif one is not None:
                    self.socket.sendto(one, peer)

    def run_tcp(self):
        while True:
            sock, _ = self.listening.accept()
            threading.Thread(target=self.serve_tcp, args=(sock,), daemon=True).start()

    def serve_tcp(self, sock):
        with sock, sock.makefile("rb") as file:
            while len(head := file.read(2)) == 2:
                packet = self.answer(file.read(struct.unpack("!H", head)[0]), tcp=True)
                try:
                    sock.sendall(struct.pack("!H", len(packet)) + packet)
                except OSError:
                    return  # it has gone

    def answer(self, query, tcp=False):
        """A packet, or None, or for UDP a list of packets: one in a tuple goes from
        another port."""
        name, end = name_at(query, 12)
        kind = struct.unpack("!H", query[end:end + 2])[0]
        question = query[12:end + 4]
        (self.by_tcp if tcp else self.asked).append(name)
        self.ids[name, kind] = query[:2]
        key = name if name in self.zone else "*." + name.partition(".")[2]
        if key not in self.zone:
            return self.packet(query, question, [], code=3)
        found = self.zone.get(key + " tcp" if tcp else key, self.zone[key])
        if found is None:
            return None
        if callable(found):
            return found(query, question, kind)
        return self.packet(query, question, address_records(found, kind, ttl=self.ttl))

    @staticmethod
    def packet(query, question, records, code=0):
        return query[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, len(records), 0, 0) + \
            question + b"".join(records)
