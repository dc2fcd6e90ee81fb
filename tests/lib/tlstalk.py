# SPDX-License-Identifier: ISC
"""A policy that allows TLS to destinations, and a wasmnet session that asks for it."""

import base64
import json

import certs
import suite
from suite import to

ALL = ("tcp", "tls")
RULES = [to("127.0.0.1:*", ALL), to("%s:*" % certs.NUMBER, ALL), to("[::1]:*", ALL),
         to("localhost:*", ALL, private=True)]


def rules(seconds=10, **more):
    return suite.policy({"open": suite.grant(RULES, limits={"connect_timeout": "%ds" % seconds},
                                             **more)},
                        dialects=["raw", "netproxy", "wasmnet"])


class Wasmnet:
    """A wasmnet session, in JSON."""

    def __init__(self, one):
        self.ws = one.connect("/wasmnet")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ws.sock.close()

    def say(self, op, id=1, **members):
        if "data" in members:
            members["data"] = base64.b64encode(members["data"]).decode()
        self.ws.send_text(json.dumps(dict(members, op=op, id=id)))

    def hear(self):
        event = json.loads(self.ws.recv()[1])
        if "data" in event:
            event["data"] = base64.b64decode(event["data"], validate=True)
        return event

    def connect(self, target, host="localhost", id=1):
        self.say("connect_tls", id, addr=host, port=target.port)
        return self.hear()

    def opened(self, target, host="localhost", id=1):
        event = self.connect(target, host, id)
        assert event == {"ev": "connected", "id": id}, event
        return self

    def read_all(self):
        """What comes up to `closed', and that nothing comes behind it."""
        data = []
        while True:
            event = self.hear()
            if event["ev"] == "closed":
                break
            assert event["ev"] == "data", event
            data.append(event["data"])
        self.say("listen", 99)
        assert self.hear() == {"ev": "listening", "id": 99, "port": 0}
        return b"".join(data)
