# SPDX-License-Identifier: ISC
"""One question in each dialect: may I reach this? What is reached must echo."""

import json
import struct

import wsclient


class Session:
    """ask(host, port): None when it was opened and echoes, else what was said."""

    def __init__(self, one, dialect, token=None, timeout=30):
        self.one, self.path, self.timeout = one, dialect, timeout
        self.name = dialect.rstrip("/")
        self.query = "?token=" + token if token else ""
        self.ws = None
        self.id = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.ws:
            self.ws.sock.close()

    def socket(self, path=""):
        """The session; for a path a new one."""
        if not self.ws or path:
            self.ws = self.one.connect("/%s%s%s" % (self.path, path, self.query),
                                       timeout=self.timeout)
        return self.ws


class Netproxy(Session):
    def __init__(self, one, token=None):
        super().__init__(one, "netproxy", token)

    def ask(self, host, port=80):
        ws, self.id = self.socket(), self.id + 1
        ws.send_text(json.dumps({"t": "open", "id": self.id, "host": host, "port": port}))
        answer = json.loads(ws.recv()[1])
        if answer["t"] == "error":
            return answer["msg"]
        ws.send_text('{"t":"write","id":%d,"b64":"eA=="}' % self.id)
        assert json.loads(ws.recv()[1])["b64"] == "eA=="
        ws.send_text('{"t":"close","id":%d}' % self.id)
        assert json.loads(ws.recv()[1])["t"] == "closed"
        return None


class Wasmnet(Session):
    def __init__(self, one, token=None):
        super().__init__(one, "wasmnet", token)

    def say(self, op, **members):
        self.id += 1
        self.socket().send_text(json.dumps(dict({"op": op, "id": self.id}, **members)))

    def hear(self):
        """The next event of the newest request."""
        while (event := json.loads(self.socket().recv()[1]))["id"] != self.id:
            assert event["ev"] == "closed", event
        return event

    def ask(self, host, port=80, op="connect"):
        self.say(op, addr=host, port=port)
        event = self.hear()
        if event["ev"] in ("denied", "error"):
            return event["msg"]
        if op == "connect":
            self.socket().send_text(json.dumps({"op": "send", "id": self.id, "data": "eA=="}))
            assert self.hear()["data"] == "eA=="
        self.socket().send_text(json.dumps({"op": "close", "id": self.id}))
        return None

    def resolve(self, name):
        """The addresses, or what was said."""
        self.say("resolve", name=name)
        event = self.hear()
        return event["addrs"] if event["ev"] == "resolved" else event["msg"]


class Wisp(Session):
    def __init__(self, one, token=None):
        super().__init__(one, "wisp/", token)

    def ask(self, host, port=80):
        fresh = self.ws is None
        ws, self.id = self.socket(), self.id + 1
        if fresh:
            assert ws.recv()[1][:5] == struct.pack("<BI", 3, 0)
        ws.send(struct.pack("<BIBH", 1, self.id, 1, port) + host.encode())
        ws.send(struct.pack("<BI", 2, self.id) + b"x")
        said = ws.recv()[1]
        while said[0] == 3 or said[1:5] != struct.pack("<I", self.id):
            said = ws.recv()[1]  # CONTINUE, or the end of an earlier stream
        if said[0] == 4:
            return "0x%02x" % said[5]
        assert said == struct.pack("<BI", 2, self.id) + b"x", said
        ws.send(struct.pack("<BIB", 4, self.id, 2))
        return None


class Raw(Session):
    def __init__(self, one, token=None):
        super().__init__(one, "raw/", token)

    def ask(self, host, port=80):
        with self.socket("%s/%d" % (host, port)) as ws:
            ws.send(b"x")
            try:
                assert ws.recv()[1] == b"x"
            except wsclient.Closed as closed:
                return closed.reason
        return None


DIALECTS = (Netproxy, Wasmnet, Wisp, Raw)
