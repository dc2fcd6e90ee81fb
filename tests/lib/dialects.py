# SPDX-License-Identifier: ISC
"""Every dialect behind one face, for cases that must hold through all of them.

    with dialects.session(one, "wisp-udp") as s:
        s.open(1, "127.0.0.1", port)
        s.send(1, b"x")
        s.hear()  ->  ("data", 1, b"x")

What is heard is ("opened" | "data" | "closed" | "refused", stream, value): the value is
the bytes, or what the client was told, in the dialect's own words. Streams are
numbers that the test chooses. raw and udp-relay have one stream a WebSocket: there
open() makes the WebSocket.
"""

import base64
import json
import struct
import threading
import urllib.parse

import wsclient

NEAR = 40001  # udp-relay: the guest's port


class Wire(wsclient.Client):
    """A client of which one thread may send while another one receives."""

    def __init__(self, *args, **how):
        super().__init__(*args, **how)
        self.lock = threading.Lock()

    def send_raw(self, data):
        with self.lock:
            super().send_raw(data)


class Session:
    path = None
    word = None    # in records
    many = True    # streams in one WebSocket
    says = False   # does "opened" come?

    def __init__(self, one, kind, token=None, timeout=30):
        self.address, self.kind, self.timeout = one.address, kind, timeout
        self.query = "?token=" + token if token else ""
        self.ws = None
        self.last = 0
        self.known = set()  # streams on which something came
        if self.many:
            self.connect(self.path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.ws:
            self.ws.sock.close()

    def connect(self, path):
        self.ws = Wire(self.address, self.timeout)
        self.ws.open(path + self.query)

    def hear(self):
        """The next event; a WebSocket that is closed is one of its only stream."""
        while True:
            event = self.read(*self.ws.recv())
            if event:
                return event

    def gone(self, stream, value):
        return ("closed" if stream in self.known else "refused", stream, value)

    def arrived(self, stream, data):
        self.known.add(stream)
        return ("data", stream, data)

    # --- whole conversations ----------------------------------------------------

    def fresh(self):
        self.last += 1
        return self.last

    def wait(self, stream, *wanted):
        """The next of these events of a stream; those of others are passed over."""
        while True:
            what, whose, value = self.hear()
            if whose == stream and what in wanted:
                return what, value

    def read_bytes(self, stream, n):
        """Exactly the next n bytes that come on a stream."""
        data = b""
        while len(data) < n:
            what, value = self.wait(stream, "data", "closed", "refused")
            assert what == "data", "%s after %d of %d bytes: %s" % (what, len(data), n, value)
            data += value
        assert len(data) == n, "%d bytes instead of %d" % (len(data), n)
        return data

    def ask(self, host, port, probe=b"?"):
        """None when an echo answers there, else what the refusal said."""
        stream = self.fresh()
        self.open(stream, host, port)
        if self.ws:
            self.send(stream, probe)
        what, value = self.wait(stream, "data", "closed", "refused")
        if what != "data":
            return value
        assert value == probe, "not an echo: %r" % value
        self.end(stream)
        return None

    def end(self, stream):
        """Close, and wait until that is confirmed."""
        self.close(stream)
        self.wait(stream, "closed", "refused")


class OneStream(Session):
    many = False

    def open(self, stream, host, port, kind=None):
        if self.ws:
            self.ws.sock.close()
            self.ws = None
        self.stream, self.port, self.failed = stream, port, None
        try:
            self.connect(self.path_to(host, port))
        except wsclient.Refused as refused:
            self.ws.sock.close()
            self.ws, self.failed = None, "HTTP %d" % refused.answer.status

    def hear(self):
        if self.failed:
            return ("refused", self.stream, self.failed)
        try:
            return super().hear()
        except wsclient.Closed as closed:
            value = "%d %s" % (closed.code, closed.reason)
            return self.gone(self.stream, value)

    def close(self, stream):
        self.ws.close(1000)


def quoted(host):
    host = host if isinstance(host, bytes) else host.encode()
    return urllib.parse.quote(host, safe="")


class Raw(OneStream):
    word = "raw"

    def path_to(self, host, port):
        return "/raw/%s/%s" % (quoted(host), port)

    def send(self, stream, data):
        self.ws.send(data)

    def read(self, _opcode, payload):
        return self.arrived(self.stream, payload)


class UdpRelay(OneStream):
    word = "udp-relay"

    def path_to(self, host, _port):
        return "/udp-relay/" + quoted(host)

    def send(self, stream, data):
        self.ws.send(struct.pack(">BHHH", 1, NEAR, 0, self.port) + data)

    def read(self, _opcode, payload):
        head = struct.unpack(">BHHH", payload[:7])
        assert head == (1, self.port, 0, NEAR), head
        return self.arrived(self.stream, payload[7:])


class Netproxy(Session):
    path, word = "/netproxy", "netproxy"
    says = True

    def say(self, **message):
        self.ws.send_text(json.dumps(message))

    def open(self, stream, host, port, kind=None):
        self.say(t="open", id=stream, host=host, port=port)

    def send(self, stream, data):
        self.say(t="write", id=stream, b64=base64.b64encode(data).decode())

    def close(self, stream):
        self.say(t="close", id=stream)

    def read(self, _opcode, payload):
        message = json.loads(payload)
        what, stream = message["t"], message.get("id")
        if what == "data":
            return self.arrived(stream, base64.b64decode(message["b64"], validate=True))
        return {"opened": "opened", "closed": "closed", "error": "refused"}[what], stream, \
            message.get("msg")


class Wisp(Session):
    path, word = "/wisp/", "wisp"
    CONNECT, DATA, CONTINUE, CLOSE = 1, 2, 3, 4

    def connect(self, path):
        super().connect(path)
        _, first = self.ws.recv()
        assert first[:5] == b"\x03\0\0\0\0", first
        self.initial, = struct.unpack("<I", first[5:])
        self.credit = {}  # of TCP streams: DATA packets that may be sent

    def packet(self, what, stream, payload=b""):
        self.ws.send(struct.pack("<BI", what, stream) + payload)

    def open(self, stream, host, port, kind=None):
        host = host if isinstance(host, bytes) else host.encode()
        number = {"tcp": 1, "udp": 2}[kind or self.kind]
        if number == 1:
            self.credit[stream] = self.initial
        self.packet(self.CONNECT, stream, struct.pack("<BH", number, port) + host)

    def send(self, stream, data):
        if stream in self.credit:
            self.credit[stream] -= 1
        self.packet(self.DATA, stream, data)

    def close(self, stream):
        self.packet(self.CLOSE, stream, b"\x02")

    def read(self, opcode, payload):
        assert opcode == wsclient.BINARY and len(payload) >= 5, payload
        what, stream = struct.unpack("<BI", payload[:5])
        if what == self.CONTINUE:
            self.credit[stream], = struct.unpack("<I", payload[5:])
            return ("credit", stream, self.credit[stream])
        if what == self.CLOSE:
            return self.gone(stream, "0x%02x" % payload[5])
        assert what == self.DATA, payload
        return self.arrived(stream, payload[5:])


OPS = {"connect": 1, "bind": 2, "listen": 3, "send": 4, "close": 5, "connect_udp": 6,
       "send_to": 7, "resolve": 8, "connect_tls": 9}
EVENTS = {0x81: "connected", 0x82: "data", 0x83: "listening", 0x84: "accepted", 0x85: "closed",
          0x86: "error", 0x87: "denied", 0x88: "data_from", 0x89: "resolved", 0x8a: "udp_bound"}


class Wasmnet(Session):
    """@kind: tcp, udp or tls; self.binary says how it speaks, and may change at any time."""

    path, word = "/wasmnet", "wasmnet"
    says = True
    binary = False
    ASKS = {"tcp": "connect", "udp": "connect_udp", "tls": "connect_tls"}

    def say(self, op, id, addr=None, port=None, data=b"", name=""):
        if self.binary:
            frame = struct.pack(">BQ", OPS[op], id)
            if addr is not None:
                addr = addr.encode()
                length = struct.pack(">H", len(addr)) if op == "send_to" else b""
                frame += struct.pack(">H", port) + length + addr
            self.ws.send(frame + data + name.encode())
            return
        request = {"op": op, "id": id}
        if addr is not None:
            request.update(addr=addr, port=port)
        if op in ("send", "send_to"):
            request["data"] = base64.b64encode(data).decode()
        if op == "resolve":
            request["name"] = name
        self.ws.send_text(json.dumps(request))

    def open(self, stream, host, port, kind=None):
        self.say(self.ASKS[kind or self.kind], stream, host, port)

    def send(self, stream, data):
        self.say("send", stream, data=data)

    def close(self, stream):
        self.say("close", stream)

    def read(self, opcode, payload):
        if opcode == wsclient.BINARY:
            what, stream, value = self.read_frame(payload)
        else:
            message = json.loads(payload)
            what, stream = message["ev"], message["id"]
            value = message.get("msg", message.get("addrs", message.get("port")))
            if what == "accepted":
                value = (message["conn_id"], message["remote"])
            if what in ("data", "data_from"):
                value = base64.b64decode(message["data"], validate=True)
        if what in ("data", "data_from"):
            return self.arrived(stream, value)
        words = {"connected": "opened", "udp_bound": "opened", "error": "refused",
                 "denied": "refused"}
        if what in ("error", "denied"):
            value = "%s: %s" % (what, value)
        return words.get(what, what), stream, value

    def read_frame(self, frame):
        kind, stream = struct.unpack(">BQ", frame[:9])
        what, body = EVENTS[kind], frame[9:]
        if what in ("error", "denied"):
            body = body.decode()
        elif what == "data_from":
            body = body[4 + struct.unpack(">H", body[2:4])[0]:]
        elif what in ("listening", "udp_bound"):
            body, = struct.unpack(">H", body)
        elif what == "resolved":
            body = json.loads(body)
        elif what == "accepted":
            body = (struct.unpack(">Q", body[:8])[0], body[8:].decode())
        elif what in ("connected", "closed"):
            assert not body, "%s with a payload" % what
            body = None
        return what, stream, body


class WasmnetBinary(Wasmnet):
    binary = True


class SendTo(Wasmnet):
    """wasmnet's datagrams to others than the peer of their socket. A stream is one
    destination; one is asked for after the other."""

    to = None

    def base(self, host, port):
        """The socket; its own peer must be one that the policy allows."""
        self.say("connect_udp", 0, host, port)
        what, value = self.wait(0, "opened", "refused")
        assert what == "opened", value

    def open(self, stream, host, port, kind=None):
        self.to = (stream, host, port)

    def send(self, stream, data):
        assert stream == self.to[0]
        self.say("send_to", 0, self.to[1], self.to[2], data)

    def read(self, opcode, payload):
        what, _, value = super().read(opcode, payload)
        return what, self.to[0] if self.to else 0, value

    def end(self, stream):
        pass


WAYS = {
    "raw": (Raw, "tcp"),
    "netproxy": (Netproxy, "tcp"),
    "wasmnet-json": (Wasmnet, "tcp"),
    "wasmnet-binary": (WasmnetBinary, "tcp"),
    "wisp": (Wisp, "tcp"),
    "wasmnet-json-udp": (Wasmnet, "udp"),
    "wasmnet-binary-udp": (WasmnetBinary, "udp"),
    "wasmnet-send-to": (SendTo, "udp"),
    "wisp-udp": (Wisp, "udp"),
    "udp-relay": (UdpRelay, "udp"),
}
TCP = tuple(way for way, (_, kind) in WAYS.items() if kind == "tcp")
UDP = tuple(way for way, (_, kind) in WAYS.items() if kind == "udp")
MANY = tuple(way for way, (kind, _) in WAYS.items() if kind.many and kind is not SendTo)


def session(one, way, **how):
    cls, kind = WAYS[way]
    return cls(one, kind, **how)


def through(*ways):
    """Marks case_NUMBER_WORDS(self, way) as one that must hold through these ways."""
    def mark(function):
        function.ways = ways
        return function
    return mark


def table(cls):
    """Makes test_NUMBER_WORDS_WAY of each marked function and each of its ways."""
    for name, function in list(vars(cls).items()):
        for way in getattr(function, "ways", ()):
            def test(self, function=function, way=way):
                function(self, way)
            test.__doc__ = function.__doc__
            test.__name__ = "%s_%s" % (name.replace("case_", "test_"), way.replace("-", "_"))
            setattr(cls, test.__name__, test)
    return cls
