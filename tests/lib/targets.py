# SPDX-License-Identifier: ISC
"""TCP services on loopback for the tests to reach. Each is a context manager
with .port; what it saw is in .seen, one entry a connection, complete once that
connection is over (wait_seen).
"""

import hashlib
import os
import random
import socket
import struct
import threading
import time

CHUNK = 262144


def pattern(seed, n):
    """n bytes that are a function of the seed, cheap to make, not periodic in 2^k."""
    block = random.Random(seed).randbytes(65537)
    return (block * (n // len(block) + 1))[:n]


def digest(data):
    return hashlib.sha256(data).hexdigest()


def wait_until(true, seconds=10, what="it"):
    """Poll until true() is; its value. For facts that another process makes true."""
    end = time.monotonic() + seconds
    while True:
        value = true()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("%s did not happen within %d s" % (what, seconds))
        time.sleep(0.02)


class Seen:
    """What a service saw of one connection."""

    def __init__(self, peer):
        self.peer = peer
        self.received = 0
        self.sent = 0
        self.hash = hashlib.sha256()
        self.head = b""  # the first KiB
        self.eof = False  # the other side half-closed in order
        self.error = None
        self.over = threading.Event()
        self.sock = None

    def take(self, data):
        self.received += len(data)
        self.hash.update(data)
        if len(self.head) < 1024:
            self.head += data[:1024 - len(self.head)]


class Target:
    """Serves each connection by serve(sock, seen) in a thread of its own."""

    most = 256

    def __init__(self, serve=None, address="127.0.0.1", port=0, backlog=64,
                 rcvbuf=0):
        self.serve = serve or self.serve
        self.address = address
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if rcvbuf:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        if family == socket.AF_INET6:
            self.listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        self.listener.bind((address, port))
        self.listener.listen(backlog)
        self.port = self.listener.getsockname()[1]
        self.seen = []
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self.loop, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        for seen in list(self.seen):
            if not seen.over.is_set():
                try:
                    seen.sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        self.thread.join(5)

    def loop(self):
        while len(self.seen) < self.most:
            try:
                sock, peer = self.listener.accept()
            except OSError:
                return
            seen = Seen(peer)
            seen.sock = sock
            with self.lock:
                self.seen.append(seen)
            threading.Thread(target=self.run, args=(sock, seen), daemon=True).start()

    def run(self, sock, seen):
        sock.settimeout(60)
        try:
            self.serve(sock, seen)
        except OSError as error:
            seen.error = error
        finally:
            sock.close()
            seen.over.set()

    def wait_seen(self, index=0, seconds=20):
        wait_until(lambda: len(self.seen) > index, seconds, "a connection to the target")
        assert self.seen[index].over.wait(seconds), "the target's connection is not over"
        return self.seen[index]

    def path(self, host=None):
        """The URL path of the raw dialect to this target."""
        return "/raw/%s/%d" % (host or self.address, self.port)


def drain(sock, seen):
    while True:
        data = sock.recv(CHUNK)
        if not data:
            seen.eof = True
            return
        seen.take(data)


class Echo(Target):
    """Sends back what it gets; half-closes after the other side did."""

    def serve(self, sock, seen):
        while True:
            data = sock.recv(CHUNK)
            if not data:
                seen.eof = True
                sock.shutdown(socket.SHUT_WR)
                return
            seen.take(data)
            sock.sendall(data)
            seen.sent += len(data)


class Sink(Target):
    """Swallows and hashes; at the other side's end it answers `received sha256\\n`."""

    def serve(self, sock, seen):
        drain(sock, seen)
        sock.sendall(b"%d %s\n" % (seen.received, seen.hash.hexdigest().encode()))


class Source(Target):
    """Sends pattern(seed, size), half-closes, then swallows until the other side ends."""

    def __init__(self, size, seed=1, **how):
        super().__init__(**how)
        self.size, self.seed = size, seed

    def serve(self, sock, seen):
        data = memoryview(pattern(self.seed, self.size))
        while seen.sent < len(data):
            seen.sent += sock.send(data[seen.sent:seen.sent + CHUNK])
        sock.shutdown(socket.SHUT_WR)
        drain(sock, seen)


class Swap(Source):
    """Source and Sink at once: both directions run, and each ends by itself."""

    def serve(self, sock, seen):
        other = threading.Thread(target=drain, args=(sock, seen), daemon=True)
        other.start()
        data = memoryview(pattern(self.seed, self.size))
        while seen.sent < len(data):
            seen.sent += sock.send(data[seen.sent:seen.sent + CHUNK])
        sock.shutdown(socket.SHUT_WR)
        other.join(60)


class Endless(Target):
    """Sends zeros as long as somebody takes them; counts what was taken."""

    def serve(self, sock, seen):
        block = bytes(CHUNK)
        sock.settimeout(120)
        while True:
            seen.sent += sock.send(block)


class Hold(Target):
    """Says hello and waits for the end; answers nothing."""

    def serve(self, sock, seen):
        sock.sendall(b"hello\n")
        seen.sent = 6
        drain(sock, seen)


class Resetter(Target):
    """Reads a little, then resets the connection."""

    def serve(self, sock, seen):
        seen.take(sock.recv(1024))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class UdpEcho:
    """Sends datagrams back to where they came from."""

    def __init__(self, address="127.0.0.1", port=0):
        self.address, self.port = address, port

    def __enter__(self):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((self.address, self.port))
        self.port = self.sock.getsockname()[1]
        threading.Thread(target=self.loop, daemon=True).start()
        return self

    def loop(self):
        while True:
            data, peer = self.sock.recvfrom(65536)
            if data == b"end of the echo":
                return
            self.sock.sendto(data, peer)

    def __exit__(self, *_):
        self.sock.sendto(b"end of the echo", (self.address, self.port))


class Blackhole:
    """An address that answers no SYN: a listener whose queue is full."""

    def __init__(self, address="127.0.0.1"):
        self.listener = socket.socket()
        self.listener.bind((address, 0))
        self.listener.listen(0)
        self.port = self.listener.getsockname()[1]
        self.fill = []

    def __enter__(self):
        for _ in range(8):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", self.port))
            self.fill.append(sock)
        time.sleep(0.2)
        probe = socket.socket()
        probe.settimeout(0.3)
        try:
            probe.connect(("127.0.0.1", self.port))
        except TimeoutError:
            return self
        finally:
            probe.close()
        raise AssertionError("the queue is not full: this is no black hole")

    def __exit__(self, *_):
        for sock in self.fill:
            sock.close()
        self.listener.close()


def closed_port(address="127.0.0.1"):
    """A port where nothing listens: bound, so that nobody else takes it meanwhile."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family)
    sock.bind((address, 0))
    return sock


TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm"}


def http_page(pages, posts):
    """serve function of a minimal web server: GET from pages, POST bodies into posts."""
    def serve(sock, seen):
        data = b""
        while b"\r\n\r\n" not in data:
            more = sock.recv(65536)
            if not more:
                return
            data += more
        head, body = data.split(b"\r\n\r\n", 1)
        method, path, _ = head.split(b"\r\n")[0].decode().split(" ")
        seen.take(head)
        if method == "POST":
            length = [int(line.split(b":")[1]) for line in head.split(b"\r\n")
                      if line.lower().startswith(b"content-length:")][0]
            while len(body) < length:
                body += sock.recv(65536)
            posts.append((path, body))
            page = b"ok"
        else:
            page = pages(path) if callable(pages) else pages.get(path)
        status = b"404 Not Found" if page is None else b"200 OK"
        page = page or b""
        kind = TYPES.get(os.path.splitext(path)[1], "text/html").encode()
        sock.sendall(b"HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n"
                     b"Connection: close\r\n\r\n%s" % (status, kind, len(page), page))
    return serve


def random_sizes(total, most, count):
    """count random sizes from 0 to most with about that total, some of them tiny."""
    rng = random.Random(int.from_bytes(os.urandom(8), "big"))
    sizes = [0, 1] + [rng.randrange(most) for _ in range(count - 2)]
    scale = min(1.0, total / max(1, sum(sizes)))
    return [int(size * scale) if size > 1 else size for size in sizes]
