#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""`sockward policy import': what it writes is sound, and allows nothing that was denied.

The second is tried with random policies of wasmnet, against a model of its rules that is
written here from what they mean.
"""

import ipaddress
import json
import os
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import judge  # noqa: E402
from command import Failures, run, without_comments  # noqa: E402

DEFAULT = """
[network]
deny = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16"]
allow = ["*"]
bind_ports = "3000-9999"
max_connections = 50
max_bandwidth_mbps = 10
connection_timeout_secs = 30
"""


def take(text):
    return run("import", "--from", "wasmnet", "-", text=text)


def table(**members):
    return "[network]\n" + "".join("%s = %s\n" % (key, json.dumps(value))
                                   for key, value in members.items())


def grant_of(done):
    return json.loads(without_comments(done.stdout))["grants"]["wasmnet"]


def sound(done):
    return done.returncode == 0 and run("check", "-", text=done.stdout).returncode == 0


def rules_of(done, which="allow"):
    return [rule["to"] for rule in grant_of(done)[which]]


def test_default(bad):
    done = take(DEFAULT)
    bad.expect(done, sound(done))
    for text in ("", "# nothing\n", "[network]", "[ network ] # mine\r\n\r\n"):
        same = take(text)
        bad.expect((text, same), same.returncode == 0 and same.stdout == done.stdout)
    grant = grant_of(done)
    bad.expect(grant, rules_of(done) == ["*:*"] and len(grant["deny"]) == 5)
    bad.expect(grant, all(rule["protocols"] == ["tcp", "udp", "tls"] for rule in grant["allow"]))
    bad.expect(grant, not any("protocols" in rule for rule in grant["deny"]))
    bad.expect(grant, grant["limits"] == {
        "channels": 50, "connects_per_minute": 0, "bytes_per_minute": 75000000,
        "bytes_per_second": 1250000, "connect_timeout": "30s", "idle_timeout": 0,
        "session_timeout": 0})
    bad.expect(grant, grant["listen"]["ports"] == "3000-9999")
    bad.expect(done, all(word in done.stderr for word in (
        "stricter: `hosts'", "stricter: `origins'", "stricter: closed ports",
        "stricter: `listen'")))


def test_rules(bad):
    for allow, deny, wanted, denied in (
            (["example.com"], [], ["example.com:*", "*.example.com:*"], []),
            (["*.GitHub.com"], [], ["github.com:*", "*.github.com:*"], []),
            (["example.com.:443"], [], ["example.com:443", "*.example.com:443"], []),
            (["8.8.8.8", " 9.0.0.0/8:22 "], [], ["8.8.8.8:*", "9.0.0.0/8:22"], []),
            (["[2001:DB8::1]:80", "2001:db9::/32"], [],
             ["[2001:db8::1]:80", "[2001:db9::/32]:*"], []),
            (["9.1.2.3/8"], [], ["9.0.0.0/8:*"], []),
            (["b\u00fccher.example:80"], [],
             ["xn--bcher-kva.example:80", "*.xn--bcher-kva.example:80"], []),
            (["*"], ["evil.com:22"], ["*:*"], ["evil.com:22", "*.evil.com:22"]),
            (["*"], ["*:25"], ["*:*"], ["*:25"]),
            # everything is denied but what is named; `*' does not name
            (["api.test:443", "*"], ["*"], ["api.test:443", "*.api.test:443"], []),
            ([], ["*"], [], []),
            # what says nothing is an error in a policy
            (["8.8.8.8", "8.8.8.8"], ["1.1.1.1", "1.1.1.1:80"], ["8.8.8.8:*"], ["1.1.1.1:*"]),
            (["sub.evil.com", "ok.com"], ["evil.com"], ["ok.com:*", "*.ok.com:*"],
             ["evil.com:*", "*.evil.com:*"]),
            (["localhost:80", "0.0.0.0/8", "ok.com:1"], [], ["ok.com:1", "*.ok.com:1"], []),
            # what is no rule
            (["*:80", "x y", "1.2.3.4/33", "[::1", "a:b", "a:0", "a:65536", "", "a.*.b",
              "010.0.0.1", "a" * 64 + ".com", "ok.com:1"], [], ["ok.com:1", "*.ok.com:1"], [])):
        done = take(table(allow=allow, deny=deny))
        bad.expect((allow, deny, done), sound(done) and rules_of(done) == wanted and
                   rules_of(done, "deny") == denied)
        for left_out in allow:
            if sound(done) and left_out in ("*:80", "x y", "a:0"):
                bad.expect((left_out, done), ":2: note: `%s' is left out: " % left_out
                           in done.stderr)
    for deny in ("x y", "1.2.3.4/33", "a:0", "a.*.b", "a" * 64 + ".com", "a." * 62 + "b"):
        done = take(table(deny=["ok.com", deny]))
        bad.expect((deny, done), done.returncode == 1 and done.stdout == "" and
                   "standard input:2:19: error: `%s': " % deny in done.stderr)


def test_values(bad):
    for members, path, wanted, note in (
            ({"bind_ports": ""}, ("listen",), None, None),
            ({"bind_ports": "80"}, ("listen", "ports"), "80", None),
            ({"bind_ports": "1-2, 3000 - 4000,x,9-1"}, ("listen", "ports"), "3000-4000", "`x'"),
            ({"max_connections": 984}, ("limits", "channels"), 984, None),
            ({"max_connections": 985}, ("limits", "channels"), 984, "`max_connections' is 984"),
            ({"max_bandwidth_mbps": 0}, ("limits", "bytes_per_second"), 0, None),
            ({"max_bandwidth_mbps": 1}, ("limits", "bytes_per_minute"), 7500000, "bandwidth"),
            ({"max_bandwidth_mbps": 2**32 - 1}, ("limits", "bytes_per_second"), 125000000000,
             "`max_bandwidth_mbps' is 1000000"),
            ({"connection_timeout_secs": 601}, ("limits", "connect_timeout"), "600s",
             "`connection_timeout_secs' is 600"),
            ({"colour": "red"}, ("limits", "channels"), 50, ":2: note: `colour' is left out")):
        done = take(table(**members))
        bad.expect((members, done), sound(done))
        value = grant_of(done)
        for key in path:
            value = value.get(key) if value else value
        bad.expect((members, value, done.stderr), value == wanted and
                   (note is None or note in done.stderr))
    for members in ({"max_connections": 0}, {"connection_timeout_secs": 0}, {"deny": "10.0.0.0/8"},
                    {"allow": 1}, {"bind_ports": 80}, {"max_connections": "50"}):
        done = take(table(**members))
        bad.expect((members, done), done.returncode == 1 and done.stdout == "" and
                   "standard input:2:" in done.stderr and ": error: " in done.stderr)


def test_toml(bad):
    for text, wanted in (
            ("allow=['a.b']", ["a.b:*", "*.a.b:*"]),
            ('allow\t=\t[ # one\n\n"\\u0061.b", # two\r\n]', ["a.b:*", "*.a.b:*"]),
            ('"allow" = ["\\U00000061.b",]', ["a.b:*", "*.a.b:*"]),
            ("allow = []", []),
            ("allow = ['a\\b']", []),
            ("max_connections = 5_0\nallow = [\"a.b\"]#", ["a.b:*", "*.a.b:*"])):
        done = take("[network]\n" + text)
        bad.expect((text, done), sound(done) and rules_of(done) == wanted)
    for text, place, says in (
            ("allow = 1", "1:1", "no table"),
            ("[other]", "1:1", "no such table"),
            ("[[network]]", "1:1", "no such table"),
            ("[network.x]", "1:1", "no such table"),
            ("[network]\n[network]", "2:1", "second time"),
            ("[network] x", "1:11", "something follows"),
            ("[network]\nallow = []\nallow = []", "3:1", "second time"),
            ("[network]\nallow.x = []", "2:6", "dots"),
            ("[network]\nallow []", "2:7", "`=' is missing"),
            ("[network]\n= 1", "2:1", "key is missing"),
            ("[network]\nallow =", "2:8", "is missing"),
            ("[network]\nallow = true", "2:9", "is missing"),
            ("[network]\nallow = [1]", "2:10", "is missing"),
            ("[network]\nallow = ['a' 'b']", "2:14", "comma"),
            ("[network]\nallow = ['a'", "2:13", "comma"),
            ("[network]\nallow = [", "2:10", "is missing"),
            ("[network]\nallow = ['a\n']", "2:10", "no end"),
            ("[network]\nallow = ['\u00fc', \"\\x\"]", "2:16", "no escape"),
            ("[network]\nallow = [\"\\u0000\"]", "2:11", "no escape"),
            ("[network]\nallow = [\"\\ud800\"]", "2:11", "no escape"),
            ("[network]\nallow = [\"\"\"a\"\"\"]", "2:10", "several lines"),
            ("[network]\nallow = ['a\x01']", "2:12", "control code"),
            ("[network]\nmax_connections = 1.5", "2:19", "no whole number"),
            ("[network]\nmax_connections = 0x10", "2:19", "no whole number"),
            ("[network]\nmax_connections = 1__0", "2:19", "no whole number"),
            ("[network]\nmax_connections = 10_", "2:19", "no whole number"),
            ("[network]\nmax_connections = 010", "2:19", "no whole number"),
            ("[network]\nmax_connections = -1", "2:19", "is missing"),
            ("[network]\nmax_connections = " + "9" * 40, "2:19", "too large"),
            ("[network]\nmax_connections = 1 2", "2:21", "something follows"),
            ("#" * (1 << 20) + "\n", None, "at most 1 MiB")):
        done = take(text)
        where = "standard input:%s: error: " % place if place else "standard input: error: "
        bad.expect((text[:80], done), done.returncode == 1 and done.stdout == "" and
                   done.stderr.startswith(where) and says in done.stderr)


def test_usage(bad):
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "p.toml")
        with open(path, "w") as file:
            file.write(DEFAULT)
        done = run("import", "--from", "wasmnet", path)
        bad.expect(done, sound(done) and path + ":5: note: " in done.stderr)
        for arguments in (("import", path), ("import", "--from", "other", path),
                          ("import", "--from", "wasmnet"), ("check", "--from", "wasmnet", path),
                          ("import", "--from", "wasmnet", path, path)):
            done = run(*arguments)
            bad.expect(done, done.returncode == 2 and done.stdout == "")
        done = run("import", "--from", "wasmnet", path + "x")
        bad.expect(done, done.returncode == 1 and "cannot be read" in done.stderr)
        with open("/dev/full", "w") as full:
            done = subprocess.run([os.path.join(judge.BUILD, "sockward"), "policy", "import",
                                   "--from", "wasmnet", path], stdout=full, stderr=-1, text=True,
                                  timeout=60)
        bad.expect(done, done.returncode == 1 and "cannot be written" in done.stderr)


# --- what wasmnet's rules mean -----------------------------------------------------------

NAMES = ("a.test", "b.a.test", "c.b.a.test", "test", "d.test", "xa.test")
ADDRESSES = ("8.8.8.8", "8.8.4.4", "9.9.9.9", "10.0.0.1", "10.1.0.1", "127.0.0.1", "192.168.0.1",
             "2600::1", "2600::2", "fd00::1", "::1", "100.64.0.1")
RANGES = ("8.8.0.0/16", "8.0.0.0/8", "10.0.0.0/8", "10.1.0.0/16", "127.0.0.0/8", "0.0.0.0/0",
          "2600::/16", "fd00::/8", "::/0")
PORTS = (80, 443, 22, 8080)


def random_rule(random_one):
    kind = random_one.random()
    port = random_one.choice(("", "", ":80", ":443", ":22"))
    if kind < 0.05:
        return "*"
    if kind < 0.45:
        return random_one.choice(("", "", "*.")) + random_one.choice(NAMES) + port
    host = random_one.choice(ADDRESSES if kind < 0.7 else RANGES)
    if ":" in host:
        return "[%s]%s" % (host, port) if port else host
    return host + port


def split(rule):
    """(host, port or None)"""
    if rule.startswith("["):
        host, _, port = rule[1:].partition("]")
        return host, int(port[1:]) if port else None
    if rule.count(":") == 1:
        host, _, port = rule.partition(":")
        return host, int(port)
    return rule, None


def matches(rule, host, port):
    wanted, of = split(rule)
    if of not in (None, port):
        return False
    try:
        inside = ipaddress.ip_network(wanted, strict=False)
    except ValueError:
        name = wanted[2:] if wanted.startswith("*.") else wanted
        return host == name or host.endswith("." + name)
    try:
        return ipaddress.ip_address(host) in inside
    except ValueError:
        return False


def allowed(allow, deny, host, port, address=None):
    """Does wasmnet connect? A name's address is looked for among the ranges denied alone."""
    if any(rule != "*" and (matches(rule, host, port) or address and matches(rule, address, port))
           for rule in deny):
        return False
    return ("*" in allow and "*" not in deny) or \
        any(rule != "*" and matches(rule, host, port) for rule in allow)


