# SPDX-License-Identifier: ISC
"""A WebSocket client on a bare socket: whoever uses it decides every byte.

It checks what a server may send (no mask, no reserved bits, minimal lengths,
control frames whole and short) and fails loudly when that does not hold.
"""

import base64
import hashlib
import os
import socket
import struct

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class Gone(Exception):
    """The server ended the connection."""


class Refused(Exception):
    """The handshake got another answer than 101."""

    def __init__(self, answer):
        super().__init__("%d %s" % (answer.status, answer.reason))
        self.answer = answer


class Closed(Exception):
    """The server sent a close frame."""

    def __init__(self, code, reason):
        super().__init__("close %s %r" % (code, reason))
        self.code = code
        self.reason = reason


class Answer:
    """The head of an HTTP answer, and what followed it."""

    def __init__(self, head):
        lines = head.decode("latin-1").split("\r\n")
        self.version, status, self.reason = lines[0].split(" ", 2)
        self.status = int(status)
        self.headers = {}
        for line in lines[1:]:
            if line:
                name, value = line.split(":", 1)
                self.headers.setdefault(name.strip().lower(), []).append(value.strip())
        self.body = b""

    def header(self, name):
        values = self.headers.get(name.lower(), [])
        assert len(values) <= 1, "%s came twice" % name
        return values[0] if values else None


