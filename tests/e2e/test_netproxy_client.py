#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The netproxy dialect with a client that has the behaviour of WASMTerminal's, in Node."""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import nodejs
import suite
import tap
import targets
from netproxy import RULES

HERE = os.path.dirname(os.path.abspath(__file__))


class Client(suite.SuiteCase):
    rules = RULES

    @classmethod
    def setUpClass(cls):
        nodejs.need_ws()
        super().setUpClass()

    def script(self, *steps, token=None):
        url = "ws://%s:%d/netproxy" % self.suite.address
        done = subprocess.run(
            ["node", os.path.join(HERE, "netproxy_client.mjs"), url] + ([token] if token else []),
            input=json.dumps(steps), env=nodejs.environment(), capture_output=True, text=True,
            timeout=50)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def test_a_page_is_fetched(self):
        page = {"/": b"<p>hello</p>"}
        with targets.Target(targets.http_page(page, [])) as web:
            for token in (None, suite.TOKEN):
                opened, _, read, over = self.script(
                    {"do": "open", "as": "a", "host": "localhost", "port": web.port},
                    {"do": "write", "as": "a", "text": "GET / HTTP/1.0\r\n\r\n"},
                    {"do": "read", "as": "a", "size": 1 << 20},
                    {"do": "end", "as": "a"}, token=token)
                self.assertEqual(opened, {"opened": "a"})
                self.assertIn("<p>hello</p>", read["head"])
                self.assertEqual(over, {"over": "closed"})

    def test_megabytes_on_two_streams(self):
        with targets.Echo() as target:
            size = 1 << 20
            steps = []
            for name, fill in (("a", 1), ("b", 2)):
                steps += [{"do": "open", "as": name, "host": "127.0.0.1", "port": target.port},
                          {"do": "write", "as": name, "size": size, "fill": fill}]
            steps += [{"do": "read", "as": name, "size": size} for name in "ab"]
            steps += [{"do": "close", "as": "a"}, {"do": "close", "as": "b"}]
            out = self.script(*steps)
        for got, fill in ((out[4], 1), (out[5], 2)):
            self.assertEqual(got["sha256"], targets.digest(bytes([fill]) * size))

    def test_refusals_reach_it(self):
        first, second = self.script(
            {"do": "open", "as": "a", "host": "10.0.0.1", "port": 80},
            {"do": "open", "as": "b", "host": "169.254.169.254", "port": 80})
        self.assertIn("error", first)
        self.assertIn("error", second)
        out = self.script({"do": "open", "as": "a", "host": "127.0.0.1", "port": 80},
                          {"do": "left"}, token="wrong")
        self.assertEqual(out[0]["error"], "WebSocket closed")
        self.assertEqual(out[1]["code"], 4001)


if __name__ == "__main__":
    sys.exit(tap.main())
