#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""`sockward policy import --from webnetstack': its manifest as a sound policy."""

import hashlib
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import judge  # noqa: E402
from command import Failures, run, without_comments  # noqa: E402

TOKEN = "k3Xs9vQm2Lr8"
ORIGIN = "https://app.example.com"


def take(text):
    return run("import", "--from", "webnetstack", "-", text=text)


def manifest(**members):
    full = {"token": TOKEN, "allowOrigins": [ORIGIN], "destinations": [
        {"host": "example.com", "port": 443, "protocols": ["tcp"]}]}
    full.update(members)
    return "{\n" + ",\n".join("%s: %s" % (json.dumps(key), json.dumps(value))
                              for key, value in full.items() if value is not None) + "\n}\n"


def to(host, port=80, protocols=("tcp",)):
    return {"host": host, "port": port, "protocols": list(protocols)}


def grant_of(done):
    return json.loads(without_comments(done.stdout))["grants"]["webnetstack"]


def sound(done):
    return done.returncode == 0 and run("check", "-", text=done.stdout).returncode == 0


def test_whole(bad):
    done = take(manifest(maxPayloadBytes=1048576, maxChannelsPerSession=8, idleTimeoutMs=30000,
                         sessionTimeoutMs=300000))
    bad.expect(done, sound(done))
    grant = grant_of(done)
    hashed = "sha256:" + hashlib.sha256(TOKEN.encode()).hexdigest()
    bad.expect(grant, grant["auth"] == {"tokens": [hashed]} and grant["origins"] == [ORIGIN])
    bad.expect(grant, grant["allow"] == [{"to": "example.com:443", "protocols": ["tcp"]}])
    bad.expect(grant, grant["limits"] == {
        "channels": 8, "message_bytes": 1048576, "idle_timeout": "30000ms",
        "session_timeout": "300000ms", "connects_per_minute": 0})
    bad.expect(done, TOKEN not in done.stdout + done.stderr)
    bad.expect(done, all(word in done.stderr for word in (
        "served by no program", "stricter: `hosts'", "stricter: a name")))


def test_destinations(bad):
    for destinations, wanted in (
            ([], []),
            ([to("127.0.0.1", 18080)], [("127.0.0.1:18080", ["tcp"], False)]),
            ([to("localhost", 1, ["tcp", "udp"])], [("localhost:1", ["tcp", "udp"], True)]),
            ([to("::1"), to("2001:db8::1", 7)], [("[::1]:80", ["tcp"], False),
                                                 ("[2001:db8::1]:7", ["tcp"], False)]),
            ([to("printer.lan"), to("a.test")], [("printer.lan:80", ["tcp"], True),
                                                 ("a.test:80", ["tcp"], False)]),
            ([to("A.Example.com")], [("A.Example.com:80", ["tcp"], False)]),
            # what says nothing is left out: a second time, no protocol of ours, what is never
            ([to("example.com"), to("example.com")], [("example.com:80", ["tcp"], False)]),
            ([to("example.com", 80, ["https"]), to("example.org", 80, [])], []),
            ([to("0.0.0.0"), to("224.0.0.1")], [])):
        done = take(manifest(destinations=destinations))
        bad.expect((destinations, done), sound(done))
        if not sound(done):
            continue
        rules = [(rule["to"], rule["protocols"], rule.get("private", False))
                 for rule in grant_of(done)["allow"]]
        bad.expect((destinations, rules), rules == wanted)
        notes = done.stderr.count("left out: ")
        bad.expect((destinations, done.stderr), len(rules) == len(destinations) or notes > 0)


def test_limits(bad):
    for members, key, wanted, note in (
            ({"maxChannelsPerSession": 985}, "channels", 984, "stricter: `maxChannelsPerSession'"),
            ({"maxPayloadBytes": 2**40}, "message_bytes", 64 << 20, "stricter: `maxPayloadBytes'"),
            ({"maxPayloadBytes": 1}, "message_bytes", 256, "looser: `maxPayloadBytes' is 256"),
            ({"idleTimeoutMs": 1}, "idle_timeout", "100ms", "looser: `idleTimeoutMs'"),
            ({"sessionTimeoutMs": 10**12}, "session_timeout", "2592000000ms", "stricter"),
            ({"colour": "red"}, "channels", None, ":5: note: `colour' is left out"),
            ({}, "idle_timeout", None, "")):
        done = take(manifest(**members))
        bad.expect((members, done), sound(done))
        bad.expect((members, done), grant_of(done)["limits"].get(key) == wanted and
                   note in done.stderr)


def test_wrong(bad):
    for text, where, says in (
            ("", "1:1", ""),
            ("[]", "1:1", "a manifest is an object"),
            ("{", "1:2", ""),
            (manifest(token=None), "1:1", "`token' is missing"),
            (manifest(token=""), "2:10", "`token' is missing or empty"),
            (manifest(token=7), "2:10", "`token' must be a string"),
            (manifest(token="dev-token"), "2:10", "everybody knows"),
            (manifest(allowOrigins=None), "1:1", "`allowOrigins' is missing"),
            (manifest(allowOrigins=[]), "3:17", "missing or empty"),
            (manifest(allowOrigins=[1]), "3:18", "must be a string"),
            (manifest(allowOrigins=["*"]), "3:18", "`*' is no origin"),
            (manifest(allowOrigins=['a"]}']), "3:18", "is no origin"),
            (manifest(allowOrigins=[ORIGIN + "/"]), "3:17", "this is more than an origin"),
            (manifest(destinations={}), "4:17", "must be an array"),
            (manifest(destinations=["a"]), "4:18", "a destination is {host, port, protocols}"),
            (manifest(destinations=[to("a.test", 0)]), "4:", "a port from 1 to 65535"),
            (manifest(destinations=[to("a.test", 65536)]), "4:", "a port from 1 to 65535"),
            (manifest(destinations=[to("*")]), "4:27", "`*': "),
            (manifest(destinations=[to("10.0.0.0/8")]), "4:27", "`10.0.0.0/8': "),
            (manifest(destinations=[to("010.0.0.1")]), "4:27", "`010.0.0.1': "),
            (manifest(destinations=[to("a.test", 80, [1])]), "4:", "a protocol must be a string"),
            (manifest(destinations=[to("a." * 62 + "test")]), "4:27", "too long"),
            (manifest(maxPayloadBytes=0), "5:20", "whole number, and not 0"),
            (manifest(idleTimeoutMs=1.5), "5:18", "whole number, and not 0"),
            (manifest(idleTimeoutMs="30s"), "5:18", "must be a number")):
        done = take(text)
        bad.expect((text, done), done.returncode == 1 and done.stdout == "")
        first = "standard input:" + where
        bad.expect((text, done.stderr), any(
            line.startswith(first) and ": error: " in line and says in line
            for line in done.stderr.split("\n")))


def main():
    tap = judge.Tap()
    for test in (test_whole, test_destinations, test_limits, test_wrong):
        bad = Failures()
        try:
            test(bad)
        except (OSError, ValueError, KeyError, RuntimeError, subprocess.SubprocessError) as error:
            bad.append(repr(error))
        tap.group(test.__name__, bad.checks, bad)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
