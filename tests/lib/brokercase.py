# SPDX-License-Identifier: ISC
"""What tests of the broker alone begin with: a policy, a service, and requests that are answered."""

import select
import socket
import struct
import unittest

import suite
from brokerbox import open_, receive_fd
from ipcwire import REASON_WORDS, number_of


def policy(**more):
    return {"version": 1, "hosts": ["127.0.0.1"], "dialects": ["raw"],
            "limits": {"sessions": 8000, "sessions_per_source": 8000},
            "grants": {"demo": suite.grant(allow=[
                suite.to("127.0.0.1:*"), suite.to("*.example.test:*"),
                suite.to("inner.test:*", private=True)], explain=True,
                **dict({"limits": {"sessions": 8000}}, **more))}}


def target():
    server = socket.create_server(("127.0.0.1", 0), backlog=64)
    server.settimeout(10)
    return server, server.getsockname()[1]


class Case(unittest.TestCase):
    def open_stream(self, b, session, port, host="127.0.0.1", tag=1):
        b.ends[session].send(open_(host, port, tag))
        b.pump(until=lambda: self.ready(b, session), watch=b.ends[session])
        return receive_fd(b.ends[session])

    def ready(self, b, session):
        return bool(select.select([b.ends[session]], [], [], 0)[0])

    def refused(self, b, session, host, port=80):
        message, fds = self.open_stream(b, session, port, host)
        self.assertEqual(fds, [])
        kind, _, reason = struct.unpack_from("=III", message)
        self.assertEqual(kind, number_of("REFUSED"))
        return REASON_WORDS[reason]
