# SPDX-License-Identifier: ISC
"""Streams: bytes, ids, and how they end."""

import socket
import struct
import threading

from cases import CHOICE, PRACTICE, V1, case
from wire import (BLOCKED, CLOSE, CONTINUE, DATA, INVALID, NETWORK, REFUSED, TCP, UNREACHABLE,
                  VOLUNTARY, Drain, connect_packet, must, packet, read_end, read_exactly)


def pattern(n, step=7):
    return bytes(i * step % 251 for i in range(n))


@case(V1, "bytes go both ways")
def echo(t):
    s = t.session()
    stream, sock = s.tcp()
    s.echo(stream, sock, b"hello")
    s.echo(stream, sock, b"\0\xff\r\n")


@case(V1, "DATA may follow CONNECT at once")
def data_behind_connect(t):
    s = t.session()
    stream = s.ask(t.tcp.host, t.tcp.port)
    for part in (b"one ", b"two ", b"three"):
        stream.put(part)
    must(read_exactly(t.tcp.accept(), 13) == b"one two three", "other bytes arrived")


@case(V1, "DATA without bytes changes nothing")
def empty_data(t):
    s = t.session()
    stream, sock = s.tcp()
    stream.put(b"")
    s.echo(stream, sock, b"behind it")


@case(V1, "payloads around the borders of WebSocket lengths pass unchanged, both ways")
def border_sizes(t):
    s = t.session()
    stream, sock = s.tcp()
    for n in (1, 119, 120, 121, 122, 125, 126, 4091, 16379, 16384, 65529, 65530, 65531, 65536):
        drain = Drain(sock, n)
        stream.write(pattern(n))
        must(drain.all() == pattern(n), "of %d bytes others arrived", n)
        have = sum(map(len, stream.pieces))
        sock.sendall(pattern(n, 3))
        must(stream.wait_data(have + n)[have:] == pattern(n, 3), "of %d bytes others came", n)


@case(V1, "a packet of 512 KiB passes")
def big_packet(t):
    s = t.session()
    stream, sock = s.tcp()
    data = pattern(524288)
    drain = Drain(sock, len(data))
    stream.write(data)
    must(drain.all() == data, "other bytes arrived")


@case(V1, "packets of a stream arrive in order")
def order(t):
    s = t.session()
    stream, sock = s.tcp()
    data = b"".join(b"%06d" % i for i in range(1000))
    drain = Drain(sock, len(data))
    for at in range(0, len(data), 6):
        stream.write(data[at:at + 6])
    must(drain.all() == data, "they do not")


@case(V1, "4 MiB of the destination arrive in order without any packet of the client")
def no_credit_downwards(t):
    s = t.session()
    stream, sock = s.tcp()
    data = pattern(1 << 20) * 4
    feeder = threading.Thread(target=sock.sendall, args=(data,), daemon=True)
    feeder.start()
    must(stream.wait_data(len(data)) == data, "other bytes came")
    feeder.join(10)


@case(V1, "streams do not mix")
def two_streams(t):
    s = t.session()
    (a, sock_a), (b, sock_b) = s.tcp(), s.tcp()
    for i in range(20):
        s.echo(a, sock_a, b"a%d" % i)
        s.echo(b, sock_b, b"b%d" % i)
    must(a.data() == b"".join(b"a%d" % i for i in range(20)), "stream a")
    must(b.data() == b"".join(b"b%d" % i for i in range(20)), "stream b")


@case(V1, "40 streams at once")
def many_streams(t):
    s = t.session()
    pairs = [s.tcp() for _ in range(40)]
    for i, (stream, _) in enumerate(pairs):
        stream.put(b"%04d" % i)
    for i, (_, sock) in enumerate(pairs):
        must(read_exactly(sock, 4) == b"%04d" % i, "stream %d", i)
    for i, (_, sock) in enumerate(reversed(pairs)):
        sock.sendall(b"%04d" % i)
    for i, (stream, _) in enumerate(reversed(pairs)):
        must(stream.wait_data(4) == b"%04d" % i, "stream %d", i)


