# SPDX-License-Identifier: ISC
"""The auditor, alone: the test is its broker and its journal, and proves the chain of its file."""

import hashlib
import json
import os
import random
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import time
import unittest

import ipcwire as wire

SOCKWARD = os.path.join(wire.BUILD, "sockward")
ZEROS = "0" * 64


def prove(data):
    """The chain, proven a second time and independently; the records."""
    records, previous = [], ZEROS
    assert data == b"" or data.endswith(b"\n")
    for at, line in enumerate(data.split(b"\n")[:-1]):
        assert re.fullmatch(rb"[ -~]+", line), line
        record = json.loads(line)
        body, _, tail = line.rpartition(b',"hash":"')
        assert hashlib.sha256(body + b"}").hexdigest() == record["hash"] == tail[:-2].decode()
        assert list(record)[-2:] == ["prev", "hash"] and list(record)[0] == "seq"
        assert record["prev"] == previous and record["seq"] == at + 1
        previous = record["hash"]
        records.append(record)
    return records


class Broker:
    """Numbers records, sends them, and sends again what was not stored."""

    def __init__(self, helper, instance=None):
        self.helper = helper
        self.instance = instance or random.getrandbits(64) | 1
        self.records = []
        self.stored = self.sent = 0
        self.channel = None

    def connect(self, ready=True):
        self.channel = self.helper.connect()
        self.channel.send(wire.hello(self.instance))
        return self.ready() if ready else None

    def ready(self):
        name, number = wire.unpack(self.channel.recv(4096))
        assert name == "AUDIT_READY"
        assert number >= self.stored, "what was stored is lost"
        self.stored = self.sent = number
        return number

    def add(self, event, **fields):
        self.records.append(wire.record(len(self.records) + 1, event, **fields))
        return len(self.records)

    def push(self):
        """Send what can be sent, take answers that are there; False when the auditor is gone."""
        self.channel.setblocking(False)
        try:
            while self.sent < len(self.records):
                self.channel.send(self.records[self.sent])
                self.sent += 1
        except BlockingIOError:
            pass
        except OSError:
            return False
        try:
            while True:
                message = self.channel.recv(4096)
                if not message:
                    return False
                name, number = wire.unpack(message)
                assert name == "STORED" and self.stored <= number <= self.sent, (name, number)
                self.stored = number
        except BlockingIOError:
            return True
        except OSError:
            return False

    def settle(self, seconds=10):
        end = time.monotonic() + seconds
        while self.stored < len(self.records):
            assert self.push(), "the auditor hung up"
            assert time.monotonic() < end, "stored %d of %d" % (self.stored, len(self.records))
            time.sleep(0.001)

    def tell(self, event, **fields):
        self.add(event, **fields)
        self.settle()


class Journal:
    """Takes datagrams as journald does."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.socket.settimeout(5)

    def entry(self):
        data, fields = self.socket.recv(1 << 20), []
        while data:
            name, _, rest = data.partition(b"\n")
            assert b"=" not in name, "a value that is not length-prefixed: %r" % name
            length = struct.unpack("<Q", rest[:8])[0]
            fields.append((name.decode(), rest[8:8 + length]))
            assert rest[8 + length:9 + length] == b"\n"
            data = rest[9 + length:]
        return fields

    def close(self):
        self.socket.close()
        os.unlink(self.path)


class Case(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="sockward-test-")
        self.path = os.path.join(self.directory, "audit.jsonl")
        self.journal = os.path.join(self.directory, "journal")
        self.helper = None

    def tearDown(self):
        if self.helper and self.helper.process:
            self.helper.__exit__(None)
        shutil.rmtree(self.directory)

    def start(self, *args, **how):
        if not self.helper:
            self.helper = wire.Helper("auditor", ("--file", self.path, "--journal", self.journal)
                                      + args, **how)
        self.helper.start()
        return self.helper

    def broker(self, **how):
        broker = Broker(self.helper, **how)
        broker.connect()
        return broker

    def data(self):
        with open(self.path, "rb") as file:
            return file.read()

    def proven(self):
        records = prove(self.data())
        done = self.verify()
        self.assertEqual(done.returncode, 0, done.stderr)
        return records

    def verify(self, *args, path=None):
        return subprocess.run([SOCKWARD, "audit", "verify", path or self.path, *args],
                              capture_output=True, text=True)
