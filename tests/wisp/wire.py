# SPDX-License-Identifier: ISC
"""Wisp from the client's side, and the services that a Wisp server reaches for it.

Whatever comes from the server is held against what holds always: one packet a
binary message, its layout, only ids that the client opened, nothing after CLOSE.
"""

import os
import select
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import wsclient  # noqa: E402

CONNECT, DATA, CONTINUE, CLOSE, INFO = 1, 2, 3, 4, 5
TCP, UDP = 1, 2
EXT_UDP, EXT_PASSWORD, EXT_MOTD, EXT_CONFIRM = 1, 2, 4, 5
VOLUNTARY, NETWORK, INVALID, UNREACHABLE, REFUSED, BLOCKED = 2, 3, 0x41, 0x42, 0x44, 0x48
SERVER_REASONS = {1, 2, 3, 4, 0x41, 0x42, 0x43, 0x44, 0x47, 0x48, 0x49, 0xC0, 0xC1, 0xC2}
NAMES = {CONNECT: "CONNECT", DATA: "DATA", CONTINUE: "CONTINUE", CLOSE: "CLOSE", INFO: "INFO"}
SECONDS = 10  # for anything that must come
QUIET = 0.4   # for anything that must not


class Broken(AssertionError):
    """The server broke a rule."""


def must(true, text, *values):
    if not true:
        raise Broken(text % values if values else text)


def packet(kind, stream, payload=b""):
    return struct.pack("<BI", kind, stream) + payload


def connect_packet(stream, host, port, kind=TCP):
    host = host if isinstance(host, bytes) else host.encode()
    return packet(CONNECT, stream, struct.pack("<BH", kind, port) + host)


def extension(number, metadata=b""):
    return struct.pack("<BI", number, len(metadata)) + metadata


def info_packet(extensions=b"", major=2, minor=0):
    return packet(INFO, 0, bytes([major, minor]) + extensions)


def read_extensions(data):
    """[(id, metadata)], which fill the packet to its last byte."""
    found = []
    while data:
        must(len(data) >= 5, "%d bytes are left behind the extensions", len(data))
        number, n = struct.unpack("<BI", data[:5])
        must(len(data) >= 5 + n, "extension %d is longer than its packet", number)
        found.append((number, data[5:5 + n]))
        data = data[5 + n:]
    return found


class Stream:
    def __init__(self, session, number, kind):
        self.session, self.number, self.kind = session, number, kind
        self.credit = session.initial
        self.sent = 0          # DATA packets
        self.pieces = []       # payloads of DATA that came
        self.continues = []    # values of CONTINUE that came
        self.closed = None     # the reason of CLOSE that came
        self.closed_at = None  # bytes that had come by then

    def data(self):
        return b"".join(self.pieces)

    def put(self, payload):
        """DATA, whatever the credit is."""
        self.session.send(packet(DATA, self.number, payload))
        self.sent += 1
        self.credit -= 1

    def write(self, payload):
        """DATA, when the credit allows it."""
        self.session.until(lambda: self.credit > 0, "credit for stream %d" % self.number)
        self.put(payload)

    def close(self, reason=VOLUNTARY):
        self.session.send(packet(CLOSE, self.number, bytes([reason])))

    def wait_data(self, n):
        self.session.until(lambda: sum(map(len, self.pieces)) >= n or self.closed is not None,
                           "%d bytes on stream %d" % (n, self.number))
        data = self.data()
        must(len(data) >= n, "CLOSE 0x%02x after %d of %d bytes", self.closed or 0, len(data), n)
        return data

    def wait_closed(self):
        self.session.until(lambda: self.closed is not None, "CLOSE on stream %d" % self.number)
        return self.closed


