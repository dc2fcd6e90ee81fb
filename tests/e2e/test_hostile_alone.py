#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The hostile worker against a broker that the test plays, and the negative control:
without its confinement the same attacks reach the victim. So the probes work, and it
is the confinement that stops them. Cases 63, 65 to 76 and 80."""

import contextlib
import os
import socket
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import double
import suite
import tap
import targets

FOLDER = os.path.join(suite.BUILD, "tests", "hostile")
HOSTILE = os.path.join(FOLDER, "sockward-hostile")
NO_FILTER = os.path.join(FOLDER, "sockward-hostile-no-filter")
NO_CONFINE = os.path.join(FOLDER, "sockward-hostile-no-confine")
WORKER = os.path.join(suite.BUILD, "worker", "sockward-worker")

# Ends the process at the first forbidden call: nothing is said after the name.
KILLS = (
    ["client-reconnect", "stream-reconnect", "stream-connect", "stream-serve", "stream-bind",
     "channel-listen", "client-accept", "client-accept4", "client-sendto", "client-sendmsg",
     "client-sendmmsg", "client-option", "client-getsockopt", "udp-sendto?udp=1",
     "udp-connect?udp=1", "udp-sendmsg?udp=1"] +
    ["client-options?which=%d" % i for i in range(8)] +
    ["socket-inet-stream", "socket-inet-dgram", "socket-inet-raw", "socket-inet6", "socket-unix",
     "socket-netlink", "socket-packet", "socket-vsock", "socket-alg"] +
    ["execve", "execveat", "clone", "clone3", "fork", "kill", "pidfd-signal", "pidfd-getfd",
     "ptrace", "vm-read", "vm-write", "tgkill", "mmap-exec", "mprotect-exec", "io-uring", "bpf",
     "memfd", "perf", "userfaultfd", "keyctl", "add-key", "unshare", "setns", "mount", "chroot",
     "prctl", "seccomp", "fcntl", "setuid", "personality", "getpid", "vmsplice", "shmget", "x32",
     "int80", "arch-prctl", "descriptors"])
# These say something rightly before the call that ends them.
SAYS_BEFORE = {"mprotect-exec": 1}


def attack(worker, name, empty_net=False, victim=0, port=0):
    """Lines that came, the exit status."""
    with double.Double(worker, empty_net) as one:
        one.ask("/attack/%s%sport=%d&victim=%d&pid=%d" % (
            name, "&" if "?" in name else "?", port, victim, os.getpid()))
        status = one.serve()
        return one.heard(), status


@contextlib.contextmanager
def places():
    """Where a stream may go, and a victim that nobody may reach."""
    with targets.Echo() as allowed, targets.Sink() as victim:
        yield allowed, victim


class Confined(unittest.TestCase):
    seconds = 120

    def test_each_attack_ends_the_process(self):
        with places() as (allowed, victim):
            for name in KILLS:
                with self.subTest(attack=name):
                    lines, status = attack(HOSTILE, name, victim=victim.port, port=allowed.port)
                    plain = name.split("?")[0]
                    self.assertEqual(status, double.KILLED, lines)
                    self.assertEqual(lines[:1], ["%s: 0 " % plain])
                    self.assertEqual(len(lines), 1 + SAYS_BEFORE.get(plain, 0), lines)
            self.assertEqual(victim.seen, [])

    def test_files_are_refused_with_an_errno(self):
        lines, status = attack(HOSTILE, "files")
        self.assertEqual(status, 0)
        self.assertEqual(len(lines), 12)
        for line in lines[1:-1]:
            self.assertTrue(line.endswith(": -1 EACCES"), line)
        self.assertFalse(os.path.exists("/tmp/sockward-hostile"))

    def test_ioctl_does_not_reach_the_socket(self):
        lines, status = attack(HOSTILE, "client-interfaces")
        self.assertEqual(status, 0)
        self.assertIn("SIOCGIFCONF: -1 ENOTTY", lines)
        self.assertIn("SIOCGIFFLAGS: -1 ENOTTY", lines)
        self.assertIn("SIOCGSKNS: -1 ENOTTY", lines)
        self.assertIn("first interface's name begins with: 0 ", lines)

    def test_inventory(self):
        lines, status = attack(HOSTILE, "inventory")
        self.assertEqual(status, 0)
        self.assertEqual(lines, ["inventory: 0 ", "descriptor: 0 ", "descriptor: 1 ",
                                 "descriptor: 2 ", "others: 0 ", "end: 0 "])


@tap.needs_root
class Unconfined(unittest.TestCase):
    """The worker's own namespace is empty throughout: that alone does not stop these."""

    seconds = 60

    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.allowed, self.victim = self.stack.enter_context(places())

    def go(self, worker, name):
        return attack(worker, name, empty_net=True, victim=self.victim.port,
                      port=self.allowed.port)

    def reached(self):
        return self.victim.wait_seen().head

    def test_a_granted_socket_reaches_the_victim(self):
        lines, status = self.go(NO_CONFINE, "stream-reconnect")
        self.assertEqual(status, 0)
        self.assertIn("connect to AF_UNSPEC: 0 ", lines)
        self.assertIn("connect to the victim: 0 ", lines)
        self.assertEqual(self.reached(), b"hostile bytes\n")

    def test_the_client_socket_reaches_the_victim(self):
        _, status = self.go(NO_CONFINE, "client-reconnect")
        self.assertEqual(status, 0)
        self.assertTrue(self.reached().startswith(b"hostile bytes\n"))

    def test_a_udp_socket_reaches_the_victim(self):
        """Landlock knows no UDP: only the filter stands there, hence no exception in it."""
        for worker in (NO_CONFINE, NO_FILTER):
            for name in ("udp-sendto", "udp-connect", "udp-sendmsg"):
                with self.subTest(worker=worker, attack=name), \
                        socket.socket(type=socket.SOCK_DGRAM) as victim:
                    victim.bind(("127.0.0.1", 0))
                    victim.settimeout(5)
                    lines, status = attack(worker, name + "?udp=1", True,
                                           victim.getsockname()[1], self.allowed.port)
                    self.assertEqual(status, 0, lines)
                    self.assertEqual(victim.recv(100), b"x")

    def test_a_granted_socket_serves(self):
        """In the namespace of its maker: a stranger on the host's loopback gets through."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            free = taken.getsockname()[1]
        with double.Double(NO_CONFINE, True) as one:
            one.ask("/attack/stream-serve?port=%d&victim=%d" % (self.allowed.port, free))
            while not one.dialled:
                one.answer(one.channel.recv(65536))
            targets.wait_until(lambda: self.connects(free), 5, "a connection to the hostile")
            self.assertEqual(one.status(), 0)
            lines = one.heard()
        self.assertIn("listen: 0 ", lines)
        self.assertRegex(lines[3], r"^accept: \d+ $")

    @staticmethod
    def connects(port):
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port)).close()
            return True
        return False

    def test_landlock_stands_behind_the_filter(self):
        """Without the filter: no TCP elsewhere (Landlock ABI 4), no signal out (ABI 6)."""
        abi = libc_landlock_abi()
        lines, _ = self.go(NO_FILTER, "stream-reconnect")
        self.assertIn("connect to AF_UNSPEC: 0 ", lines)
        if abi >= 4:
            self.assertIn("connect to the victim: -1 EACCES", lines)
            self.assertEqual(self.victim.seen, [])
        lines, _ = self.go(NO_FILTER, "files")
        if abi >= 1:
            self.assertIn("/etc/passwd: -1 EACCES", lines)
            self.assertIn("/tmp/sockward-hostile: -1 EACCES", lines)
        lines, _ = self.go(NO_FILTER, "ptrace")
        self.assertIn("ptrace: -1 EPERM", lines)
        lines, _ = self.go(NO_FILTER, "vm-read")
        self.assertIn("process_vm_readv: -1 EPERM", lines)

    def test_the_empty_namespace_stands_behind_both(self):
        """A socket of its own leads nowhere, even with nothing else on."""
        lines, status = self.go(NO_CONFINE, "socket-inet-stream")
        self.assertEqual(status, 0)
        self.assertRegex(lines[1], r"^call: \d+ $")

    def test_what_the_filter_kills_for_works_without_it(self):
        """The attacks are real calls: most succeed when nothing stops them."""
        succeed = ["socket-unix", "socket-inet-stream", "clone", "clone3", "fork", "mmap-exec",
                   "mprotect-exec", "memfd", "client-getsockopt", "client-sendmsg",
                   "client-sendmmsg", "client-option", "getpid", "prctl", "personality",
                   "int80"]
        for name in succeed:
            with self.subTest(attack=name):
                lines, status = self.go(NO_CONFINE, name)
                self.assertEqual(status, 0, lines)
                self.assertNotIn(" -1 ", "".join(lines))
                self.assertEqual(lines[-1], "end: 0 ")
        lines, _ = self.go(NO_CONFINE, "client-interfaces")
        self.assertIn("SIOCGIFCONF: 0 ", lines)
        self.assertIn("first interface's name begins with: %d " % ord("l"), lines)


def libc_landlock_abi():
    abi = double.libc.syscall(444, None, 0, 1)
    return max(abi, 0)


class HostileBroker(unittest.TestCase):
    """The real worker, and a broker that sends what it should not: case 80."""

    def end_of(self, send):
        with double.Double(WORKER) as one:
            send(one)
            return one.status()

    def ends_in_order(self, send):
        status = self.end_of(send)
        self.assertGreater(status, 0, "ended by signal" if status < 0 else "not at all")
        return status

    def test_wrong_numbers_of_descriptors(self):
        for count in (0, 2, 3, 253):
            with self.subTest(descriptors=count):
                self.ends_in_order(lambda one, n=count: socket.send_fds(
                    one.channel, [double.client()], [one.accepted.fileno()] * n))

    def test_wrong_first_messages(self):
        for name, message in (("granted", double.granted()), ("one byte", b"x"),
                              ("short", double.client()[:3]),
                              ("long", double.client() + b"more"),
                              ("large", bytes(60000)), ("type", b"\xff" * 4)):
            with self.subTest(message=name):
                self.ends_in_order(lambda one, m=message: socket.send_fds(
                    one.channel, [m], [one.accepted.fileno()]))

    def test_no_broker_at_all(self):
        self.ends_in_order(lambda one: one.channel.close())

    def test_descriptors_where_none_belongs(self):
        def send(one):
            one.hand_client()
            socket.send_fds(one.channel, [double.granted()], [one.client.fileno()])
        self.ends_in_order(send)


if __name__ == "__main__":
    sys.exit(tap.main())
