# SPDX-License-Identifier: ISC
"""A client of the netproxy dialect that decides every message, and a policy for it."""

import base64
import json

import suite
import wsclient
from suite import to

TARGETS = [to("127.0.0.1:*"), to("[::1]:*"), to("localhost:*", private=True)]
RULES = suite.policy({
    "open": suite.grant(TARGETS, deny=[to("*:9")], explain=True, limits={"channels": 8}),
    "key": suite.grant(TARGETS, auth=suite.tokens(suite.TOKEN), limits={"channels": 8}),
})


def b64(data):
    return base64.b64encode(data).decode()


class Talk:
    """A WebSocket that speaks the dialect's JSON."""

    def __init__(self, one, path="/netproxy", **how):
        self.ws = one.connect(path, **how)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ws.sock.close()

    def say(self, message):
        self.ws.send_text(message if isinstance(message, str) else json.dumps(message))

    def hear(self):
        opcode, payload = self.ws.recv()
        assert opcode == wsclient.TEXT, "a binary message"
        return json.loads(payload)

    def ask(self, message):
        self.say(message)
        return self.hear()

    def open(self, id, port, host="127.0.0.1"):
        return self.ask({"t": "open", "id": id, "host": host, "port": port})

    def write(self, id, data):
        self.say({"t": "write", "id": id, "b64": b64(data)})

    def read(self, id, n):
        data = b""
        while len(data) < n:
            message = self.hear()
            assert message["t"] == "data" and message["id"] == id, message
            data += base64.b64decode(message["b64"], validate=True)
        return data