@case(V1, "any 32-bit number but 0 is an id")
def all_ids(t):
    s = t.session()
    for number in (1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x01020304):
        stream, sock = s.tcp(number)
        s.echo(stream, sock, b"%d" % number)


@case(V1, "200 streams, one after the other, leave room for more")
def one_after_the_other(t):
    s = t.session()
    for i in range(200):
        stream, sock = s.tcp()
        s.echo(stream, sock, b"%d" % i)
        stream.close()
        sock.close()


# --- how they end -------------------------------------------------------------------


@case(V1, "when the destination ends, CLOSE 0x02 comes")
def destination_ends(t):
    s = t.session()
    stream, sock = s.tcp()
    s.echo(stream, sock, b"hello")
    sock.close()
    must(stream.wait_closed() == VOLUNTARY, "reason 0x%02x", stream.closed)


@case(V1, "all that the destination sent before its end comes before CLOSE")
def last_bytes(t):
    s = t.session()
    stream, sock = s.tcp()
    data = pattern(1 << 20)
    sock.sendall(data)
    sock.close()
    stream.wait_closed()
    must(stream.data() == data, "%d bytes came", stream.closed_at)


@case(PRACTICE, "when the destination breaks the connection, CLOSE 0x03 comes")
def destination_resets(t):
    s = t.session()
    stream, sock = s.tcp()
    s.echo(stream, sock, b"hello")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
    must(stream.wait_closed() == NETWORK, "reason 0x%02x", stream.closed)


@case(PRACTICE, "the client closes: the destination gets what was sent before, and the end")
def client_closes(t):
    s = t.session()
    stream, sock = s.tcp()
    drain = Drain(sock)
    for _ in range(16):
        stream.write(bytes(4096))
    stream.close()
    must(len(drain.all()) == 65536, "%d bytes arrived", drain.length)


@case(PRACTICE, "CLOSE right behind CONNECT and DATA: the bytes arrive all the same")
def closes_at_once(t):
    s = t.session()
    stream = s.ask(t.tcp.host, t.tcp.port)
    stream.put(b"in a hurry")
    stream.close()
    data, orderly = read_end(t.tcp.accept())
    must(data == b"in a hurry" and orderly, "%r arrived", data)


@case(PRACTICE, "the client's CLOSE is answered with CLOSE: v86 frees a stream by nothing else")
def close_is_answered(t):
    s = t.session()
    stream, _ = s.tcp()
    stream.close()
    must(stream.wait_closed() == VOLUNTARY, "reason 0x%02x", stream.closed)


@case(V1, "nothing comes on a stream after the client's CLOSE, but for CLOSE")
def silence_after_clients_close(t):
    s = t.session()
    stream, sock = s.tcp()
    s.echo(stream, sock, b"hello")
    stream.close()
    s.barrier()
    have = len(stream.pieces)
    try:
        sock.sendall(b"late")
    except ConnectionError:
        pass
    s.quiet()
    s.barrier()
    must(len(stream.pieces) == have, "DATA came")


@case(V1, "CLOSE 0x01, 0x03 and 0x81 of the client close as 0x02 does")
def any_reason_closes(t):
    s = t.session()
    for reason in (1, 3, 0x81, 0x55):
        stream, sock = s.tcp()
        stream.close(reason)
        data, _ = read_end(sock)
        must(data == b"", "bytes arrived")


@case(PRACTICE, "after the server's CLOSE nothing more comes, and DATA for it is passed over")
def silence_after_close(t):
    s = t.session()
    stream, sock = s.tcp()
    sock.close()
    stream.wait_closed()
    for _ in range(200):
        stream.put(b"late")
    stream.close()
    s.barrier()
    s.quiet()


