# SPDX-License-Identifier: ISC
"""Many streams of mixed kinds at once, each with its own pseudo-random bytes.

A stream begins with its number, four bytes, by which the far end finds the Part that
both play; it answers with the same four. When all streams of a session are open, one
byte more starts each of them. Datagrams begin with the number, too.

    echo    what the client sends comes back
    sink    the client sends, then ends
    source  the far end sends, then ends
    half    both send; the far end ends its own way first, and reads on
    early   the far end sends; the client ends before it has all of it
    endless the same, and the far end never ends
    reset   the client sends; the far end breaks the connection
    udp     datagrams that come back, one at a time
"""

import random
import socket
import struct
import threading

import targets

HEAD = 4


def sequence(seed, n):
    return random.Random(seed).randbytes(n)


class Part:
    """One stream, as it is meant to be."""

    def __init__(self, kind, number, host, rng):
        self.kind, self.number, self.host = kind, number, host
        self.tls = False
        self.name = struct.pack(">I", number)
        size = rng.choice((0, 1, 1000, 20000, 60000)) + rng.randrange(5000)
        up = 0 if kind in ("source", "early", "endless") else size
        down = {"source": size, "half": size, "early": size + 100000, "endless": 1 << 20}.get(
            kind, 0)
        self.cut = rng.randrange(size + 1)  # where it breaks, or is closed
        self.up = b"" if kind == "udp" else self.name + b"!" + sequence(2 * number, up)
        self.body = sequence(2 * number + 1, down)
        self.down = self.name + self.body
        if kind == "echo":
            self.down = self.name + self.up[HEAD + 1:]
        self.datagrams = []
        if kind == "udp":
            self.datagrams = [self.name + rng.randbytes(rng.choice((0, 1, 500, 1400)))
                              for _ in range(rng.randrange(1, 12))]


class Player(targets.Target):
    """The TCP far end of all parts. .by: what was seen, by the part's number."""

    most = 1024

    def __init__(self, parts, **how):
        super().__init__(backlog=512, **how)
        self.parts = {part.number: part for part in parts}
        self.by = {}

    def call(self, port):
        """The far end of a stream that comes in: connect there. Its address."""
        sock = socket.create_connection((self.address, port), 10)
        seen = targets.Seen(sock.getsockname())
        seen.sock = sock
        with self.lock:
            self.seen.append(seen)
        threading.Thread(target=self.run, args=(sock, seen), daemon=True).start()
        return seen.peer

    def exactly(self, sock, seen, n):
        while seen.received < n:
            data = sock.recv(n - seen.received)
            if not data:
                raise OSError("the end after %d bytes" % seen.received)
            seen.take(data)

    def give(self, sock, seen, data):
        while data:
            n = sock.send(data[:16384])
            seen.sent, data = seen.sent + n, data[n:]

    def serve(self, sock, seen):
        self.exactly(sock, seen, HEAD)
        part = self.parts[struct.unpack(">I", seen.head)[0]]
        assert part.number not in self.by
        self.by[part.number] = seen
        self.give(sock, seen, part.name)
        self.exactly(sock, seen, HEAD + 1)
        getattr(self, part.kind)(sock, seen, part)

    def echo(self, sock, seen, _part):
        while True:
            data = sock.recv(8192)
            if not data:
                seen.eof = True
                sock.shutdown(socket.SHUT_WR)
                return
            seen.take(data)
            self.give(sock, seen, data)

    def sink(self, sock, seen, _part):
        targets.drain(sock, seen)

    def source(self, sock, seen, part):
        self.give(sock, seen, part.down[HEAD:])
        sock.shutdown(socket.SHUT_WR)
        targets.drain(sock, seen)

    half = early = source

    def endless(self, sock, seen, part):
        while True:
            self.give(sock, seen, part.body)

    def reset(self, sock, seen, part):
        self.exactly(sock, seen, HEAD + 1 + part.cut)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Mirror:
    """The UDP far end: .by has the near address of each part, by its number."""

    def __init__(self, address="127.0.0.1", port=0):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.sock.bind((address, port))
        self.port = self.sock.getsockname()[1]
        self.by = {}
        self.count = 0
        self.thread = threading.Thread(target=self.loop, daemon=True)

    def loop(self):
        while True:
            data, peer = self.sock.recvfrom(70000)
            if data == b"the end of it":
                return
            self.count += 1
            self.by.setdefault(data[:HEAD], set()).add(peer[:2])
            self.sock.sendto(data, peer)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.sock.sendto(b"the end of it", self.sock.getsockname())
        self.thread.join(10)
        self.sock.close()


class Flood(Mirror):
    """Answers one datagram with so many of 1,400 bytes, each with its number in front."""

    count_back = 6000

    def __init__(self):
        super().__init__()
        self.sent = threading.Event()

    def loop(self):
        data, peer = self.sock.recvfrom(70000)
        for number in range(self.count_back):
            self.sock.sendto(struct.pack(">I", number) + bytes(1396), peer)
        self.sent.set()
        while data != b"the end of it":
            data, _ = self.sock.recvfrom(70000)