class Session:
    """A WebSocket to the server. @version: 1, 2, or 0 to do the handshake oneself."""

    def __init__(self, test, version=1, protocols=None, extensions=None, early=b"", rcvbuf=0):
        self.test = test
        self.streams = {}
        self.past = []  # streams whose id was used again
        self.initial = None
        self.info = None
        self.order = []  # (type, id) of what came
        if protocols is None:
            protocols = ("wisp-v2",) if version == 2 else ()
        self.ws = wsclient.Client(test.address, SECONDS, rcvbuf)
        request = self.ws.request(test.path, protocols=protocols, host=test.host)
        self.ws.send_raw(request + early)
        self.answer = self.ws.read_answer()
        must(self.answer.status == 101, "the upgrade was answered with %d", self.answer.status)
        if version:
            if version == 2:
                self.until(lambda: self.info is not None, "INFO")
                self.send(info_packet(extension(EXT_UDP) if extensions is None else extensions))
            self.until(lambda: self.initial is not None, "CONTINUE on stream 0")

    def send(self, data, opcode=wsclient.BINARY):
        self.ws.send(data, opcode)

    # --- what comes ---------------------------------------------------------------

    def ready(self, seconds):
        return bool(self.ws.buffer) or bool(select.select([self.ws.sock], [], [], seconds)[0])

    def take(self):
        """The next packet, held against what holds always."""
        opcode, data = self.ws.recv()
        must(opcode == wsclient.BINARY, "a text message came")
        must(len(data) >= 5, "a packet of %d bytes came", len(data))
        kind, number = struct.unpack("<BI", data[:5])
        payload = data[5:]
        self.order.append((kind, number))
        if number == 0:
            self.zero(kind, payload)
        else:
            self.one(kind, number, payload)
        return kind, number, payload

    def zero(self, kind, payload):
        if kind == CONTINUE:
            must(len(payload) == 4, "CONTINUE with %d bytes", len(payload))
            must(self.initial is None, "CONTINUE on stream 0 came twice")
            self.initial, = struct.unpack("<I", payload)
            must(self.initial > 0, "a credit of nothing")
            for stream in self.streams.values():
                stream.credit = self.initial - stream.sent
        elif kind == INFO:
            must(self.info is None, "INFO came twice")
            must(len(payload) >= 2, "INFO with %d bytes", len(payload))
            self.info = payload[0], payload[1], read_extensions(payload[2:])
        else:
            must(kind == CLOSE and len(payload) == 1, "type %d on stream 0", kind)

    def one(self, kind, number, payload):
        stream = self.streams.get(number)
        must(kind in (DATA, CONTINUE, CLOSE), "type %d on stream %d", kind, number)
        must(stream is not None, "%s for stream %d, which nobody opened", NAMES[kind], number)
        must(stream.closed is None, "%s on stream %d after its CLOSE", NAMES[kind], number)
        if kind == DATA:
            stream.pieces.append(payload)
        elif kind == CONTINUE:
            must(len(payload) == 4, "CONTINUE with %d bytes", len(payload))
            must(stream.kind != UDP, "CONTINUE for a UDP stream")
            stream.credit, = struct.unpack("<I", payload)
            stream.continues.append(stream.credit)
        else:
            must(len(payload) == 1, "CLOSE with %d bytes", len(payload))
            must(payload[0] in SERVER_REASONS, "close reason 0x%02x", payload[0])
            stream.closed = payload[0]
            stream.closed_at = sum(map(len, stream.pieces))

    def until(self, true, what):
        """Take packets until true()."""
        end = time.monotonic() + SECONDS
        while not true():
            left = end - time.monotonic()
            must(left > 0 and self.ready(left), "%s did not come within %d s", what, SECONDS)
            try:
                self.take()
            except (wsclient.Closed, wsclient.Gone) as error:
                raise Broken("the WebSocket ended (%s) before %s" % (error, what)) from error

    def quiet(self, seconds=QUIET):
        """Take what comes for a while."""
        end = time.monotonic() + seconds
        while self.ready(max(0, end - time.monotonic())):
            self.take()

    # --- streams ------------------------------------------------------------------

    def number(self):
        """An id that is not in use."""
        return max(self.streams, default=0) % 0xFFFFFFFF + 1

    def expect(self, number, kind=TCP):
        """From now on the server may speak of that id."""
        if number in self.streams:
            self.past.append(self.streams[number])
        self.streams[number] = Stream(self, number, kind)
        if self.initial is None:
            self.streams[number].credit = 0
        return self.streams[number]

    def ask(self, host, port, kind=TCP, number=None):
        """CONNECT without a look at what becomes of it."""
        number = self.number() if number is None else number
        stream = self.expect(number, kind)
        self.send(connect_packet(number, host, port, kind))
        return stream

    def tcp(self, number=None):
        """An open stream and the destination's end of it."""
        stream = self.ask(self.test.tcp.host, self.test.tcp.port, TCP, number)
        return stream, self.test.tcp.accept()

    def udp(self, first=b"first", number=None):
        """A UDP stream that has sent its first datagram, and its address at the service."""
        stream = self.ask(self.test.udp.host, self.test.udp.port, UDP, number)
        stream.put(first)
        data, peer = self.test.udp.take()
        must(data == first, "another datagram arrived")
        return stream, peer

    def echo(self, stream, sock, data):
        """Through and back."""
        n = sum(map(len, stream.pieces))
        stream.write(data)
        must(read_exactly(sock, len(data)) == data, "other bytes arrived")
        sock.sendall(data)
        must(stream.wait_data(n + len(data))[n:] == data, "other bytes came back")

    def barrier(self):
        """All that was sent before has been looked at: a stream of its own works."""
        token = os.urandom(16)
        stream = self.ask(self.test.tcp.host, self.test.tcp.port)
        stream.put(token)
        sock = self.test.tcp.accept()
        must(read_exactly(sock, 16) == token, "a connection that nobody may have made")
        sock.sendall(token)
        must(stream.wait_data(16) == token, "other bytes came back")
        sock.close()
        stream.close()

    def serves(self):
        """Does the session go on? If not it must have ended with a close frame."""
        try:
            self.quiet()
            self.barrier()
            return True
        except wsclient.Closed:
            return False
        except (Broken, OSError):
            self.ws.recv_close()
            return False

    def put_what_goes(self, stream, payload):
        """DATA as far as the server takes it within a second: the bytes that are left."""
        data = wsclient.frame(wsclient.BINARY, packet(DATA, stream.number, payload))
        stream.sent += 1
        stream.credit -= 1
        while data and select.select([], [self.ws.sock], [], 1)[1]:
            data = data[self.ws.sock.send(data, socket.MSG_DONTWAIT):]
        return data

    def end(self):
        self.ws.sock.close()


