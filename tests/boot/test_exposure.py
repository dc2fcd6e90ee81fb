#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""What `systemd-analyze security` says of the units as they are installed, and that what
they have in common with the policy says the same."""

import ipaddress
import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import places
import suite
import tap

# Tenths: more than that fails.
MOST = {"sockward@": 1, "sockward-authenticator@": 3, "sockward-auditor@": 3,
        "sockward-resolver@": 9, "sockward-broker@": 9, "sockward-check@": 13,
        "sockward-metrics@": 2, "sockward-inetd@": 1}


class Exposure(unittest.TestCase):
    def unit(self, name):
        return os.path.join(suite.BUILD, "units", name + ".service")

    def test_each_service(self):
        for name, most in MOST.items():
            with self.subTest(name):
                done = subprocess.run(["systemd-analyze", "security", "--offline=true",
                                       "--no-pager", "--threshold=%d" % most, self.unit(name)],
                                      capture_output=True, text=True, timeout=60)
                said = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)
                print("# %s.service: %s, at most %.1f" % (name, said and said[1], most / 10))
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_threshold_is_one(self):
        """A unit without its walls does not pass."""
        with open(self.unit("sockward@")) as file:
            text = file.read()
        bare = os.path.join(suite.BUILD, "tests", "bare@.service")
        with open(bare, "w") as file:
            file.write(re.sub(r"(?m)^PrivateNetwork=yes\n", "", text))
        done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=1",
                               bare], capture_output=True, timeout=60)
        os.unlink(bare)
        self.assertNotEqual(done.returncode, 0)

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