def mask_bytes(data, key):
    if not data:
        return b""
    n = len(data)
    keys = (key * (n // 4 + 1))[:n]
    return (int.from_bytes(data, "big") ^ int.from_bytes(keys, "big")).to_bytes(n, "big")


def frame(opcode, payload=b"", fin=True, rsv=0, masked=True, form=None, length=None):
    """The bytes of a frame. form: 7, 16 or 64 forces a length's size; length lies."""
    n = len(payload) if length is None else length
    if form is None:
        form = 7 if n < 126 else 16 if n < 65536 else 64
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    bit = 0x80 if masked else 0
    if form == 7:
        head += bytes([bit | n])
    elif form == 16:
        head += bytes([bit | 126]) + struct.pack(">H", n)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", n)
    if not masked:
        return head + payload
    key = os.urandom(4)
    return head + key + mask_bytes(payload, key)


def close_body(code, reason=b""):
    return struct.pack(">H", code) + reason


class Client:
    def __init__(self, address, timeout=15, rcvbuf=0):
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.settimeout(timeout)
        self.sock.connect(address[:2])
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.address = address
        self.buffer = b""
        self.answer = None
        self.pings = 0
        self.pongs = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    # --- bytes ------------------------------------------------------------------

    def send_raw(self, data):
        self.sock.sendall(data)

    def fill(self, most=262144):
        try:
            more = self.sock.recv(most)
        except ConnectionError as error:
            raise Gone(str(error)) from error
        if not more:
            raise Gone("end of stream")
        self.buffer += more

    def take(self, n):
        if len(self.buffer) < n:
            parts, have = [self.buffer], len(self.buffer)
            while have < n:
                self.buffer = b""
                self.fill()
                parts.append(self.buffer)
                have += len(self.buffer)
            self.buffer = b"".join(parts)
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def gone(self):
        """Is the connection over, with nothing more in it?"""
        try:
            self.fill()
        except Gone:
            return True
        return False

    # --- the handshake ----------------------------------------------------------

    def request(self, path="/", host=None, origin=None, protocols=(), headers=(), key=None):
        """The bytes of an ordinary upgrade request; headers are (name, value) pairs."""
        self.key = key or base64.b64encode(os.urandom(16))
        if host is None:
            name = "[%s]" % self.address[0] if ":" in self.address[0] else self.address[0]
            host = "%s:%d" % (name, self.address[1])
        lines = ["GET %s HTTP/1.1" % path, "Host: " + host, "Upgrade: websocket",
                 "Connection: Upgrade", "Sec-WebSocket-Version: 13",
                 "Sec-WebSocket-Key: " + self.key.decode()]
        if origin is not None:
            lines.append("Origin: " + origin)
        if protocols:
            lines.append("Sec-WebSocket-Protocol: " + ", ".join(protocols))
        lines += ["%s: %s" % pair for pair in headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def read_answer(self):
        while b"\r\n\r\n" not in self.buffer:
            self.fill()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        self.answer = Answer(head)
        return self.answer

    def read_refusal(self):
        """An answer, its body, and the end of the connection, which must follow."""
        answer = self.read_answer()
        answer.body = self.buffer
        try:
            while True:
                self.buffer = b""
                self.fill()
                answer.body += self.buffer
        except Gone:
            return answer

    def open(self, path="/", **how):
        self.send_raw(self.request(path, **how))
        answer = self.read_answer()
        if answer.status != 101:
            raise Refused(answer)
        want = base64.b64encode(hashlib.sha1(self.key + GUID).digest()).decode()
        assert answer.header("sec-websocket-accept") == want, "wrong accept value"
        assert answer.header("upgrade").lower() == "websocket"
        assert answer.header("connection").lower() == "upgrade"
        assert answer.header("sec-websocket-extensions") is None, "an extension nobody agreed to"
        return self

    # --- frames -----------------------------------------------------------------

    def send(self, payload, opcode=BINARY, **how):
        self.send_raw(frame(opcode, payload, **how))

    def send_text(self, text):
        self.send(text.encode(), TEXT)

    def close(self, code=1000, reason=b""):
        self.send(close_body(code, reason), CLOSE)

    def recv_frame(self):
        """(fin, opcode, payload) of the next frame; checks what a server must keep to."""
        first, second = self.take(2)
        assert not first & 0x70, "reserved bits from the server"
        assert not second & 0x80, "a mask from the server"
        opcode, n = first & 15, second & 127
        assert opcode in (0, 1, 2, 8, 9, 10), "opcode %d from the server" % opcode
        if n == 126:
            n, = struct.unpack(">H", self.take(2))
            assert n >= 126, "length not minimal"
        elif n == 127:
            n, = struct.unpack(">Q", self.take(8))
            assert n >= 65536, "length not minimal"
        if opcode & 8:
            assert first & 0x80 and n < 126, "control frame in parts or too long"
        return bool(first & 0x80), opcode, self.take(n)

    def recv(self):
        """(opcode, payload) of the next message; answers pings; Closed for a close."""
        kind, parts = None, []
        while True:
            fin, opcode, payload = self.recv_frame()
            if opcode == CLOSE:
                if not payload:
                    raise Closed(1005, "")
                assert len(payload) >= 2, "close body of one byte"
                raise Closed(struct.unpack(">H", payload[:2])[0], payload[2:].decode())
            if opcode == PING:
                self.pings += 1
                self.send(payload, PONG)
                continue
            if opcode == PONG:
                self.pongs.append(payload)
                continue
            assert (kind is None) == (opcode != CONTINUATION), "continuation out of order"
            kind = opcode if kind is None else kind
            parts.append(payload)
            if fin:
                return kind, b"".join(parts)

    def recv_bytes(self, n):
        """n bytes of payload, or more, from as many messages as it takes."""
        parts, have = [], 0
        while have < n:
            _, payload = self.recv()
            parts.append(payload)
            have += len(payload)
        return b"".join(parts)

    def recv_close(self):
        """(code, reason) of the close frame, skipping messages; then the end must follow."""
        try:
            while True:
                self.recv()
        except Closed as closed:
            return closed.code, closed.reason

    def finish(self, code=1000):
        """Close in order: our close frame, the server's, the end of the connection."""
        self.close(code)
        answer = self.recv_close()
        assert self.gone(), "the server kept the connection after the close"
        return answer


def connect(address, path="/", timeout=15, rcvbuf=0, **how):
    """An open WebSocket."""
    client = Client(address, timeout, rcvbuf)
    try:
        return client.open(path, **how)
    except BaseException:
        client.sock.close()
        raise
