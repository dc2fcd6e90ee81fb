#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""`sockward policy units': the addresses that the broker's unit lets through.

A table of policies and the lines that they imply. Then a property, for policies that are
made up: what the judge allows is let through, and what is let through beyond the list of the
unit as it is installed, is allowed. systemd's rules (what is in IPAddressAllow= is let through, an empty
line empties the list) are here a second time, in Python's own arithmetic.
"""

import ipaddress
import json
import os
import random
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import blocks  # noqa: E402
import judge  # noqa: E402

SOCKWARD = os.environ.get("SOCKWARD_COMMAND") or os.path.join(judge.BUILD, "sockward")
SHIPPED = os.path.join(judge.SOURCE, "units", "broker-addresses.conf")
RESET = ["IPAddressAllow=", "IPAddressDeny=any"]
NAMES = ("www.example.com", "a.b.example.com", "db.internal", "localhost", "example.org")


def run(*arguments, text=None):
    return subprocess.run([SOCKWARD, "policy", "units", *arguments], input=text,
                          capture_output=True, text=True, timeout=60)


def policy(*allow, deny=(), listen=None, more=()):
    grants = {}
    for n, rules in enumerate((allow, *more)):
        grants["g%d" % n] = {
            "auth": "none" if n == 0 else {"tokens": ["sha256:%064x" % n]}, "origins": ["none"],
            "allow": [rule if isinstance(rule, dict) else blocks.allow(rule) for rule in rules],
            "deny": [blocks.allow(rule) for rule in deny]}
    if listen:
        grants["g0"]["listen"] = {"address": listen[0], "ports": "8000-8010", "most": 4,
                                  "from": listen[1:]}
    return json.dumps({"version": 1, "hosts": ["h"], "dialects": ["raw"], "grants": grants},
                      indent=1)


def lines_of(text):
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def apply(lists, lines):
    """What systemd makes of these lines, after what stood before."""
    allowed = list(lists)
    for line in lines:
        key, _, value = line.partition("=")
        if key == "IPAddressAllow":
            allowed = allowed + [ipaddress.ip_network(w) for w in value.split()] if value else []
    return allowed


def let_through(allowed, address):
    return any(address in net for net in allowed if net.version == address.version)


def shipped():
    with open(SHIPPED) as file:
        return apply([], lines_of(file.read()))


class Failures(list):
    checks = 0

    def expect(self, what, condition):
        self.checks += 1
        if not condition:
            self.append(str(what))


# (policy, lines behind [Service], words of comments)
PRIVATE = dict(blocks.allow("db.internal:5432"), private=True)
TABLE = (
    (policy(), RESET, ["All rules are by address"]),
    (policy("10.0.0.0/8:5432"), RESET + ["IPAddressAllow=10.0.0.0/8"], ["10.0.0.0/8:5432: this"]),
    (policy("10.0.0.0/8:5432", "10.0.0.0/8:5433"), RESET + ["IPAddressAllow=10.0.0.0/8"],
     ["10.0.0.0/8:5433: as above"]),
    (policy("192.0.2.7:80", "[2001:db8::1]:80", "127.0.0.1:80"),
     RESET + ["IPAddressAllow=192.0.2.7/32", "IPAddressAllow=2001:db8::1/128",
              "IPAddressAllow=127.0.0.1/32"], []),
    (policy("169.254.169.254:80"), RESET + ["IPAddressAllow=169.254.169.254/32"], []),
    # Nothing of the special blocks in a range that the range does not open.
    (policy("9.0.0.0/8:80", "8.0.0.0/6:80"),
     RESET + ["IPAddressAllow=9.0.0.0/8", "IPAddressAllow=8.0.0.0/7 11.0.0.0/8"], []),
    (policy("169.254.169.252/30:80"),
     RESET + ["IPAddressAllow=169.254.169.252/32 169.254.169.255/32"], []),
    (policy("224.0.0.0/3:80"), RESET, ["224.0.0.0/3:80: opens nothing"]),
    # What is denied is not taken out, and adds nothing.
    (policy("10.0.0.0/8:80", deny=["10.1.0.0/16:*"]), RESET + ["IPAddressAllow=10.0.0.0/8"], []),
    (policy(deny=["10.1.0.0/16:*"]), RESET, []),
    # Who comes counts, and not where.
    (policy(listen=["10.0.0.1", "10.1.0.0/16", "192.168.0.0/24"]),
     RESET + ["IPAddressAllow=10.1.0.0/16", "IPAddressAllow=192.168.0.0/24"],
     ["listen 10.0.0.1:8000-8010: where it listens needs nothing", "from 10.1.0.0/16: this"]),
    # All grants count.
    (policy("10.0.0.0/8:80", more=[["11.0.0.1:80"], ["10.0.0.0/8:81"]]),
     RESET + ["IPAddressAllow=10.0.0.0/8", "IPAddressAllow=11.0.0.1/32",
              "IPAddressAllow=10.0.0.0/8"], []),
    # One name, and the unit's own list stays.
    (policy("*:443"), [], ["Some rules are by name", "*:443: by name; the unit's own list"]),
    (policy("www.example.com:443"), [], ["www.example.com:443: by name"]),
    (policy("*.example.com:443", "10.0.0.0/8:80"), [], ["10.0.0.0/8:80: in the unit's own list"]),
    (policy(PRIVATE), [], ["db.internal:5432: by name; the unit's own list has private"]),
    (policy(more=[["*:443"]]), [], []),
    (policy("*:443", "169.254.169.254:80", "[fe80::/64]:80", "127.0.0.1:80"),
     ["IPAddressAllow=169.254.169.254/32", "IPAddressAllow=fe80::/64"],
     ["169.254.169.254:80: beyond the unit's own list", "127.0.0.1:80: in the unit's"]),
    (policy("*:443", "240.0.0.1:80", "224.0.0.0/3:80"), ["IPAddressAllow=240.0.0.1/32"],
     ["224.0.0.0/3:80: opens nothing"]),
    (policy("*:443", "168.63.129.0/28:80"), ["IPAddressAllow=168.63.129.0/28"], []),
    (policy("*:443", listen=["127.0.0.1", "fe80::/10"]), ["IPAddressAllow=fe80::/10"],
     ["from fe80::/10: beyond the unit's own list"]),
)


def test_table(bad):
    for text, expected, words in TABLE:
        done = run("-", text=text)
        lines = lines_of(done.stdout)
        bad.expect((text, done), done.returncode == 0 and done.stderr == "")
        bad.expect((text, lines), lines == ["[Service]"] + expected)
        for word in words:
            bad.expect((word, done.stdout), word in done.stdout)


def test_command(bad):
    done = run("-", text='{"version": 1, "hosts": [}')
    bad.expect(done, done.returncode == 1 and done.stdout == "" and "1:26: error" in done.stderr)
    for arguments in ((), ("a", "b"), ("--grant", "g", "-"), ("Upper",), ("a-b",), ("",),
                      ("seventeenletters1",)):
        done = run(*arguments)
        bad.expect(done, done.returncode == 2 and done.stdout == "" and done.stderr)
    # A tenant is a file in one place; anything else is a file's own name.
    done = run("nosuchtenant")
    bad.expect(done, done.returncode == 1 and
               re.search(r"/sockward/nosuchtenant\.json: error: ", done.stderr))
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "demo.json")
        with open(path, "w") as file:
            file.write(policy("10.0.0.0/8:80"))
        done = run(path)
        bad.expect(done, done.returncode == 0 and path + ":17: 10.0.0.0/8:80: this" in done.stdout)
        bad.expect(done, "sockward-broker@TENANT.service.d/" in done.stdout)
        done = subprocess.run([SOCKWARD, "policy", "units", "demo.json"], cwd=directory,
                              capture_output=True, text=True, timeout=60)
        bad.expect(done, done.returncode == 0)
        # Nothing of a file's name gets out of its comment.
        evil = os.path.join(directory, "a\nIPAddressAllow=any\n.json")
        os.rename(path, evil)
        done = run(evil)
        bad.expect(done, lines_of(done.stdout) == ["[Service]"] + RESET +
                   ["IPAddressAllow=10.0.0.0/8"])
    with open("/dev/full", "w") as full:
        done = subprocess.run([SOCKWARD, "policy", "units", "-"], input=policy("*:1"), stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=60)
    bad.expect(done, done.returncode == 1 and "standard output" in done.stderr)


RANGES = ["10.0.0.0/8", "10.2.0.0/15", "0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/2", "169.254.0.0/16",
          "169.254.169.254", "169.254.169.0/24", "127.0.0.0/8", "127.0.0.1", "100.64.0.0/10",
          "100.100.100.0/24", "168.63.129.16", "168.63.0.0/16", "192.0.0.0/24", "192.0.0.0/23",
          "224.0.0.0/3", "240.0.0.0/4", "8.8.8.8", "8.8.8.0/23", "::1", "::/0",
          "::/3", "2000::/3", "2001::/16", "fc00::/7", "fd00::/8", "fd00:ec2::/32", "fd20:ce::254",
          "fe80::/10", "fe80::/64", "fe00::/7", "2a00:1450::/32", "4000::/2"]
BY_NAME = ["*", "*.example.com", "www.example.com", "*.internal", "db.internal", "localhost"]


def probes(ranges):
    found = {ipaddress.ip_address(text) for text in blocks.CONTROLS}
    for net in [row[0] for row in blocks.TABLE] + ranges + shipped():
        found.update(blocks.addresses_of(net))
    return sorted(found, key=lambda address: (address.version, address))


def is_isatap(address):
    return address.version == 6 and (int(address) >> 32 & 0xfdffffff) == 0x5efe


def check(bad, own, addresses, ranges, names):
    """One policy: @ranges and @names are its rules."""
    rules = [blocks.allow(blocks.bracket(text) + ":443") for text in ranges] + [
        dict(blocks.allow(name + ":443"), private=private) for name, private in names]
    text = policy(*rules)
    done = run("-", text=text)
    allowed = apply(own, lines_of(done.stdout))
    bad.expect((text, done), done.returncode == 0)
    asked = [(str(a), None) for a in addresses]
    asked += [(name, str(a)) for name in NAMES for a in addresses if names]
    answers = judge.ask(text, [("judge", "g0", host, "443", "tcp") + ((to,) if to else ())
                               for host, to in asked])
    for (host, to), answer in zip(asked, answers):
        address = ipaddress.ip_address(to or host)
        is_allowed, is_open = answer[0] == "none", let_through(allowed, address)
        what = (ranges, names, host, to, answer, is_open)
        if to:
            # By name: all but what the unit's own list denies, whatever the policy says.
            bad.expect(what, not is_allowed or is_open or not let_through(own, address))
            continue
        bad.expect(what, not is_allowed or is_open or (names and not let_through(own, address)
                                                       and answer[1].startswith("*")))
        if not names and not is_isatap(address):
            bad.expect(what, is_allowed == is_open)
        elif is_open and not let_through(own, address) and not is_isatap(address):
            bad.expect(what, is_allowed)


def test_property(bad):
    own = shipped()
    shuffled = random.Random(20261121)
    every = [ipaddress.ip_network(text) for text in RANGES]
    addresses = probes(every)
    for text in RANGES:
        check(bad, own, addresses, [text], [])
    for n in range(40):
        ranges = shuffled.sample(RANGES, shuffled.randrange(5))
        names = [(name, "example" not in name and name != "*" or
                  name != "*" and shuffled.random() < 0.5)
                 for name in shuffled.sample(BY_NAME, shuffled.randrange(3) if n % 2 else 0)]
        check(bad, own, shuffled.sample(addresses, 120), ranges, names)


def main():
    tap = judge.Tap()
    for name, test in (("what a policy implies", test_table), ("the command", test_command),
                       ("what is allowed is let through", test_property)):
        bad = Failures()
        test(bad)
        tap.group(name, bad.checks, bad)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
