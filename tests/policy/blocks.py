#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Every block of the deny table at its edges: cases 95, 98, 99 and 107.

The expectations come from policy/special.data, read by a second program, with
Python's own arithmetic of addresses: what policy/special.awk and the judge make of
the same file must agree with it, for TCP and UDP, under rules that open nothing,
that open by range, and that open by name.
"""

import ipaddress
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import judge  # noqa: E402

PROTOCOLS = ("tcp", "udp")
# 20 ordinary addresses, many of them next to a block: they must not be lost.
CONTROLS = """1.0.0.0 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255
128.0.0.0 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 191.255.255.255 192.0.1.255
192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255 8.8.8.8 168.63.129.17
2001:200:: 2001:db7:ffff:ffff:ffff:ffff:ffff:ffff 2001:db9:: 2003:: 2606:4700:4700::1111
2620:4f:7fff:ffff:ffff:ffff:ffff:ffff 2620:4f:8001:: 2a00:1450:4001::200e 2c0f::1 2600::
2001:4860:4860::8888 2400::""".split()


def table():
    path = os.path.join(judge.SOURCE, "policy", "special.data")
    with open(path) as file:
        for line in file:
            words = line.split("#")[0].split()
            if words:
                yield ipaddress.ip_network(words[0]), words[1], words[2]


TABLE = sorted(table(), key=lambda row: -row[0].prefixlen)


def block_of(address):
    """(network, class, name) of the longest prefix; None for an ordinary address."""
    if address.version == 6 and (int(address) >> 32 & 0xfdffffff) == 0x5efe:
        return ipaddress.ip_network(address), "never", "isatap"
    for row in TABLE:
        if row[0].version == address.version and address in row[0]:
            return row
    return None


def addresses_of(net):
    """First, second, middle, last, and the two outer neighbours."""
    first, last = int(net.network_address), int(net.broadcast_address)
    kind = type(net.network_address)
    top = 2 ** kind(0).max_prefixlen - 1
    for number in sorted({first, first + 1, (first + last) // 2, last, first - 1, last + 1}):
        if 0 <= number <= top:
            yield kind(number)


def bracket(address):
    text = str(address)
    if "/" not in text and ":" not in text:
        return text
    return "[%s]" % text if ":" in text else text


def allow(text, **more):
    return dict({"to": text, "protocols": ["tcp", "udp"]}, **more)


def policy(**grants):
    body = {"version": 1, "hosts": ["h"], "dialects": ["raw"], "grants": {
        name: {"auth": {"tokens": ["sha256:%064x" % (number + 1)]}, "origins": ["none"],
               "allow": rules}
        for number, (name, rules) in enumerate(grants.items())}}
    return json.dumps(body)


class Checks:
    def __init__(self):
        self.questions = []
        self.expected = []

    def expect(self, question, reason, block="-", named=None):
        self.questions.append(question)
        self.expected.append((reason, block, named))

    def run(self, tap, name, text):
        failures = []
        for question, answer, (reason, block, named) in zip(
                self.questions, judge.ask(text, self.questions), self.expected):
            if (answer[0], answer[2]) != (reason, block) or named not in (None, answer[3]):
                failures.append("%s: %s, and not %s" % (question, answer, (reason, block, named)))
        tap.group(name, len(self.questions), failures)


def every_address():
    seen = set()
    for net, _, _ in TABLE:
        seen.update(addresses_of(net))
    return sorted(seen, key=lambda a: (a.version, int(a)))


def test_any(tap):
    """Under "*" an address is reached exactly when no block holds it."""
    checks = Checks()
    ordinary = 0
    for address in every_address():
        block = block_of(address)
        ordinary += block is None
        for protocol in PROTOCOLS:
            question = ("judge", "g", str(address), "443", protocol)
            by_name = ("judge", "g", "www.example.com", "443", protocol, str(address))
            for q in (question, by_name):
                if block:
                    checks.expect(q, "special-address", block[2], "0")
                else:
                    checks.expect(q, "none", named="0")
    checks.run(tap, "every block at its edges, %d addresses outside" % ordinary,
               policy(g=[allow("*:*")]))


def test_wide(tap):
    """A range that is wider than a block does not open it."""
    checks = Checks()
    for address in every_address():
        block = block_of(address)
        for protocol in PROTOCOLS:
            question = ("judge", "g", str(address), "443", protocol)
            if block:
                checks.expect(question, "special-address", block[2], "0")
            else:
                checks.expect(question, "none", named="0")
    checks.run(tap, "0.0.0.0/0 and ::/0 open no block",
               policy(g=[allow("0.0.0.0/0:*"), allow("[::/0]:*")]))


def test_ranges(tap):
    """A rule for the very block opens it, what is inside stays shut, and so does all of `never'."""
    for net, kind, name in TABLE:
        if kind == "never":
            continue
        checks = Checks()
        for address in addresses_of(net):
            block = block_of(address)
            question = ("judge", "g", str(address), "443", "tcp")
            if address not in net:
                checks.expect(question, "no-rule")
            elif block[0] == net:  # the server's own addresses: by itself, or where all are
                whole = net.prefixlen == net.max_prefixlen
                checks.expect(question, "none", named="01"[whole or kind == "local"])
            else:
                checks.expect(question, "special-address", block[2], "0")
        for other, _, inner in TABLE:
            if other != net and other.version == net.version and other.subnet_of(net):
                checks.expect(("judge", "g", str(other[0]), "443", "tcp"), "special-address",
                              block_of(other[0])[2], "0")
        text = bracket(net) if net.version == 6 else str(net)
        checks.run(tap, "a rule for %s opens it alone (%s)" % (net, name),
                   policy(g=[allow(text + ":443")]))


def test_single(tap):
    """A rule for a single address opens it, but for the class `never'."""
    grants, checks = {}, Checks()
    for number, address in enumerate(every_address()):
        block = block_of(address)
        if block and block[1] == "never":
            continue
        name = "g%d" % number
        grants[name] = [allow(bracket(address) + ":443")]
        for protocol in PROTOCOLS:
            checks.expect(("judge", name, str(address), "443", protocol), "none", named="1")
    checks.run(tap, "a rule for the very address", policy(**grants))