class Amplifier(Mirror):
    """Answers each datagram with one that is so many times as long."""

    def __init__(self, times, port=0):
        super().__init__(port=port)
        self.times = times

    def loop(self):
        while True:
            data, peer = self.sock.recvfrom(70000)
            if data == b"the end of it":
                return
            self.count += 1
            self.sock.sendto(data * self.times, peer)


class Deaf(targets.Target):
    """Never reads."""

    def __init__(self):
        super().__init__(rcvbuf=4096, backlog=256)
        self.done = threading.Event()

    def serve(self, sock, seen):
        self.done.wait(60)

    def __exit__(self, *error):
        self.done.set()
        super().__exit__(*error)


class Act:
    """A part as far as the client has played it."""

    def __init__(self, part, stream):
        self.part, self.stream = part, stream
        self.sent = 0       # bytes; of udp datagrams
        self.got = 0        # bytes; of udp datagrams
        self.started = False
        self.ending = False  # the client has closed it
        self.over = None    # the last event and what it said

    def take(self, data):
        """What came must be what comes next."""
        part = self.part
        if part.kind == "udp":
            assert self.got < self.sent and data == part.datagrams[self.got], \
                "datagram %d of %d" % (self.got, part.number)
            self.got += 1
        else:
            while part.kind == "endless" and len(part.down) < self.got + len(data):
                part.down += part.body
            assert part.down[self.got:self.got + len(data)] == data, \
                "%s %d differs behind byte %d" % (part.kind, part.number, self.got)
            self.got += len(data)
            if part.kind == "echo":
                assert self.got <= max(HEAD, self.sent - 1), "more came back than was sent"
        self.started = True

    def due(self, half_close):
        """What the client does next: the bytes, "close", or None for nothing now."""
        part = self.part
        if self.over or self.ending:
            return None
        if part.kind == "udp":
            if self.got < self.sent:
                return None
            return part.datagrams[self.sent] if self.sent < len(part.datagrams) else "close"
        if self.sent < len(part.up):
            return part.up[self.sent:]
        if part.kind == "sink" or part.kind == "echo" and (
                half_close or self.got == len(part.down)) or \
                part.kind in ("early", "endless") and self.got >= HEAD + part.cut:
            return "close"
        return None


class Stage:
    """The client: one thread sends, whoever calls play() hears."""

    def __init__(self, session, acts, rng, half_close=False, before=None):
        self.session, self.rng, self.half_close = session, rng, half_close
        self.acts = {act.stream: act for act in acts}
        self.before = before or (lambda: None)  # called before each sending
        self.turn = threading.Condition()
        self.failed = None

    def hear(self):
        what, stream, value = self.session.hear()
        with self.turn:
            act = self.acts.get(stream)
            if act and what == "data":
                assert not act.over, "data after %s" % act.over[0]
                act.take(value)
            elif act and what in ("closed", "refused"):
                assert not act.over, "%s after %s" % (what, act.over[0])
                act.over = (what, value)
            self.turn.notify()
        return what, stream, value

    def open_all(self, place):
        """All streams, and then wait until each far end has answered. What is in no
        place is open."""
        acts = list(self.acts.values())
        self.rng.shuffle(acts)
        for act in acts:
            self.before()
            if place(act.part):
                self.session.open(act.stream, *place(act.part))
            act.sent = 1 if act.part.kind == "udp" else HEAD
            self.session.send(act.stream, (act.part.datagrams or [act.part.up[:HEAD]])[0])
        while not all(act.started for act in acts):
            self.hear()
            assert not any(act.over and not act.started for act in acts), "one was refused"

    def choose(self):
        """(act, what it does), when one can go on; None when all is over."""
        credit = getattr(self.session, "credit", {})
        with self.turn:
            while not self.failed:
                ready = [(act, what) for act in self.acts.values()
                         for what in [act.due(self.half_close)]
                         if what and (what == "close" or credit.get(act.stream, 1) > 0)]
                if ready:
                    return self.rng.choice(ready)
                if all(act.over or act.ending for act in self.acts.values()):
                    return None
                assert self.turn.wait(30), "nothing came for 30 s"
        return None

    def send_all(self):
        try:
            while True:
                chosen = self.choose()
                if not chosen:
                    return
                self.before()
                act, what = chosen
                if what == "close":
                    act.ending = True
                    self.session.close(act.stream)
                    continue
                if act.part.kind != "udp":
                    what = what[:self.rng.choice((1, 1 + self.rng.randrange(300), 4000, 16384))]
                act.sent += 1 if act.part.kind == "udp" else len(what)
                self.session.send(act.stream, what)
        except BaseException as error:
            self.failed = error

    def play(self):
        """Until each stream is over on both sides of the client."""
        sender = threading.Thread(target=self.send_all, daemon=True)
        sender.start()
        try:
            while not self.failed and not all(act.over for act in self.acts.values()):
                self.hear()
        except BaseException as error:
            self.failed = self.failed or error
            with self.turn:
                self.turn.notify()
        sender.join(40)
        if self.failed:
            raise self.failed
        assert not sender.is_alive()
