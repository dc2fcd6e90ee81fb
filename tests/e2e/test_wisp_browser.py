#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Three clients of Wisp in one page of headless Chromium, through /wisp/: wisp-js, epoxy-tls
and libcurl.js, which speaks wsproxy too, through /wsproxy/. The last two do TLS in the page;
their destination has a certificate of an authority that lives as long as the test.

epoxy-tls takes such an authority as an option. libcurl.js has no option for it, and none that
turns the check off: what it trusts is built in, as DER in its WebAssembly. The page gets it
with one of these certificates exchanged, and is otherwise as it comes from npm.
"""

import base64
import contextlib
import json
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))

import browser
import certs
import nodejs
import suite
import tap
import targets
from suite import to

BOTH = ("tcp", "udp")
IN_PROTOCOL = "auth." + base64.urlsafe_b64encode(suite.TOKEN.encode()).decode().rstrip("=")
SIZE = 300000
PAGE = targets.pattern(5, 400001)
FILES = {
    "/wisp-client.mjs": "@mercuryworkshop/wisp-js/dist/wisp-client.mjs",
    "/epoxy.js": "@mercuryworkshop/epoxy-tls/full/epoxy.js",
    "/epoxy.wasm": "@mercuryworkshop/epoxy-tls/full/epoxy.wasm",
    "/libcurl.mjs": "libcurl.js/libcurl.mjs",
    "/libcurl.wasm": "libcurl.js/libcurl.wasm",
}


def sent(n):
    """What the page sends: its bytes()."""
    return bytes((i * 7 + (i >> 8)) & 255 for i in range(n))


def told(data):
    return {"size": len(data), "sha256": targets.digest(data)}


def certificates(wasm):
    """Where DER certificates are: (offset, length). SEQUENCE, in it SEQUENCE, in it version 3."""
    at = 0
    while True:
        at = wasm.find(b"\xa0\x03\x02\x01\x02", at + 1)
        if at < 0:
            return
        start = at - 8
        if wasm[start:start + 2] == b"\x30\x82" and wasm[start + 4:start + 6] == b"\x30\x82":
            yield start, int.from_bytes(wasm[start + 2:start + 4], "big") + 4


def trusting(wasm, der):
    """libcurl.js's WebAssembly with der in the place of the first certificate that is larger.
    Its own length is in front of it, and the rest is passed over."""
    for start, length in certificates(wasm):
        if length > len(der):
            return wasm[:start] + der.ljust(length, b"\0") + wasm[start + length:]
    raise AssertionError("no certificates in libcurl.wasm")


class Page(unittest.TestCase):
    seconds = 150

    def files(self, authority):
        nodejs.need("@mercuryworkshop/wisp-js", "@mercuryworkshop/epoxy-tls", "libcurl.js")
        pages = {}
        for path, name in FILES.items():
            with open(os.path.join(nodejs.MODULES, name), "rb") as file:
                pages[path] = file.read()
        with open(os.path.join(HERE, "wisp_browser.html"), "rb") as file:
            pages["/"] = file.read()
        if authority:
            pages["/libcurl.wasm"] = trusting(pages["/libcurl.wasm"], authority.der)
        return pages

    def run_page(self, known):
        """Open the page; what it saw. The rest is left in self."""
        browser.need()
        self.posted, results = [], []
        with contextlib.ExitStack() as stack:
            box = stack.enter_context(certs.Box())
            pages = self.files(box.trusted if known else None)
            web = stack.enter_context(targets.Target(targets.http_page(pages, results)))
            self.https = stack.enter_context(certs.Serve(
                targets.http_page({"/page": PAGE}, self.posted), box.context()))
            tls = stack.enter_context(certs.Serve(targets.Echo(), box.context()))
            tcp = stack.enter_context(targets.Echo())
            udp = stack.enter_context(targets.UdpEcho())
            origin = "http://127.0.0.1:%d" % web.port
            rules = suite.policy({"page": suite.grant(
                [to("127.0.0.0/8:*", BOTH), to("localhost:*", private=True)],
                auth=suite.tokens(suite.TOKEN), origins=[origin], explain=True)},
                dialects=["wisp"])
            one = stack.enter_context(suite.Suite(rules))
            plain = "ws://%s:%d/wisp/" % one.address
            pages["/config"] = json.dumps({
                "wisp": plain + "?token=%s&/" % suite.TOKEN,
                "wsproxy": "ws://%s:%d/wsproxy/?token=%s&" % (*one.address, suite.TOKEN),
                "plain": plain, "protocol": IN_PROTOCOL,
                "https": "https://localhost:%d" % self.https.port, "known": known,
                "tls": tls.port, "tcp": tcp.port, "udp": udp.port, "size": SIZE,
                "ca": box.trusted.pem.decode()}).encode()
            saw = browser.browse(origin + "/", results, seconds=100)
            self.records = one.records()
            self.ports = {"https": self.https.port, "tls": tls.port, "tcp": tcp.port,
                          "udp": udp.port}
        self.assertNotIn("error", saw)
        return saw

    def good(self, saw, name):
        self.assertEqual(list(saw[name]), ["ok"], saw[name])
        return saw[name]["ok"]

    def granted(self, to_port):
        return [r for r in self.records
                if r["event"] == "granted" and r["peer_port"] == self.ports[to_port]]

    def test_three_clients_together(self):
        saw = self.run_page(True)
        for version in (1, 2):
            one = self.good(saw, "wispjs-%d" % version)
            self.assertEqual(one, {"version": version, "echo": told(sent(SIZE)),
                                   "datagram": told(sent(1200)), "denied": 0x48})
        for name in ("epoxy-1", "epoxy-2", "libcurl", "wsproxy"):
            one = self.good(saw, name)
            with self.subTest(name):
                self.assertEqual(one["status"], 200)
                self.assertEqual(one["page"], told(PAGE))
                self.assertEqual(one["posted"], "ok")
                self.assertEqual(self.posted_to("/" + name), sent(SIZE))
                self.assertIn("error", one["denied"])
        for version in (1, 2):
            one = self.good(saw, "epoxy-%d" % version)
            self.assertEqual(one["tls"], told(sent(60000) + sent(1) + sent(3000)))
            self.assertEqual(one["datagram"], told(sent(1200)))
        for name in ("libcurl", "wsproxy"):
            self.assertEqual(self.good(saw, name)["tls"], told(sent(10000)))
        # epoxy-tls twice, one session for all that libcurl.js does, and by wsproxy one for
        # each connection: page and post
        self.assertEqual(len({r["session"] for r in self.granted("https")}), 5)
        self.assertEqual(len({r["session"] for r in self.granted("tcp")}), 2)
        self.assertEqual(len({r["session"] for r in self.granted("udp")}), 4)
        self.assertEqual({r["dialect"] for r in self.granted("tls")}, {"wisp"})
        refused = {r["session"] for r in self.records
                   if r["event"] == "refused" and r["peer_port"] == 443}
        self.assertEqual(len(refused), 6)

    def posted_to(self, path):
        found = [body for where, body in self.posted if where == path]
        self.assertEqual(len(found), 1, path)
        return found[0]

    def test_a_certificate_of_nobody(self):
        """The check that the other test passes is one that fails."""
        saw = self.run_page(False)
        for name in ("epoxy", "libcurl"):
            self.assertEqual(list(saw[name]), ["error"], saw)
            self.assertRegex(saw[name]["error"].lower(), "certificate|unknownissuer", saw)
        self.assertEqual({seen.received for seen in self.https.seen}, {0})
        self.assertEqual(len(self.granted("https")), len(self.https.seen))


if __name__ == "__main__":
    sys.exit(tap.main())