def test_private(tap):
    """A private rule opens the class `private' alone, one for a whole name `local' too."""
    checks = Checks()
    for address in every_address():
        block = block_of(address)
        question = ("judge", "g", "db.example.com", "443", "tcp", str(address))
        whole = ("judge", "whole", "db.example.com", "443", "tcp", str(address))
        plain = ("judge", "plain", "db.example.com", "443", "tcp", str(address))
        if block is None:
            checks.expect(question, "none", named="0")
            checks.expect(whole, "none", named="1")
            checks.expect(plain, "none", named="0")
        else:
            checks.expect(plain, "special-address", block[2], "0")
            for asked, classes, named in ((question, ("private",), "0"),
                                          (whole, ("private", "local"), "1")):
                if block[1] in classes:
                    checks.expect(asked, "none", named=named)
                else:
                    checks.expect(asked, "special-address", block[2], "0")
    checks.run(tap, "\"private\" opens the class private, and local by a whole name",
               policy(g=[allow("*.example.com:443", private=True)],
                      whole=[allow("db.example.com:443", private=True)],
                      plain=[allow("*.example.com:443")]))


def test_never(tap):
    """Rules inside a block of class `never' are errors, so nothing opens it."""
    failures, checks = [], 0
    for net, kind, name in TABLE:
        if kind != "never":
            continue
        for range_ in (net, ipaddress.ip_network(net[-1])):
            checks += 1
            text = bracket(range_) if range_.version == 6 else str(range_)
            try:
                judge.ask(policy(g=[allow(text + ":443")]), [])
                failures.append("a rule for %s (%s) is taken" % (range_, name))
            except RuntimeError as error:
                if "can never match" not in str(error):
                    failures.append("%s: %s" % (range_, error))
    tap.group("no rule names a block that nothing opens", checks, failures)


