# SPDX-License-Identifier: ISC
"""Flow control: credit upwards, brakes downwards."""

import select
import threading
import time

from cases import CHOICE, PRACTICE, V1, case
from wire import Drain, must, read_exactly


@case(V1, "CONTINUE comes before the credit is used up, if the destination takes the bytes")
def credit_comes_back(t):
    s = t.session()
    stream, sock = s.tcp()
    drain = Drain(sock, s.initial)
    for _ in range(s.initial):
        stream.put(b"x")
    s.until(lambda: stream.continues, "CONTINUE")
    must(len(drain.all()) == s.initial, "%d bytes arrived", drain.length)


@case(V1, "CONTINUE is regular: it comes when half of the credit is used")
def credit_after_half(t):
    s = t.session()
    stream, sock = s.tcp()
    for _ in range(s.initial // 2):
        stream.put(b"x")
    read_exactly(sock, s.initial // 2)
    s.until(lambda: stream.continues, "CONTINUE")


@case(V1, "CONTINUE sets what is left: it is never more than the first credit")
def credit_is_a_level(t):
    s = t.session()
    stream, sock = s.tcp()
    n = s.initial * 6
    drain = Drain(sock, n)
    for _ in range(n):
        stream.write(b"x")
    must(len(drain.all()) == n, "%d bytes arrived", drain.length)
    must(stream.continues, "no CONTINUE came")
    must(max(stream.continues) <= s.initial, "CONTINUE with %d", max(stream.continues))


@case(V1, "credit is counted per stream")
def credit_per_stream(t):
    s = t.session()
    (a, sock_a), (b, sock_b) = s.tcp(), s.tcp()
    for _ in range(s.initial // 2 - 1):
        a.put(b"a")
        b.put(b"b")
    read_exactly(sock_a, s.initial // 2 - 1)
    read_exactly(sock_b, s.initial // 2 - 1)
    s.quiet()
    must(not b.continues, "CONTINUE on a stream that used less than half")
    a.put(b"a")
    s.until(lambda: a.continues, "CONTINUE")
    must(not b.continues, "CONTINUE on the other stream")


def stall(s, stream, size, most):
    """Send while there is credit and the server reads; the bytes of a packet left over.

    All that comes is looked at before the next packet.
    """
    while stream.sent * size < most:
        while s.ready(0 if stream.credit > 0 else 1):
            s.take()
        if stream.credit <= 0:
            return b""
        left = s.put_what_goes(stream, bytes([stream.sent % 251]) * size)
        if left:
            return left
    must(False, "%d packets of %d bytes were taken for one that reads nothing", stream.sent, size)
    return b""


@case(V1, "a destination that takes nothing stops the client; all arrives when it reads again")
def back_pressure(t):
    s = t.session()
    stream, sock = s.tcp()
    left = stall(s, stream, 65536, 128 << 20)
    drain = Drain(sock, stream.sent * 65536)
    s.ws.send_raw(left)
    s.until(lambda: stream.credit > 0, "CONTINUE, when the destination reads again")
    data = drain.all()
    must(all(data[i * 65536] == i % 251 for i in range(stream.sent)), "out of order")


@case(V1, "no CONTINUE while the destination takes nothing: small packets stop by credit alone")
def credit_stops(t):
    s = t.session()
    stream, sock = s.tcp()
    left = stall(s, stream, 1024, 64 << 20)
    must(stream.credit == 0 and not left, "the server does not read, with credit left")
    drain = Drain(sock, stream.sent * 1024)
    s.until(lambda: stream.credit > 0, "CONTINUE, when the destination reads again")
    data = drain.all()
    must(all(data[i * 1024] == i % 251 for i in range(stream.sent)), "out of order")


@case(PRACTICE, "a stream that was stopped with packets of 1 KiB holds up no other")
def no_head_of_line(t):
    s = t.session()
    stalled, _ = s.tcp()
    other, sock = s.tcp()
    stall(s, stalled, 1024, 64 << 20)
    s.echo(other, sock, b"still here")


@case(PRACTICE, "the same with a client that sends all it may before it reads, as wisp-js does")
def no_head_of_line_bursts(t):
    s = t.session()
    stalled, _ = s.tcp()
    other, sock = s.tcp()
    while stalled.credit > 0 or s.ready(1):
        must(stalled.sent < 65536, "64 MiB were taken for one that reads nothing")
        if stalled.credit > 0:
            must(not s.put_what_goes(stalled, bytes(1024)), "the server does not read")
        else:
            s.take()
    s.echo(other, sock, b"still here")


@case(PRACTICE, "a client that sends beyond its credit loses nothing and is not thrown out")
def over_credit(t):
    s = t.session()
    stream, sock = s.tcp()
    n = s.initial * 8
    drain = Drain(sock, n * 100)
    for i in range(n):
        stream.put(bytes([i % 251]) * 100)
    data = drain.all()
    must(all(data[i * 100] == i % 251 for i in range(n)), "out of order")
    s.barrier()


@case(PRACTICE, "the same before the connection is made")
def over_credit_early(t):
    s = t.session()
    stream = s.ask(t.tcp.host, t.tcp.port)
    n = s.initial * 4
    for i in range(n):
        stream.put(bytes([i % 251]) * 100)
    data = Drain(t.tcp.accept(), n * 100).all()
    must(all(data[i * 100] == i % 251 for i in range(n)), "out of order")
    s.barrier()


@case(CHOICE, "the same to a destination that takes nothing for a while: the client is held up")
def over_credit_stalled(t):
    s = t.session()
    stream, sock = s.tcp()
    s.ws.sock.settimeout(30)
    n, block = s.initial * 2, 65536
    seen = []

    def reader():
        time.sleep(0.5)
        drain = Drain(sock, n * block)
        drain.join(30)
        seen.append(b"".join(drain.parts))

    thread = threading.Thread(target=reader, daemon=True)
    thread.start()
    for i in range(n):
        stream.put(bytes([i % 251]) * block)
    thread.join(30)
    must(seen and len(seen[0]) == n * block, "not all arrived")
    must(all(seen[0][i * block] == i % 251 for i in range(n)), "out of order")
    s.barrier()


@case(PRACTICE, "a client that does not read holds up the destination within 64 MiB")
def slow_client(t):
    s = t.session(rcvbuf=65536)
    stream, sock = s.tcp()
    sock.setblocking(False)
    block, sent = bytes(262144), 0
    while sent < 64 << 20 and select.select([], [sock], [], 1)[1]:
        try:
            sent += sock.send(block)
        except BlockingIOError:
            pass
    must(sent < 64 << 20, "%d MiB were taken for a client that reads nothing", sent >> 20)
    sock.setblocking(True)
    sock.close()
    stream.wait_data(sent)
    stream.wait_closed()
    must(stream.closed_at == sent, "%d of %d bytes came", stream.closed_at, sent)


@case(PRACTICE, "a destination's flood lets the client's own bytes through")
def flood_down(t):
    s = t.session()
    flooded, source = s.tcp()
    other, sock = s.tcp()
    threading.Thread(target=flood, args=(source,), daemon=True).start()
    flooded.wait_data(1 << 20)
    for i in range(5):
        s.echo(other, sock, b"%d" % i)
    flooded.close()
    s.barrier()


def flood(sock):
    try:
        while True:
            sock.sendall(bytes(65536))
    except OSError:
        pass