# --- services -----------------------------------------------------------------------


def read_exactly(sock, n):
    data = b""
    while len(data) < n:
        more = sock.recv(min(262144, n - len(data)))
        must(more, "the connection ended after %d of %d bytes", len(data), n)
        data += more
    return data


def read_end(sock):
    """All that comes, and how it ended: True for an end in order, False for a reset."""
    data = b""
    while True:
        try:
            more = sock.recv(262144)
        except ConnectionError:
            return data, False
        if not more:
            return data, True
        data += more


class Tcp:
    """A listener for one case, at the address that the server reaches it by."""

    def __init__(self, host, port):
        self.host = host
        self.socks = []
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.socket(family)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # What stalls, stalls early.
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self.listener.bind((host, port))
        self.listener.listen(128)
        self.port = self.listener.getsockname()[1]

    def accept(self, seconds=SECONDS):
        self.listener.settimeout(seconds)
        try:
            sock, _ = self.listener.accept()
        except TimeoutError as error:
            raise Broken("nobody connected within %s s" % seconds) from error
        sock.settimeout(SECONDS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socks.append(sock)
        return sock

    def nobody(self):
        """No connection comes, nor has one come."""
        try:
            self.accept(QUIET)
        except Broken:
            return
        raise Broken("a connection that nobody may have made")

    def close(self):
        for sock in self.socks + [self.listener]:
            sock.close()


class Udp:
    def __init__(self, host, port):
        self.host = host
        self.sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET,
                                  socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.sock.bind((host, port))
        self.sock.settimeout(SECONDS)
        self.port = self.sock.getsockname()[1]

    def take(self):
        try:
            return self.sock.recvfrom(65536)
        except TimeoutError as error:
            raise Broken("no datagram came within %d s" % SECONDS) from error

    def close(self):
        self.sock.close()


class Drain(threading.Thread):
    """Reads a connection to its end, or up to n bytes."""

    def __init__(self, sock, n=None):
        super().__init__(daemon=True)
        self.sock, self.n = sock, n
        self.parts, self.length = [], 0
        self.start()

    def run(self):
        while self.n is None or self.length < self.n:
            try:
                more = self.sock.recv(262144)
            except OSError:
                return
            if not more:
                return
            self.parts.append(more)
            self.length += len(more)

    def all(self):
        self.join(SECONDS * 2)
        must(not self.is_alive(), "only %d bytes arrived", self.length)
        return b"".join(self.parts)
