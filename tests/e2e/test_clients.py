#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Real clients: python3-websockets, websockify's own, npm ws in Node, Chromium."""

import asyncio
import base64
import json
import os
import select
import ssl
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import browser
import nodejs
import suite
import tap
import targets

IN_PROTOCOL = "auth." + base64.urlsafe_b64encode(suite.TOKEN.encode()).decode().rstrip("=")
RULES = suite.policy({
    "open": suite.grant(explain=True),
    "key": suite.grant(auth=suite.tokens(suite.TOKEN)),
})


class Number(int):
    """websockify 0.10 makes its mask by adding numbers to bytes, which Python 3
    refuses for any number but this. All else is its own."""

    def __radd__(self, other):
        return other + bytes([self])


class Numbers:
    """In the place of the module `random` in websockify."""

    @staticmethod
    def randrange(most):
        return Number(os.urandom(1)[0] % most)


class Libraries(suite.SuiteCase):
    rules = RULES

    def url(self, path):
        return "ws://%s:%d%s" % (*self.suite.address, path)

    def test_python_websockets(self):
        try:
            import websockets
        except ImportError:
            self.skipTest("no python3-websockets")

        async def talk(port):
            data = targets.pattern(1, 3000000)
            async with websockets.connect(self.url("/raw/127.0.0.1/%d" % port),
                                          subprotocols=["binary"], max_size=None) as ws:
                self.assertEqual(ws.subprotocol, "binary")
                self.assertEqual(ws.extensions, [])

                async def send():
                    for at in range(0, len(data), 50000):
                        await ws.send(data[at:at + 50000])
                sending = asyncio.ensure_future(send())
                got = b""
                while len(got) < len(data):
                    got += await ws.recv()
                await sending
                self.assertEqual(targets.digest(got), targets.digest(data))
                await (await ws.ping())
            self.assertEqual(ws.close_code, 1000)
            async with websockets.connect(self.url("/raw/10.0.0.1/80")) as ws:
                with self.assertRaises(websockets.ConnectionClosedError) as refused:
                    await ws.recv()
                self.assertEqual(refused.exception.rcvd.code, 4003)
                self.assertIn("no-rule", refused.exception.rcvd.reason)
            async with websockets.connect(self.url("/netproxy"), extra_headers={
                    "Authorization": "Bearer " + suite.TOKEN}) as ws:
                await ws.send(json.dumps({"t": "open", "id": 1, "host": "127.0.0.1",
                                          "port": port}))
                self.assertEqual(json.loads(await ws.recv()), {"t": "opened", "id": 1})
        with targets.Echo() as target:
            asyncio.run(talk(target.port))

    @staticmethod
    def message(ws):
        """websockify's recvmsg(), which wants to be called again when there is more."""
        while True:
            try:
                return ws.recvmsg()
            except ssl.SSLWantReadError:
                select.select([ws], [], [], 30)

    def test_websockify(self):
        try:
            from websockify import websocket
        except ImportError:
            self.skipTest("no python3-websockify")
        websocket.random = Numbers
        WebSocket = websocket.WebSocket
        with targets.Echo() as target:
            for protocols in (["binary"], ["base64", "binary"], []):
                with self.subTest(protocols):
                    ws = WebSocket()
                    ws.connect(self.url("/raw/127.0.0.1/%d" % target.port), protocols=protocols)
                    self.assertEqual(ws.protocol, "binary" if protocols else None)
                    data = targets.pattern(2, 100000)
                    ws.sendmsg(data)
                    got = b""
                    while len(got) < len(data):
                        got += self.message(ws)
                    self.assertEqual(got, data)
                    ws.ping()
                    ws.sendmsg(b"x")
                    self.assertEqual(self.message(ws), b"x")
                    ws.close()
            # With a grant that does not explain, whose refusals take their time: this
            # client does not look at a frame that came in one piece with the 101.
            ws = WebSocket()
            ws.connect(self.url("/raw/10.0.0.1/80"), protocols=["binary", IN_PROTOCOL])
            self.assertIsNone(self.message(ws))
            self.assertEqual(ws.close_code, 4004)

    def node(self, script, *args):
        try:
            nodejs.need_ws()
        except unittest.SkipTest as skip:
            self.skipTest(str(skip))
        done = subprocess.run(["node", "-e", script, *map(str, args)], capture_output=True,
                              text=True, timeout=50, env=nodejs.environment())
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return json.loads(done.stdout)

    def test_npm_ws(self):
        script = """
            const { WebSocket } = require("ws");
            const { createHash } = require("crypto");
            const [url, size] = process.argv.slice(1);
            const ws = new WebSocket(url, ["binary"]);
            const hash = createHash("sha256");
            let got = 0, pong = false;
            ws.on("open", () => {
              ws.ping("p");
              for (let at = 0; at < size; at += 40000) {
                ws.send(Buffer.alloc(Math.min(40000, size - at), at / 40000));
              }
            });
            ws.on("pong", () => { pong = true; });
            ws.on("message", (data) => {
              hash.update(data);
              got += data.length;
              if (got == size) ws.close(1000);
            });
            ws.on("close", (code) => console.log(JSON.stringify(
              { got, code, pong, protocol: ws.protocol, sha256: hash.digest("hex") })));
            """
        size = 2000000
        want = b"".join(bytes([i % 256]) * min(40000, size - i * 40000)
                        for i in range((size + 39999) // 40000))
        with targets.Echo() as target:
            out = self.node(script, self.url(target.path()), size)
        self.assertEqual(out, {"got": size, "code": 1000, "pong": True, "protocol": "binary",
                               "sha256": targets.digest(want)})

    def test_npm_ws_is_told_why(self):
        script = """
            const { WebSocket } = require("ws");
            const ws = new WebSocket(process.argv[1], JSON.parse(process.argv[2]));
            ws.on("close", (code, reason) => console.log(
              JSON.stringify({ code, reason: String(reason), protocol: ws.protocol })));
            """
        out = self.node(script, self.url("/raw/10.0.0.1/80"), "[]")
        self.assertEqual(out["code"], 4003)
        self.assertIn("no-rule", out["reason"])
        out = self.node(script, self.url("/raw/10.0.0.1/80"), '["sockward","auth.d3Jvbmc"]')
        self.assertEqual((out["code"], out["protocol"]), (4001, "sockward"))


PAGE = """<!DOCTYPE html><title>raw</title><script>
const base = %s, port = %d, token = %s;
function session(path, protocols) {
  return new Promise((resolve) => {
    const out = { opened: false, got: "", protocol: null };
    const ws = new WebSocket(base + path, protocols);
    ws.binaryType = "arraybuffer";
    ws.onopen = () => {
      out.opened = true;
      out.protocol = ws.protocol;
      ws.send(new TextEncoder().encode("GET /hello HTTP/1.0\\r\\n\\r\\n"));
    };
    ws.onmessage = (event) => {
      const data = typeof event.data === "string" ? event.data
        : new TextDecoder().decode(event.data);
      out.got += data;
    };
    ws.onclose = (event) => {
      out.code = event.code;
      out.reason = event.reason;
      resolve(out);
    };
  });
}
async function all() {
  const path = "/raw/127.0.0.1/" + port;
  return {
    good: await session(path, ["binary", token]),
    binary: await binary(path),
    wrong: await session(path, ["binary", "auth.d3Jvbmc"]),
    denied: await session("/raw/10.0.0.1/80", ["binary", token]),
    nowhere: await session("/nowhere", ["binary", token]),
  };
}
async function binary(path) {
  const ws = new WebSocket(base + path.replace(/[0-9]+$/, "%d"), ["binary", token]);
  ws.binaryType = "arraybuffer";
  await new Promise((resolve) => { ws.onopen = resolve; });
  const data = new Uint8Array(300000).map((_, i) => i * 7);
  ws.send(data);
  let got = [];
  await new Promise((resolve) => {
    ws.onmessage = (event) => {
      got = got.concat(Array.from(new Uint8Array(event.data)));
      if (got.length >= data.length) resolve();
    };
    ws.onclose = resolve;
  });
  ws.close(1000);
  return { same: got.length === data.length && got.every((byte, i) => byte === data[i]) };
}
all().catch((error) => ({ error: String(error) })).then((result) =>
  fetch("/result", { method: "POST", body: JSON.stringify(result) }));
</script>"""


class Browser(unittest.TestCase):
    seconds = 90

    def test_a_page_talks_to_raw(self):
        pages, posts = {"/hello": b"hello from the service"}, []
        with targets.Target(targets.http_page(pages, posts)) as web, targets.Echo() as echo:
            origin = "http://127.0.0.1:%d" % web.port
            rules = suite.policy({"page": suite.grant(auth=suite.tokens(suite.TOKEN),
                                                      origins=[origin], explain=True)})
            with suite.Suite(rules) as one:
                pages["/"] = (PAGE % (json.dumps("ws://%s:%d" % one.address), web.port,
                                      json.dumps(IN_PROTOCOL), echo.port)).encode()
                result = browser.browse(origin + "/", posts)
                records = one.records("authenticated")
        self.assertNotIn("error", result)
        good = result["good"]
        self.assertTrue(good["opened"], result)
        self.assertIn("hello from the service", good["got"])
        self.assertEqual((good["code"], good["protocol"]), (1000, "binary"))
        self.assertEqual(result["binary"], {"same": True})
        self.assertEqual(result["wrong"]["code"], 4001)
        self.assertIn("token-wrong", result["wrong"]["reason"])
        self.assertEqual(result["denied"]["code"], 4003)
        self.assertIn("no-rule", result["denied"]["reason"])
        self.assertEqual(result["nowhere"]["code"], 1006)
        self.assertEqual({r["claimed_origin"] for r in records}, {origin})

    def test_a_page_of_another_origin(self):
        pages, posts = {}, []
        with targets.Target(targets.http_page(pages, posts)) as web, targets.Echo() as echo:
            rules = suite.policy({"page": suite.grant(auth=suite.tokens(suite.TOKEN),
                                                      origins=["http://127.0.0.1:1"])})
            with suite.Suite(rules) as one:
                pages["/"] = (PAGE % (json.dumps("ws://%s:%d" % one.address), web.port,
                                      json.dumps(IN_PROTOCOL), echo.port)).encode()
                result = browser.browse("http://127.0.0.1:%d/" % web.port, posts)
        self.assertEqual(result["good"]["code"], 4003)
        self.assertIn("origin-not-allowed", result["good"]["reason"])
        self.assertEqual(echo.seen, [])


if __name__ == "__main__":
    sys.exit(tap.main())
