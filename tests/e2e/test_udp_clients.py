#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Clients of the udp-relay dialect in JavaScript (udp_client.mjs): a relay of one channel, and
the network interface that docs/dialects/udp-relay.md shows, as it stands there."""

import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))

import nodejs
import suite
import tap
import targets
from suite import to

SIZES = (0, 1, 100, 1017, 9000, 65507)
RULES = suite.policy({"open": suite.grant([to("127.0.0.0/8:*", ["udp"])],
                                          auth=suite.tokens(suite.TOKEN), explain=True)},
                     dialects=["udp-relay"])


def sent(n):
    return bytes((i * 7 + (i >> 8)) & 255 for i in range(n))


def told(n):
    return [n, targets.digest(sent(n))]


class Clients(suite.SuiteCase):
    rules = RULES

    def client(self, which, **config):
        nodejs.need_ws()
        config.update(base="ws://%s:%d" % self.suite.address, query="?token=" + suite.TOKEN,
                      ws=os.path.join(nodejs.MODULES, "ws"))
        done = subprocess.run(
            ["node", os.path.join(HERE, "udp_client.mjs"), which, json.dumps(config)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=50)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def test_a_relay_of_one_channel(self):
        with targets.UdpEcho() as echo:
            saw = self.client("channel", echo=echo.port)
        self.assertEqual(saw["before"], 0)
        self.assertEqual(saw["injected"], [[7, 5029, "127.0.0.1", echo.port, *told(n)]
                                           for n in SIZES])
        # What was for another address did not go out.
        self.assertEqual((saw["raw"], saw["code"]), (1 + len(SIZES), 1000))
        self.assertEqual(saw["envelope"], {
            "sent": ["0113a50000177070696e67"],
            "injected": [[7, 5029, "10.99.0.2", 6000, 4, targets.digest(b"pong")]]})

    def test_the_network_of_the_page(self):
        with open(os.path.join(suite.SOURCE, "docs", "dialects", "udp-relay.md")) as file:
            (code,) = re.findall(r"^```js\n(.*?)^```$", file.read(), re.M | re.S)
        with targets.UdpEcho() as echo, targets.UdpEcho("127.0.0.3") as other, \
                tempfile.NamedTemporaryFile("w", suffix=".mjs") as module:
            module.write(code + "export { udpNetwork };\n")
            module.flush()
            saw = self.client("network", echo=echo.port, other=other.port, module=module.name)
        self.assertEqual(saw["bound"], [0, 98, 0])
        self.assertEqual(saw["sent"], [0] * (len(SIZES) + 5))
        self.assertEqual((saw["too_long"], saw["denied"]), (90, [0, 13]))
        self.assertEqual(saw["first"], [["127.0.0.1", echo.port, "10.88.0.2", 5029, *told(n)]
                                        for n in SIZES])
        self.assertEqual(saw["second"], [["127.0.0.3", other.port, "10.88.0.2", 6000, *told(n)]
                                         for n in (0, 1, 2, 3, 4, 9)])
        refused = self.suite.wait_record("refused", reason="no-rule")
        self.assertEqual((refused["host"], refused["dialect"]), ("10.0.0.1", "udp-relay"))


if __name__ == "__main__":
    sys.exit(tap.main())
