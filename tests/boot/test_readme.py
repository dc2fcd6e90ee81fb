#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""README.md, "On a server": each of its commands, as it stands there, in its order, on a
machine that knows nothing of sockward but what `make install' brought."""

import os
import re
import shutil
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import booted
import suite
import tap
import targets
import wsclient

PLACE = ("192.0.2.10", 8087)  # where its drop-in says
COMMAND = r"(?:systemctl|systemd-tmpfiles|sockward|mkdir|journalctl) [^`]+"


def steps():
    """(kind, text): commands, and the text of a drop-in."""
    with open(os.path.join(suite.SOURCE, "README.md")) as file:
        section = re.search(r"(?ms)^## On a server\n(.*?)^## ", file.read())[1]
    found = []
    for match in re.finditer(r"`(%s)`|((?:^ {7}[^\n]*\n)+)" % COMMAND, section, re.M):
        if match[1]:
            found.append(("command", " ".join(match[1].split())))
            continue
        lines = [line.strip() for line in match[2].splitlines()]
        if lines[0].startswith("["):
            found.append(("drop-in", "\n".join(lines) + "\n"))
        else:
            found += [("command", line) for line in lines]
    return found


@tap.needs_root
class Readme(unittest.TestCase):
    seconds = 120

    def setUp(self):
        self.machine = self.enterContext(booted.Machine())
        self.machine.run("ip", "address", "add", PLACE[0] + "/32", "dev", "lo")
        self.done = []

    def serves(self):
        with targets.Hold(address="127.0.0.1", port=8087) as hold, \
                wsclient.connect(PLACE, hold.path("127.0.0.1"), host="localhost") as client:
            self.assertEqual(client.recv_bytes(6), b"hello\n")

    def edit(self, unit, text):
        """What `systemctl edit' does with what is typed."""
        self.machine.write("etc/systemd/system/%s.d/override.conf" % unit, text)
        self.machine.systemctl("daemon-reload")

    def test_its_steps(self):
        known = steps()
        self.assertGreaterEqual(len(known), 10)
        edited = None
        # Its first step: a policy is written. The order of the text is another there.
        self.machine.run("systemd-tmpfiles", "--create", "sockward.conf")
        shutil.copy(os.path.join(suite.SOURCE, "examples", "policy.json"),
                    self.machine.path("etc/sockward/demo.json"))
        for kind, text in known:
            if kind == "drop-in":
                self.edit(edited, text)
            elif text.startswith("systemctl edit "):
                edited = text.split()[-1]
            elif "SOCKWARD_SESSION=" in text:
                session = self.machine.records("demo", event="session-open")[0]["session"]
                said = self.machine.run("sh", "-c", text.replace("...", session)).stdout
                self.assertIn("session-open", said)
            else:
                self.machine.run("sh", "-c", text)
            self.done.append(text)
            if "enable --now" in text or text in ("systemctl daemon-reload",
                                                  "systemctl reload sockward@demo.service"):
                self.serves()
        for word in ("policy check", "enable --now", "status --tenant demo", "policy units demo",
                     "daemon-reload", "reload sockward@demo", "stop sockward@demo.target"):
            self.assertTrue([text for text in self.done if word in text], word)
        self.assertEqual(self.machine.run("pgrep", "sockward", check=False).stdout, "")


if __name__ == "__main__":
    sys.exit(tap.main())
