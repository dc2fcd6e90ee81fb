# SPDX-License-Identifier: ISC
"""What is no Wisp: it opens nothing, and either is passed over or ends the session in order."""

import struct

import wsclient
from cases import CHOICE, PRACTICE, V1, case
from wire import CLOSE, CONNECT, CONTINUE, DATA, connect_packet, must, packet, read_exactly


def either(t, data, opcode=wsclient.BINARY):
    """The session goes on, or a close frame ends it; a new session is served in any case."""
    s = t.session()
    s.send(data, opcode)
    if not s.serves():
        s = t.session()
        s.barrier()


@case(PRACTICE, "a packet shorter than its head is passed over, or ends the session in order")
def short_head(t):
    for n in range(5):
        either(t, bytes([DATA, 1, 0, 0, 0])[:n])


@case(PRACTICE, "the same for CONNECT without type or port")
def short_connect(t):
    for n in range(3):
        either(t, packet(CONNECT, 1, bytes([1, 80, 0])[:n]))


@case(PRACTICE, "the same for CONTINUE and CLOSE without their number")
def short_others(t):
    either(t, packet(CLOSE, 1))
    either(t, packet(CONTINUE, 1, bytes(3)))


@case(PRACTICE, "the same for types that nobody knows")
def unknown_type(t):
    for kind in (0, 6, 0x7F, 0xFF):
        either(t, packet(kind, 1, b"something"))


@case(PRACTICE, "the same for INFO in version 1")
def info_in_v1(t):
    either(t, packet(5, 0, b"\2\0"))


@case(CHOICE, "a packet that is too short ends the session with 1002")
def short_closes(t):
    for data in (b"", packet(DATA, 1)[:4], packet(CONNECT, 1, b"\1"), packet(0x7F, 1)):
        s = t.session()
        s.send(data)
        code, _ = s.ws.recv_close()
        must(code == 1002, "close code %d", code)


@case(V1, "a text message is never taken for a packet")
def text_message(t):
    s = t.session()
    s.send(connect_packet(1, t.tcp.host, t.tcp.port), wsclient.TEXT)
    t.tcp.nobody()


@case(CHOICE, "a text message ends the session with 1003")
def text_closes(t):
    s = t.session()
    s.ws.send_text("hello")
    code, _ = s.ws.recv_close()
    must(code == 1003, "close code %d", code)


@case(V1, "a packet in many fragments is one packet")
def fragments(t):
    s = t.session()
    stream = s.expect(1)
    data = connect_packet(1, t.tcp.host, t.tcp.port)
    for i, byte in enumerate(data):
        s.ws.send_raw(wsclient.frame(wsclient.CONTINUATION if i else wsclient.BINARY,
                                     bytes([byte]), fin=i == len(data) - 1))
    sock = t.tcp.accept()
    data = packet(DATA, 1, b"in parts")
    for i, byte in enumerate(data):
        s.ws.send_raw(wsclient.frame(wsclient.CONTINUATION if i else wsclient.BINARY,
                                     bytes([byte]), fin=i == len(data) - 1))
        if i == 3:
            s.send(b"between", wsclient.PING)
    must(read_exactly(sock, 8) == b"in parts", "other bytes arrived")
    s.echo(stream, sock, b"and on")
    must(s.ws.pongs == [b"between"], "pongs %s", s.ws.pongs)


@case(V1, "fields are little-endian: the port and the id read the other way open nothing")
def little_endian(t):
    s = t.session()
    stream = s.expect(0x01020304)
    s.send(bytes([CONNECT, 4, 3, 2, 1, 1]) + struct.pack("<H", t.tcp.port) +
           t.tcp.host.encode())
    sock = t.tcp.accept()
    s.echo(stream, sock, b"right way round")