def test_never_looser(bad):
    """What the policy allows, wasmnet did; but for names that lead to a range that it named."""
    random_one = random.Random(7)
    yes = 0
    for _ in range(150):
        allow = [random_rule(random_one) for _ in range(random_one.randrange(1, 6))]
        deny = [random_rule(random_one) for _ in range(random_one.randrange(0, 4))]
        done = take(table(allow=allow, deny=deny))
        bad.expect((allow, deny, done), sound(done))
        questions = [(host, port, None) for host in ADDRESSES for port in PORTS]
        questions += [(host, port, address) for host in NAMES for port in PORTS
                      for address in random_one.sample(ADDRESSES, 3)]
        answers = judge.ask(done.stdout, [
            ("judge", "wasmnet", host, str(port), "tcp") + ((address,) if address else ())
            for host, port, address in questions])
        for (host, port, address), answer in zip(questions, answers):
            if answer[0] != "none":
                continue
            yes += 1
            by_address = address and allowed(allow, deny, address, port) and \
                allowed(["*"], [rule for rule in deny if rule != "*"], host, port, address)
            bad.expect((allow, deny, host, port, address, answer),
                       allowed(allow, deny, host, port, address) or by_address)
    bad.expect("%d questions were answered with yes" % yes, yes > 500)


def main():
    tap = judge.Tap()
    for test in (test_default, test_rules, test_values, test_toml, test_usage, test_never_looser):
        bad = Failures()
        try:
            test(bad)
        except (OSError, ValueError, KeyError, RuntimeError, subprocess.SubprocessError) as error:
            bad.append(repr(error))
        tap.group(test.__name__, bad.checks, bad)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