@case(PRACTICE, "CLOSE for a stream that is closed is passed over")
def close_twice(t):
    s = t.session()
    stream, sock = s.tcp()
    stream.close()
    stream.close()
    must(read_end(sock)[0] == b"", "bytes arrived")
    s.barrier()
    s.quiet()


@case(V1, "an id can be used again when its stream is closed")
def id_again(t):
    s = t.session()
    for i in range(5):
        stream, sock = s.tcp(9)
        s.echo(stream, sock, b"%d" % i)
        sock.close()
        stream.wait_closed()


@case(V1, "the end of the WebSocket ends its streams")
def websocket_ends(t):
    s = t.session()
    pairs = [s.tcp() for _ in range(3)]
    s.ws.close()
    s.ws.recv_close()
    s.end()
    for _, sock in pairs:
        must(read_end(sock)[0] == b"", "bytes arrived")


# --- reasons ------------------------------------------------------------------------


def refusal(t, host, port, kind=TCP):
    s = t.session()
    stream = s.ask(host, port, kind)
    reason = stream.wait_closed()
    s.barrier()
    return reason


@case(V1, "a connection that is refused: CLOSE 0x44")
def refused(t):
    reason = refusal(t, t.tcp.host, t.closed)
    must(reason == REFUSED, "reason 0x%02x", reason)


@case(V1, "a name that does not resolve: CLOSE 0x42", "unknown")
def unknown_name(t):
    reason = refusal(t, t.unknown, 80)
    must(reason == UNREACHABLE, "reason 0x%02x", reason)


@case(V1, "a destination that the policy blocks: CLOSE 0x48", "denied")
def denied(t):
    reason = refusal(t, t.denied, 80)
    must(reason == BLOCKED, "reason 0x%02x", reason)


@case(V1, "port 0: CLOSE 0x41")
def port_zero(t):
    reason = refusal(t, t.tcp.host, 0)
    must(reason == INVALID, "reason 0x%02x", reason)


@case(V1, "a stream type that is neither TCP nor UDP: CLOSE 0x41")
def stream_type(t):
    for kind in (0, 3, 255):
        reason = refusal(t, t.tcp.host, t.tcp.port, kind)
        must(reason == INVALID, "type %d: reason 0x%02x", kind, reason)


@case(V1, "an empty host: CLOSE 0x41")
def empty_host(t):
    reason = refusal(t, "", 80)
    must(reason == INVALID, "reason 0x%02x", reason)


@case(V1, "a host that is no name: CLOSE 0x41")
def malformed_host(t):
    for host in (b"a b", b"a\0b", b"a/b", b"\xff\xfe", b"[", b"-" * 300):
        reason = refusal(t, host, 80)
        must(reason == INVALID, "%r: reason 0x%02x", host[:8], reason)


@case(CHOICE, "CONNECT with an id that is in use is passed over: the first stream goes on")
def id_in_use(t):
    s = t.session()
    stream, sock = s.tcp(5)
    s.echo(stream, sock, b"one")
    s.send(connect_packet(5, t.tcp.host, t.tcp.port))
    s.barrier()
    s.echo(stream, sock, b"two")


@case(V1, "nothing is opened on stream 0, which is reserved")
def stream_zero(t):
    s = t.session()
    s.send(connect_packet(0, t.tcp.host, t.tcp.port))
    t.tcp.nobody()


@case(PRACTICE, "DATA, CLOSE and CONTINUE for ids that were never opened are passed over")
def unknown_ids(t):
    s = t.session()
    s.send(packet(DATA, 99, b"nobody"))
    s.send(packet(CLOSE, 98, b"\2"))
    s.send(packet(CONTINUE, 97, bytes(4)))
    s.barrier()


@case(V1, "CONTINUE of the client changes nothing")
def clients_continue(t):
    s = t.session()
    stream, sock = s.tcp()
    s.send(packet(CONTINUE, stream.number, bytes(4)))
    s.echo(stream, sock, b"goes on")