def test_embedded(tap):
    """Every form that holds an IPv4 address, whatever the address."""
    checks = Checks()
    for v4 in ("127.0.0.1", "10.0.0.1", "169.254.169.254", "8.8.8.8"):
        n = int(ipaddress.IPv4Address(v4))
        forms = {
            "ipv4-mapped": [0xffff << 32 | n],
            "ipv4-compatible": [n],
            "ipv4-translated": [0xffff << 48 | n],
            "nat64": [0x64ff9b << 96 | n],
            "nat64-local": [0x64ff9b0001 << 80 | n,
                            0x64ff9b0001 << 80 | (n >> 16) << 64 | (n & 0xffff) << 40],
            "6to4": [0x2002 << 112 | n << 80 | 1],
            "teredo": [0x20010000 << 96 | 0x08080808 << 64 | n ^ 0xffffffff],
            "isatap": [prefix << 64 | bit << 57 | 0x5efe << 32 | n
                       for prefix in (0xfe80 << 48, 0x26064700 << 32, 0x2a00 << 48 | 5)
                       for bit in (0, 1)],
        }
        for name, numbers in forms.items():
            for number in numbers:
                address = ipaddress.IPv6Address(number)
                block = "loopback" if number == 1 else name
                spellings = {str(address), address.exploded, address.exploded.upper()}
                if name in ("ipv4-mapped", "ipv4-compatible"):
                    spellings |= {"::ffff:" + v4, "0:0:0:0:0:FFFF:" + v4}
                    block_dotted = "ipv4-mapped"
                for text in spellings:
                    dotted = block_dotted if "." in text else block
                    for protocol in PROTOCOLS:
                        checks.expect(("judge", "g", text, "443", protocol), "special-address",
                                      dotted, "0")
    checks.run(tap, "IPv6 forms that embed IPv4", policy(g=[allow("[::/0]:*"), allow("*:*")]))


def test_controls(tap):
    checks = Checks()
    for text in CONTROLS:
        for protocol in PROTOCOLS:
            checks.expect(("judge", "g", text, "443", protocol), "none", named="0")
    checks.run(tap, "ordinary addresses next to the blocks", policy(g=[allow("*:*")]))


def ports():
    path = os.path.join(judge.SOURCE, "policy", "ports.data")
    with open(path) as file:
        for line in file:
            words = line.split("#")[0].split()
            if words:
                yield int(words[0]), {"both": {"tcp", "tls", "udp"}, "tcp": {"tcp", "tls"},
                                      "udp": {"udp"}}[words[1]]


def test_ports(tap):
    """Every port, every protocol: closed ports under a range and under a rule of their own."""
    closed = dict(ports())
    checks = Checks()
    for port in range(65536):
        for protocol in ("tcp", "udp", "tls"):
            shut = port == 0 or protocol in closed.get(port, ())
            checks.expect(("judge", "g", "8.8.8.8", str(port), protocol),
                          "port-closed" if shut else "none")
    rules = [{"to": "*:*", "protocols": ["tcp", "udp", "tls"]}]
    checks.run(tap, "closed ports under \"*:*\"", policy(g=rules))
    checks = Checks()
    for port, protocols in closed.items():
        for protocol in protocols:
            checks.expect(("judge", "g", "8.8.8.8", str(port), protocol), "none")
    rules += [{"to": "*:%d" % port, "protocols": sorted(protocols)}
              for port, protocols in closed.items()]
    checks.run(tap, "a rule for the single port opens it", policy(g=rules))


def main():
    tap = judge.Tap()
    for test in (test_any, test_wide, test_ranges, test_single, test_private, test_never,
                 test_embedded, test_controls, test_ports):
        try:
            test(tap)
        except (RuntimeError, OSError) as error:
            tap.group(test.__name__, 1, [str(error)])
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
