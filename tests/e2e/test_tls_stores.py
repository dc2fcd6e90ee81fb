#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""TLS to the destination: the trust store of the server, or none."""

import os
import signal
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import certs
import suite
import tap
import targets
from tlstalk import Wasmnet, rules


def setUpModule():
    global box
    box = unittest.enterModuleContext(certs.Box())


class Stores(unittest.TestCase):
    """What the trust store is, and what is without one."""

    def refused(self, one):
        with box.serve() as target, Wasmnet(one) as talk:
            self.assertEqual(talk.connect(target), {
                "ev": "error", "id": 1,
                "msg": "TLS error: the server has no trust store, so no TLS is made"})
            self.assertEqual(target.wait_seen().wire.heard, 0)
        with targets.Echo() as target, one.connect(target.path()) as client:
            client.send(b"x")
            self.assertEqual(client.recv_bytes(1), b"x")
            client.finish()

    def test_no_certificate_in_it(self):
        for spawn in ("fork", "exec"):
            with suite.Suite(rules(), args=["--trust", "/etc/hostname", "--spawn", spawn]) as one:
                self.refused(one)

    @tap.needs_root
    def test_unreadable(self):
        path = box.write("closed.pem", box.trusted.pem)
        os.chmod(path, 0o600)  # the listener has another uid
        for spawn in ("fork", "exec"):
            with suite.Suite(rules(), args=["--trust", path, "--spawn", spawn]) as one:
                self.refused(one)
                self.assertEqual(one.stderr().count(
                    "cannot read the trust store %s, so TLS streams are refused: "
                    "Permission denied" % path), 1)

    def test_missing(self):
        done = suite.sockward("run", "--listen", "127.0.0.1:0", "--policy", "/dev/null",
                              "--trust", "/nonexistent/store.pem")
        self.assertNotEqual(done.returncode, 0)

    def test_a_new_template_reads_it_again(self):
        path = box.write("changing.pem", box.other.pem)
        with suite.Suite(rules(), args=["--trust", path]) as one, box.serve() as target:
            with Wasmnet(one) as talk:
                self.assertEqual(talk.connect(target)["ev"], "error")
            os.rename(box.write("next.pem", box.trusted.pem), path)
            old = one.template()
            os.kill(old, signal.SIGKILL)
            suite.wait_for(lambda: one.template() != old, what="the old template's end")
            with Wasmnet(one) as talk:  # which has a new one made
                talk.opened(target)


if __name__ == "__main__":
    sys.exit(tap.main())
