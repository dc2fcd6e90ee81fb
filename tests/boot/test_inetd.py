#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""inetd style on a booted systemd: no listener, a unit for each connection."""

import os
import signal
import socket
import statistics
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import booted
import suite
import tap
import targets
import wsclient
from suite import to

HOST = "127.0.0.1"
DOOR = (HOST, 8088)


@tap.needs_root
class Inetd(unittest.TestCase):
    seconds = 120

    @classmethod
    def setUpClass(cls):
        cls.machine = booted.Machine().__enter__()
        cls.echo = targets.Echo(backlog=256)
        cls.echo.__enter__()
        try:
            cls.machine.policy("inetd", suite.policy({"open": suite.grant(
                [to(HOST + ":*")], explain=True, limits={"connects_per_minute": 0})}))
            cls.machine.systemctl("enable", "--now", "sockward-inetd.socket")
            cls.serves()
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.echo.__exit__()
        cls.machine.__exit__()

    def setUp(self):
        self.echo.most = 1 << 20

    @classmethod
    def serves(cls):
        with cls.open() as client:
            client.finish()

    @classmethod
    def open(cls):
        client = wsclient.connect(DOOR, cls.echo.path(), timeout=30)
        client.send(b"inetd")
        assert client.recv_bytes(5) == b"inetd"
        return client

    def units(self):
        said = self.machine.systemctl("list-units", "--plain", "--no-legend",
                                      "sockward-inetd@*").stdout
        return [line.split()[0] for line in said.splitlines()]

    def record_of(self, client):
        """How its session ended, once it hangs up."""
        port = client.sock.getsockname()[1]
        client.sock.close()
        opened = [record for record in self.machine.records("inetd", event="session-open")
                  if record["client_port"] == port][-1]
        return self.machine.wait_records("inetd", event="session-end",
                                         session=opened["session"])[0]

    def test_each_connection_has_its_unit(self):
        suite.wait_for(lambda: not self.units(), what="the end of those before")
        clients = [self.open() for _ in range(8)]
        units = self.units()
        self.assertEqual(len(units), 8)
        with self.assertRaises(ConnectionRefusedError):  # it has no other door
            wsclient.connect((HOST, 8086))
        self.assertEqual(self.machine.systemctl("is-active", "sockward@inetd.service",
                                                check=False).stdout.strip(), "inactive")
        networks = set()
        for unit in units:
            pid = self.machine.pid(unit)
            pids = self.machine.processes(unit)
            self.assertEqual(len(pids), 2, "the unit's own process, and the worker")
            for one in pids:
                facts = suite.status_of(one)
                self.assertEqual(int(facts["CapBnd"], 16) | int(facts["CapEff"], 16), 0)
                self.assertEqual((facts["NoNewPrivs"], facts["Seccomp"]), ("1", "2"))
            networks.add(os.readlink("/proc/%d/ns/net" % pid))
        self.assertEqual(len(networks), 8)
        for client in clients:
            client.send(b"again")
            self.assertEqual(client.recv_bytes(5), b"again")
            client.finish()
            end = self.record_of(client)
            self.assertEqual((end["reason"], end["claimed_close"], end["claimed_exit"]),
                             ("worker-exited", 1000, "done"), end)
        suite.wait_for(lambda: not self.units(), what="their end")

    def test_there_is_no_other_door(self):
        """Of the listener that this tenant does not have."""
        self.serves()
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection((HOST, 8086), 5)
        self.assertEqual(self.machine.show("sockward@inetd.socket", "ActiveState"), "inactive")

    def test_one_that_is_killed_takes_no_other_along(self):
        one, other = self.open(), self.open()
        first = self.record_pids()
        os.kill(first[one.sock.getsockname()[1]], signal.SIGKILL)
        with self.assertRaises((wsclient.Gone, wsclient.Closed)):
            one.recv()
        end = self.record_of(one)
        self.assertEqual((end["reason"], end["signal"]), ("worker-crashed", signal.SIGKILL))
        other.send(b"alive")
        self.assertEqual(other.recv_bytes(5), b"alive")
        other.sock.close()

    def record_pids(self):
        """The worker of each client's port, by the peers of sockets."""
        found = {}
        for unit in self.units():
            main = self.machine.pid(unit)
            port = int(unit.rsplit(":", 1)[1].split(".")[0])
            found[port], = [pid for pid in self.machine.processes(unit) if pid != main]
        return found

    def test_what_a_session_costs(self):
        times = []
        for _ in range(20):
            begun = time.monotonic()
            with self.open() as client:
                times.append(time.monotonic() - begun)
                client.finish()
        print("# a session began in %.0f ms (median of 20; %.0f to %.0f)" % (
            1000 * statistics.median(times), 1000 * min(times), 1000 * max(times)))

    def test_zz_all_of_it_stops(self):
        client = self.open()
        self.machine.systemctl("stop", "sockward@inetd.target")
        with self.assertRaises((wsclient.Gone, wsclient.Closed)):
            client.recv()
        client.sock.close()
        suite.wait_for(lambda: not self.machine.run("pgrep", "sockward", check=False).stdout,
                       what="the end of all processes")
        opened = {r["session"] for r in self.machine.records("inetd", event="session-open")}
        ended = [r["session"] for r in self.machine.records("inetd", event="session-end")]
        self.assertEqual(sorted(opened), sorted(ended))


if __name__ == "__main__":
    sys.exit(tap.main())
