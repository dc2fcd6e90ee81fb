#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""`sockward policy' as a person uses it, the example, and the schema.

The schema must know exactly the keys that the reader knows: the reader names them
in the hint of an unknown key.
"""

import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import judge  # noqa: E402

SOCKWARD = os.environ.get("SOCKWARD_COMMAND") or os.path.join(judge.BUILD, "sockward")
EXAMPLE = os.path.join(judge.SOURCE, "examples", "policy.json")
SCHEMA = os.path.join(judge.SOURCE, "policy", "policy.schema.json")
HASH = "sha256:%064x"


def run(*arguments, text=None):
    return subprocess.run([SOCKWARD, "policy", *arguments], input=text, capture_output=True,
                          text=True, timeout=60)


def without_comments(text):
    """JSON with comments to JSON; strings are left alone."""
    pattern = r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/'
    return re.sub(pattern, lambda m: m.group() if m.group()[0] == '"' else " ", text, flags=re.S)


class Failures(list):
    checks = 0

    def expect(self, what, condition):
        self.checks += 1
        if not condition:
            self.append(str(what))


def test_example(bad):
    done = run("check", EXAMPLE)
    bad.expect(done, done.returncode == 0 and done.stderr == "" and ": sound: 1 grants" in done.stdout)
    for to, resolved, status, says in (
            ("127.0.0.1:8087", None, 0, "127.0.0.1:8087"),
            ("localhost:8087", "127.0.0.1", 0, "localhost:8087"),
            ("localhost:8087/tcp", "::1", 0, "`loopback'"),
            ("LocalHost.:8087", None, 0, "--resolved"),
            ("localhost:8087", "169.254.169.254", 1, "block: metadata"),
            ("127.0.0.1:8088", None, 1, "reason: no-rule"),
            ("127.0.0.1:8087/udp", None, 1, "reason: no-rule"),
            ("127.1:8087", None, 1, "reason: name-invalid"),
            ("[::1]:8087", None, 1, "reason: no-rule"),
            ("example.com:443", "93.184.216.34", 1, "reason: no-rule"),
            ("printer:80", None, 1, "inner network")):
        more = ["--resolved", resolved] if resolved else []
        done = run("explain", "--grant", "demo", "--to", to, *more, EXAMPLE)
        bad.expect((to, resolved, done), done.returncode == status and says in done.stdout
                   and done.stdout.startswith("denied: " if status else "allowed: "))
        if "rule: " in done.stdout:
            bad.expect(done, re.search(r"^rule: .*/policy\.json:\d+: \S+$", done.stdout, re.M))


def test_usage(bad):
    for arguments, status in (((), 2), (("frobnicate",), 2), (("check",), 2),
                              (("check", "a", "b"), 2), (("compile", EXAMPLE), 2),
                              (("explain", EXAMPLE), 2), (("check", "--to", "a:1", EXAMPLE), 2),
                              (("explain", "--to", "a", EXAMPLE), 2),
                              (("explain", "--to", "a:1/icmp", EXAMPLE), 2),
                              (("explain", "--to", "::1:80", EXAMPLE), 2),
                              (("explain", "--to", "a:1", "--grant", "x", EXAMPLE), 2),
                              (("explain", "--to", "a:1", "--resolved", "b", EXAMPLE), 2),
                              (("explain", "--to", "1.1.1.1:1", "--resolved", "1.1.1.1", EXAMPLE), 2),
                              (("explain", "--to", "a:1", "/nonexistent"), 2),
                              (("check", "/nonexistent"), 1), (("check", "/"), 1)):
        done = run(*arguments)
        bad.expect((arguments, done), done.returncode == status and done.stderr
                   and not done.stdout)


def test_compile(bad):
    with tempfile.TemporaryDirectory() as where:
        image = os.path.join(where, "image")
        done = run("compile", EXAMPLE, "-o", image)
        bad.expect(done, done.returncode == 0)
        with open(image, "rb") as file:
            good = file.read()
        bad.expect("magic", good[:8] in (b"SkwPolcy", b"SkwPolcy"[::-1]))
        broken = run("compile", "-", "-o", image, text='{"version": 2}')
        with open(image, "rb") as file:
            bad.expect(broken, broken.returncode == 1 and file.read() == good)
        bad.expect("left over", os.listdir(where) == ["image"])
        done = subprocess.run([SOCKWARD, "policy", "compile", EXAMPLE, "-o", "-"],
                              capture_output=True, timeout=60)
        bad.expect("to standard output", done.stdout == good)
        done = run("compile", EXAMPLE, "-o", "/dev/null")
        bad.expect(done, done.returncode == 1 and os.path.exists("/dev/null"))
        done = run("compile", EXAMPLE, "-o", os.path.join(where, "no", "image"))
        bad.expect(done, done.returncode == 1 and "cannot be written" in done.stderr)


def test_images(bad):
    """The kept images, seeds of a fuzzer, are what this version makes of the policies."""
    kept = os.path.join(judge.SOURCE, "tests", "fuzz", "corpus", "image")
    bad.expect("there are seeds", os.listdir(kept))
    for name in os.listdir(kept) if sys.byteorder == "little" else ():
        with tempfile.NamedTemporaryFile() as made, open(os.path.join(kept, name), "rb") as seed:
            done = run("compile", os.path.join(os.path.dirname(kept), "policy", name), "-o",
                       made.name)
            bad.expect((name, done), done.returncode == 0)
            with open(made.name, "rb") as image:
                bad.expect("%s differs: compile it anew" % name, image.read() == seed.read())


def test_errors(bad):
    done = run("check", "-", text='{\n  "version": 1,\n  "host": []\n}\n')
    bad.expect(done, done.returncode == 1 and
               "standard input:3:3: error: the policy has no `host'\n  hint: it may have" in done.stderr)


def known_keys(bad, policy, what):
    """The keys that the reader takes in an object, from its hint."""
    done = run("check", "-", text=json.dumps(policy))
    found = re.search(r"has no `nokey'\n  hint: it may have (.*)", done.stderr)
    bad.expect((what, done.stderr), found)
    return set(found.group(1).split(", ")) if found else set()


def test_schema(bad):
    with open(SCHEMA) as file:
        schema = json.load(file)
    defs = schema["$defs"]

    def grant(**more):
        return {"version": 1, "hosts": ["h"], "dialects": ["raw"],
                "grants": {"g": dict({"auth": "none", "origins": ["none"]}, **more)}}

    rule = {"to": "a.example:1", "protocols": ["tcp"], "nokey": 1}
    jwt = {"algorithm": "HS256", "key_file": "k", "issuer": "i", "audience": "a", "nokey": 1}
    cases = (
        ("policy", schema, dict(grant(), nokey=1)),
        ("limits", schema["properties"]["limits"], dict(grant(), limits={"nokey": 1})),
        ("audit", schema["properties"]["audit"], dict(grant(), audit={"nokey": 1})),
        ("grant", defs["grant"], grant(nokey=1)),
        ("allow", defs["allow"], grant(allow=[rule])),
        ("deny", defs["deny"], grant(deny=[rule])),
        ("grant's limits", defs["limits"], grant(limits={"nokey": 1})),
        ("auth", defs["auth"]["oneOf"][1], grant(auth={"tokens": [HASH % 7], "nokey": 1})),
        ("jwt", defs["jwt"], grant(auth={"jwt": jwt})),
        ("listen", defs["listen"], grant(listen={"nokey": 1})),
        ("ethernet", defs["ethernet"], grant(ethernet={"nokey": 1})))
    for what, part, policy in cases:
        bad.expect("%s: the schema has %s" % (what, sorted(part["properties"])),
                   set(part["properties"]) == known_keys(bad, policy, what))
        bad.expect(what + " is open", part["additionalProperties"] is False)
    done = run("check", "-", text=json.dumps(dict(grant(), dialects=["nokey"])))
    words = re.search(r"hint: there are (.*)", done.stderr)
    bad.expect(done, words and set(words.group(1).split(", ")) ==
               set(schema["properties"]["dialects"]["items"]["enum"]))


def test_patterns(bad):
    """What the schema's patterns say of the example and of the man page's forms."""
    with open(SCHEMA) as file:
        defs = json.load(file)["$defs"]
    with open(EXAMPLE) as file:
        example = json.loads(without_comments(file.read()))
    targets = [rule["to"] for rule in example["grants"]["demo"]["allow"]]
    for to in targets + ["example.com:443", "*.example.com:*", "*:443", "10.0.0.0/8:1-99",
                         "[2001:db9::/32]:443", "[::1]:80"]:
        bad.expect(to, re.search(defs["to"]["pattern"], to))
        done = run("check", "-", text=json.dumps({
            "version": 1, "hosts": ["h"], "dialects": ["raw"], "grants": {"g": {
                "auth": "none", "origins": ["none"], "deny": [{"to": to}]}}}))
        bad.expect((to, done), done.returncode == 0)
    for to in ("example.com", "*.*:1", "a*:1", "::1:80", "a:0", "a:01", "a b:1"):
        bad.expect(to, not re.search(defs["to"]["pattern"], to))


def main():
    tap = judge.Tap()
    for test in (test_example, test_usage, test_compile, test_images, test_errors, test_schema,
                 test_patterns):
        bad = Failures()
        try:
            test(bad)
        except (OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
            bad.append(repr(error))
        tap.group(test.__name__, bad.checks, bad)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
