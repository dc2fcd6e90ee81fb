# SPDX-License-Identifier: ISC
"""Answers of a hostile name server, for the zone of a dnsbox.Server: functions of the
query, its question and the type that is asked for. Both addresses are public: what is
LIE must never be believed, TRUTH must be found behind it."""

import struct
import threading

from dnsbox import A, AAAA, CNAME, Server, address_records, answer_of, name_at, wire_name

LIE, TRUTH = "9.9.9.66", "8.8.4.4"
TXT = 16
answer = Server.packet


def lie(query, question, kind):
    return answer(query, question, address_records([LIE], kind))


def truth(query, question, kind):
    return answer(query, question, address_records([TRUTH], kind))


def fails(query, question, _kind):
    return answer(query, question, [], code=2)


# --- answers that are none ---------------------------------------------------------------


def pointers(query, question, kind):
    """A compression pointer that points to itself."""
    at = 12 + len(question)
    return answer(query, question, [struct.pack("!HHHIH", 0xc000 | at, kind, 1, 0, 4) + b"\1\2\3\4"])


def count(query, question, _kind):
    """More records than there are bytes."""
    return query[:2] + struct.pack("!HHHHH", 0x8180, 1, 65535, 65535, 65535) + question + b"\xff"


def short(query, _question, _kind):
    return query[:2] + b"\x81"


def wrong_id(query, question, kind):
    return bytes([query[0] ^ 255]) + lie(query, question, kind)[1:]


# --- lies, and the truth behind them -----------------------------------------------------


def late(query, question, kind):
    """Another id, then nothing at all, then the truth."""
    return [wrong_id(query, question, kind), b"", short(query, question, kind),
            truth(query, question, kind)]


def other_question(query, question, kind):
    return [lie(query, wire_name("other.test") + question[-4:], kind),
            truth(query, question, kind)]


def other_port(query, question, kind):
    """From a port that nobody asked."""
    return [(lie(query, question, kind),), truth(query, question, kind)]


# --- CNAMEs --------------------------------------------------------------------------------


def alias(of, to, ttl=60):
    return answer_of(wire_name(to), CNAME, of, ttl)


def hops(number, ttl=300, to=TRUTH, end=None):
    """So many CNAMEs, and then the address, of the name at the end."""
    def make(query, question, kind):
        names = [name_at(question, 0)[0]] + ["hop%d.test" % i for i in range(number)]
        names[-1] = end or names[-1]
        records = [alias(names[i], names[i + 1], ttl) for i in range(number)]
        return answer(query, question, records + address_records([to], kind, names[-1], 200))
    return make


def itself(query, question, _kind):
    """A CNAME that is its own."""
    name = name_at(question, 0)[0]
    return answer(query, question, [alias(name, name)] * 20)


def back(query, question, kind):
    """A loop of two names that has an address."""
    name = name_at(question, 0)[0]
    return answer(query, question, [alias(name, "b.test"), alias("b.test", name)] * 3 +
                  address_records([LIE], kind, name, 60))


def beside(query, question, kind):
    """A CNAME of a name that nobody asked for, and its address."""
    return answer(query, question, [alias("a.test", "b.test")] +
                  address_records([LIE], kind, "b.test", 60))


# --- long answers ----------------------------------------------------------------------------


def cut(query, question, _kind):
    """Truncated: ask by TCP."""
    packet = answer(query, question, [])
    return packet[:2] + bytes([packet[2] | 2]) + packet[3:]


def longest(query, question, kind):
    """64 KiB, nearly, most of it records that nobody asked for."""
    return answer(query, question, address_records([TRUTH], kind, ttl=90) +
                  [answer_of(b"x" * 1000, TXT)] * 64)


def most(query, question, kind):
    """64 KiB, nearly, of addresses."""
    if kind == AAAA:
        return answer(query, question, [])
    return answer(query, question, address_records(
        ["8.%d.%d.1" % (i >> 8, i & 255) for i in range(4000)], kind, ttl=90))


# --- time ------------------------------------------------------------------------------------


class Rotating:
    """Other addresses for each question of a name for A: those of the list in turn, or a
    function of the number of the question. together: all names are counted as one."""

    def __init__(self, turns, ttl=0, together=False):
        self.turns = turns if callable(turns) else lambda n: turns[n % len(turns)]
        self.ttl = ttl
        self.together = together
        self.asked = {}
        self.lock = threading.Lock()

    def __call__(self, query, question, kind):
        name = "" if self.together else name_at(question, 0)[0]
        with self.lock:
            number = self.asked.get(name, 0)
            self.asked[name] = number + (kind == A)
        found = self.turns(number)
        return answer(query, question, address_records(
            [found] if isinstance(found, str) else found, kind, ttl=self.ttl))


def ttls(a, aaaa):
    """One address of each family, with these times."""
    def make(query, question, kind):
        return answer(query, question, address_records(
            [TRUTH, "2600:1::8"], kind, ttl=aaaa if kind == AAAA else a))
    return make
