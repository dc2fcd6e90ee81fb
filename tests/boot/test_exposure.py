#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""What `systemd-analyze security` says of the units as they are installed, and that what
they have in common with the policy says the same."""

import ipaddress
import os
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import places
import suite
import tap

# Tenths: more than that fails.
MOST = {"sockward@": 1, "sockward-authenticator@": 3, "sockward-auditor@": 3,
        "sockward-resolver@": 9, "sockward-broker@": 9, "sockward-check@": 13,
        "sockward-metrics@": 2, "sockward-inetd@": 1,
        "sockward-drain@": 2}


class Exposure(unittest.TestCase):
    def unit(self, name):
        return os.path.join(suite.BUILD, "units", name + ".service")

    def analyze(self, path, most):
        """Exit status, level, and all that was said."""
        done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager",
                               "--threshold=%d" % most, path],
                              capture_output=True, text=True, timeout=60)
        said = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)
        return done.returncode, said and said[1], done.stdout + done.stderr

    def changed(self, name, *changes):
        """A copy of a unit with other lines."""
        with open(self.unit(name)) as file:
            text = file.read()
        for old, new in changes:
            self.assertIn("\n%s\n" % old, text)
            text = text.replace("\n%s\n" % old, "\n%s\n" % new)
        directory = self.enterContext(tempfile.TemporaryDirectory())
        path = os.path.join(directory, name + ".service")
        with open(path, "w") as file:
            file.write(text)
        return path

    def test_each_service(self):
        for name, most in MOST.items():
            with self.subTest(name):
                status, level, said = self.analyze(self.unit(name), most)
                print("# %s.service: %s, at most %.1f" % (name, level, most / 10))
                self.assertEqual(status, 0, said)

    def test_the_broker_with_a_capability(self):
        """As it would need CAP_NET_ADMIN for Ethernet, which nobody gives it yet."""
        path = self.changed("sockward-broker@", ("CapabilityBoundingSet=",
                                                 "CapabilityBoundingSet=CAP_NET_ADMIN"),
                            ("AmbientCapabilities=", "AmbientCapabilities=CAP_NET_ADMIN"),
                            ("PrivateUsers=yes", "PrivateUsers=no"),
                            ("PrivateDevices=yes", "DeviceAllow=/dev/net/tun rw"))
        status, level, said = self.analyze(path, 16)
        print("# sockward-broker@.service with CAP_NET_ADMIN: %s, at most 1.6" % level)
        self.assertEqual(status, 0, said)

    def test_the_threshold_is_one(self):
        """A unit without one of its walls does not pass."""
        path = self.changed("sockward@", ("PrivateNetwork=yes", "PrivateNetwork=no"))
        self.assertNotEqual(self.analyze(path, MOST["sockward@"])[0], 0)

    def addresses(self, name, key):
        with open(self.unit(name)) as file:
            return [ipaddress.ip_network(word) for line in file if line.startswith(key + "=")
                    for word in line.rstrip().split("=", 1)[1].split()]

    def test_the_second_wall(self):
        """The broker's unit denies what the policy calls metadata, and no neighbour of it."""
        allowed = self.addresses("sockward-broker@", "IPAddressAllow")

        def reached(address):
            address = ipaddress.ip_address(address)
            return any(address in net for net in allowed if net.version == address.version)

        with open(self.unit("sockward-broker@")) as file:
            self.assertIn("\nIPAddressDeny=any\n", file.read())
        for address in places.METADATA + ["168.63.129.16", "169.254.0.1", "fe80::1", "0.0.0.0",
                                          "224.0.0.1", "255.255.255.255", "ff02::1", "::"]:
            with self.subTest(address):
                self.assertFalse(reached(address))
        for address in list(places.NEIGHBOURS) + ["127.0.0.1", "::1", "10.1.2.3", "fd00::1",
                                                  "100.100.101.1", "168.63.130.1", "192.0.1.1"]:
            with self.subTest(address):
                self.assertTrue(reached(address))

    def test_each_program_has_a_unit_that_names_it(self):
        for name in ("listener", "broker", "resolver", "authenticator", "auditor"):
            unit = self.unit("sockward@" if name == "listener" else "sockward-%s@" % name)
            with open(unit) as file:
                text = file.read()
            self.assertRegex(text, r"(?m)^ExecStart=/\S*/sockward-%s( |$)" % name)
            self.assertNotIn("@", re.sub(r"(?m)^(#.*|.*sockward[-a-z]*@%i.*|SystemCall.*)$", "",
                                         text))


if __name__ == "__main__":
    sys.exit(tap.main())
