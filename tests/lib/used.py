# SPDX-License-Identifier: ISC
"""A tenant on a booted systemd that is used: sessions that live, sessions that come and go,
and what both must be able to all the time."""

import os
import signal
import threading
import time
import unittest

import booted
import suite
import targets
import wsclient
from suite import to

HOST = "127.0.0.1"
DEMO = (HOST, 8086)
UNIT = "sockward%s@demo.service"


def rules(**limits):
    return suite.policy({"open": suite.grant([to(HOST + ":*"), to("localhost:*", private=True)],
                                             explain=True,
                                             limits=dict({"sessions": 2000, "connects_per_minute":
                                                          0, "idle_timeout": 0}, **limits))},
                        limits={"sessions": 2000, "sessions_per_source": 2000})


class Load:
    """Sessions, one after the other, each an echo of a few bytes; with what went wrong."""

    def __init__(self, port, pause=0.0, host=HOST):
        self.path, self.pause = "/raw/%s/%d" % (host, port), pause
        self.done, self.wrong, self.over = 0, [], False
        self.thread = threading.Thread(target=self.loop, daemon=True)

    def loop(self):
        while not self.over:
            try:
                with wsclient.connect(DEMO, self.path, timeout=20) as client:
                    client.send(b"ping")
                    assert client.recv_bytes(4) == b"ping"
                    client.finish()
                self.done += 1
            except (OSError, wsclient.Gone, wsclient.Refused, wsclient.Closed,
                    AssertionError) as error:
                self.wrong.append(repr(error))
            time.sleep(self.pause)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over = True
        self.thread.join(30)

    def more(self, count=20):
        """Until so many more were served."""
        goal = self.done + count
        suite.wait_for(lambda: self.done >= goal, 30, "%d more sessions: %s" % (count,
                                                                              self.wrong[-1:]))


class Used(unittest.TestCase):
    """A tenant, demo, on a machine of its own; an echo that it may reach."""

    seconds = 180

    @classmethod
    def setUpClass(cls):
        cls.machine = booted.Machine().__enter__()
        cls.echo = targets.Echo(backlog=1024)
        cls.echo.__enter__()
        try:
            cls.machine.tenant("demo", rules())
            cls.serves()
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.echo.__exit__()
        cls.machine.__exit__()

    @classmethod
    def serves(cls):
        with wsclient.connect(DEMO, cls.echo.path(), timeout=30) as client:
            client.send(b"serves")
            assert client.recv_bytes(6) == b"serves"

    def setUp(self):
        self.echo.most = 1 << 20

    def live(self):
        client = wsclient.connect(DEMO, self.echo.path(), timeout=30)
        client.near = client.sock.getsockname()[1]
        self.addCleanup(client.sock.close)
        self.still(client)
        return client

    def still(self, client):
        client.send(b"still there")
        self.assertEqual(client.recv_bytes(11), b"still there")

    def systemctl(self, verb, what="", **how):
        return self.machine.systemctl(verb, UNIT % what, **how)

    def generation(self):
        return self.machine.status("demo")["generation"]

    def left_open(self):
        opened = {r["session"] for r in self.machine.records("demo", event="session-open")}
        return opened - {r["session"] for r in self.machine.records("demo", event="session-end")}

    def is_served(self):
        try:
            self.serves()
        except (OSError, wsclient.Closed, wsclient.Gone):
            return False
        return True

    def kill(self, what):
        pid = self.machine.pid(UNIT % what)
        os.kill(pid, signal.SIGKILL)
        suite.wait_for(lambda: self.machine.pid(UNIT % what) not in (0, pid), 20, "its successor")
