# SPDX-License-Identifier: ISC
"""UDP streams."""

import socket

from cases import CHOICE, PRACTICE, V1, case
from wire import BLOCKED, UDP, VOLUNTARY, must


@case(V1, "a datagram goes there and one comes back")
def udp_echo(t):
    s = t.session()
    stream, peer = s.udp(b"question")
    t.udp.sock.sendto(b"answer", peer)
    must(stream.wait_data(6) == b"answer", "another answer")


@case(V1, "DATA and datagrams correspond one to one, in sizes from 1 to 9,000 bytes")
def udp_borders(t):
    s = t.session()
    stream, peer = s.udp()
    for n in (1, 2, 100, 512, 1200, 1472, 1473, 4096, 9000):
        stream.put(bytes([n % 251]) * n)
        must(t.udp.take()[0] == bytes([n % 251]) * n, "of %d bytes another datagram", n)
        count = len(stream.pieces)
        t.udp.sock.sendto(bytes([n % 250]) * n, peer)
        s.until(lambda: len(stream.pieces) > count, "the datagram")  # pylint: disable=W0640
        must(stream.pieces[count:] == [bytes([n % 250]) * n], "of %d bytes another came", n)


@case(V1, "datagrams that follow each other are not joined")
def udp_not_joined(t):
    s = t.session()
    stream, peer = s.udp()
    for i in range(20):
        stream.put(b"up%02d" % i)
    must([t.udp.take()[0] for _ in range(20)] == [b"up%02d" % i for i in range(20)], "upwards")
    for i in range(20):
        t.udp.sock.sendto(b"down%02d" % i, peer)
    s.until(lambda: len(stream.pieces) == 20, "20 datagrams")
    must(stream.pieces == [b"down%02d" % i for i in range(20)], "downwards")


@case(V1, "there is no CONTINUE for UDP, after however many datagrams")
def udp_no_continue(t):
    s = t.session()
    stream, peer = s.udp()
    for i in range(s.initial * 3):
        stream.put(b"%d" % i)
        must(t.udp.take()[0] == b"%d" % i, "another datagram")
    t.udp.sock.sendto(b"end", peer)
    stream.wait_data(3)
    s.quiet()
    must(not stream.continues, "CONTINUE came")


@case(V1, "a datagram of 60,000 bytes passes")
def udp_big(t):
    s = t.session()
    stream, _ = s.udp()
    stream.put(bytes(60000))
    must(t.udp.take()[0] == bytes(60000), "another datagram")


@case(CHOICE, "DATA that no datagram can hold is dropped, and the stream lives on")
def udp_too_big(t):
    s = t.session()
    stream, _ = s.udp()
    stream.put(bytes(65508))
    stream.put(bytes(100000))
    stream.put(b"next")
    must(t.udp.take()[0] == b"next", "another datagram")


@case(V1, "two UDP streams to one destination have ports of their own, and do not mix")
def udp_two(t):
    s = t.session()
    (a, peer_a), (b, peer_b) = s.udp(b"a"), s.udp(b"b")
    must(peer_a != peer_b, "one address for both")
    t.udp.sock.sendto(b"to b", peer_b)
    t.udp.sock.sendto(b"to a", peer_a)
    must(a.wait_data(4) == b"to a" and b.wait_data(4) == b"to b", "they mix")


@case(PRACTICE, "datagrams of others than the destination do not come through")
def udp_foreign(t):
    s = t.session()
    stream, peer = s.udp()
    with socket.socket(t.udp.sock.family, socket.SOCK_DGRAM) as other:
        other.bind((t.udp.host, 0))
        other.sendto(b"foreign", peer)
    t.udp.sock.sendto(b"right", peer)
    must(stream.wait_data(5) == b"right", "another datagram")


@case(PRACTICE, "the client's CLOSE is answered with CLOSE, and nothing follows")
def udp_close(t):
    s = t.session()
    stream, peer = s.udp()
    stream.close()
    must(stream.wait_closed() == VOLUNTARY, "reason 0x%02x", stream.closed)
    t.udp.sock.sendto(b"late", peer)
    s.quiet()
    s.barrier()


@case(PRACTICE, "a port where nobody listens does not end the session")
def udp_closed_port(t):
    s = t.session()
    stream = s.ask(t.udp.host, t.closed, UDP)
    for _ in range(5):
        stream.put(b"anybody?")
        s.quiet(0.05)
    s.barrier()


@case(V1, "a destination that the policy blocks: CLOSE 0x48", "denied")
def udp_denied(t):
    s = t.session()
    stream = s.ask(t.denied, 53, UDP)
    must(stream.wait_closed() == BLOCKED, "reason 0x%02x", stream.closed)


@case(V1, "TCP and UDP go side by side")
def udp_beside_tcp(t):
    s = t.session()
    stream, sock = s.tcp()
    datagrams, peer = s.udp()
    for i in range(10):
        s.echo(stream, sock, b"%d" % i)
        t.udp.sock.sendto(b"%d" % i, peer)
    s.until(lambda: len(datagrams.pieces) == 10, "10 datagrams")
