# SPDX-License-Identifier: ISC
"""Where nobody may get, in all spellings, and where everybody may: what cases 95 to 121
ask for. And the network in which they ask: a suite in a namespace whose way out leads
to a machine that answers for every address (netns.py), so that whatever is dialled in
spite of the policy is seen there."""

import ipaddress
import os

import netns
import suite

METADATA = ["169.254.169.254", "169.254.170.2", "169.254.169.253", "100.100.100.200",
            "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"]
EMBEDDED = ["127.0.0.1", "10.0.0.1", "169.254.169.254"]

# What stands in the private /etc/hosts of the suite.
NAMES = """
127.0.0.1 localhost
8.8.8.8 public.test www.example.test a.b.example.test evilexample.test example.test
8.8.8.8 example.test.evil.test
10.1.2.3 inside.test metadata-too.test
127.0.0.1 loop.test
169.254.169.254 meta.test
8.8.8.8 mixed.test
127.0.0.1 mixed.test
10.1.2.3 mixed.test
::1 six.test
64:ff9b::7f00:1 nat64.test
203.0.114.1 self.test
"""

# IPv4 addresses as some parsers take them: 127.0.0.1, 0.0.0.0 and others, and none.
NOT_IPV4 = ("0177.0.0.1", "0x7f.0.0.1", "0x7f000001", "2130706433", "017700000001", "127.1",
            "127.0.1", "00000177.1", "127.0.0.01", "127.0.0.0x1", "0", "1.2.3", "0xffffffff",
            "8.8.2056", "8.8.8.8.", "8.8.8.8 ", "8.8.8.08", "08.8.8.8", "8.8.8", "8.8.8.8.8",
            "8.8.8.256", "+8.8.8.8", "8.8.8.-8")
# IPv6 likewise, with what holds IPv4, zones and brackets.
NOT_IPV6 = ("::ffff:127.0.0.1", "::ffff:7f00:1", "0:0:0:0:0:ffff:7f00:1", "::FFFF:127.0.0.1",
            "::127.0.0.1", "0000::0001", "::1%lo", "fe80::1%in", "[::1]", "[::ffff:8.8.8.8]",
            "::ffff:8.8.8.8", "::1%25lo", "%3A%3A1", "2600:1::1%1", ":::1", "1::2::3",
            "2600:1::00001", "[2600:1::1")
# Public addresses beside special ones.
NEIGHBOURS = ("8.8.8.8", "1.0.0.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
              "126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255",
              "172.32.0.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0",
              "223.255.255.255", "2600:1::1", "2a00:1450::1", "2003::1", "2001:200::1",
              "2620:4f:8001::1")
# No names, and names that lead nowhere outside.
NOT_NAMES = ("[public.test]", "%70ublic.test", "public .test", "public..test", ".public.test",
             "a" * 64 + ".test", ".".join(["a" * 50] * 5) + ".test", "public.test..",
             "public.test:80", "u@public.test", "-a.test", "public", "localhost", "x.localhost",
             "public.local", "metadata.google.internal")
# Neither names nor addresses. Some have the characters of names: the last two are even
# looked for in the rules, as names without a dot.
MALFORMED = ("127.0.0.1\0", "127.0.0.1\0.example.test", "127.0.0.1\r\nX: y", "127.0.0.1 ",
             " 127.0.0.1", "127.0.0.1\t", "127.0.0.1%25lo", "user@127.0.0.1", "127.0.0.1#",
             "127.0.0.1\\", "127.0.0.1/", "127.0.0.1:80", "", ".", "a" * 255, "a" * 256,
             "a." * 200 + "test", "a." * 127 + "a", "localhost" + " " * 5000, "[::1",
             "fe80::1%lo", "１２７.0.0.1", "\"\x1b[31m\x7f", "0X7F000001", "a..test", "-a.test",
             "a-.test", "127.1", "0177.0.0.1", "a" * 64 + ".test", "0x7f000001", "2130706433")


def blocks():
    """(network, class, name) of the project's own list of special addresses."""
    with open(os.path.join(suite.SOURCE, "policy", "special.data")) as file:
        for line in file:
            words = line.split("#")[0].split()
            if words:
                yield ipaddress.ip_network(words[0]), words[1], words[2]


def embeddings(v4):
    """IPv6 addresses that hold an IPv4 address, in all ways that are in use."""
    n = int(ipaddress.IPv4Address(v4))
    for prefix, shift in (("::ffff:0:0", 0), ("::", 0), ("::ffff:0:0:0", 0), ("64:ff9b::", 0),
                          ("64:ff9b:1::", 0), ("2002::", 80), ("fe80::5efe:0:0", 0),
                          ("2600:1::5efe:0:0", 0), ("2600:1::200:5efe:0:0", 0)):
        yield str(ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) | n << shift))
    yield str(ipaddress.IPv6Address(int(ipaddress.IPv6Address("2001:0:808:808::")) |
                                    (n ^ 0xffffffff)))


def block_of(address):
    """The name of the smallest special block that an address is in."""
    address = ipaddress.ip_address(address)
    return min((net.num_addresses, name) for net, _, name in blocks()
               if net.version == address.version and address in net)[1]


def probes():
    """The first, second, middle and last address of each special block."""
    for net, _, _ in blocks():
        for at in sorted({0, min(1, net.num_addresses - 1), net.num_addresses // 2,
                          net.num_addresses - 1}):
            yield str(net[at])


class Outside(suite.SuiteCase):
    """Tests in that network, with NAMES for /etc/hosts; for root only."""

    ports = (80,)

    @classmethod
    def setUpClass(cls):
        cls.pair = netns.Pair(ports=cls.ports).__enter__()
        try:
            cls.suite = suite.Suite(cls.rules)
            cls.hosts = os.path.join(cls.suite.directory, "hosts")
            cls.set_names(NAMES)
            cls.suite.prefix = ["unshare", "-m", "sh", "-c",
                                'mount --bind "$0" /etc/hosts && exec "$@"', cls.hosts]
            cls.suite.start()
        except BaseException:
            cls.pair.__exit__()
            raise

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.pair.__exit__()

    @classmethod
    def set_names(cls, text):
        with open(cls.hosts, "r+" if os.path.exists(cls.hosts) else "w") as file:
            file.write(text.ljust(4096, "\n"))  # the same file, in one write

    def setUp(self):
        del self.pair.arrived[:]

    def nothing_arrived(self):
        self.assertEqual(self.pair.arrived, [])
