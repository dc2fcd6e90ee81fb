# SPDX-License-Identifier: ISC
"""The handshake, of both versions."""

import uuid

import wsclient
from cases import CHOICE, PRACTICE, V1, V2, case
from wire import (CONTINUE, DATA, EXT_CONFIRM, EXT_MOTD, EXT_PASSWORD, EXT_UDP, INFO,
                  connect_packet, extension, info_packet, must, packet, read_exactly)


@case(V1, "without a subprotocol the first packet is CONTINUE on stream 0, with the credit")
def v1_credit_first(t):
    s = t.session()
    must(s.order == [(CONTINUE, 0)], "first came %s", s.order)


@case(V1, "a client that offered no subprotocol gets no INFO and none in the answer's head")
def v1_no_info(t):
    s = t.session()
    s.barrier()
    s.quiet()
    must(s.info is None, "INFO came")
    must(s.answer.header("sec-websocket-protocol") is None, "a subprotocol was answered")


@case(V1, "CONNECT and DATA that come with the upgrade request are served")
def v1_without_waiting(t):
    early = wsclient.frame(wsclient.BINARY, connect_packet(7, t.tcp.host, t.tcp.port)) + \
        wsclient.frame(wsclient.BINARY, packet(DATA, 7, b"early"))
    s = t.session(0, early=early)
    stream = s.expect(7)
    sock = t.tcp.accept()
    must(read_exactly(sock, 5) == b"early", "other bytes arrived")
    sock.sendall(b"answer")
    must(stream.wait_data(6) == b"answer", "other bytes came back")
    must(s.initial is not None, "no credit came")


@case(V2, "the subprotocol wisp-v2 is answered")
def v2_subprotocol(t):
    s = t.session(0, protocols=("wisp-v2",))
    must(s.answer.header("sec-websocket-protocol") == "wisp-v2", "another answer")


@case(PRACTICE, "the first subprotocol is answered whatever it is: epoxy offers a random UUID")
def v2_any_subprotocol(t):
    name = str(uuid.uuid4())
    s = t.session(2, protocols=(name, "second"))
    must(s.answer.header("sec-websocket-protocol") == name, "another answer")
    must(s.info is not None, "no INFO came")


@case(V2, "with a subprotocol the first packet is the server's INFO, with version 2.0")
def v2_info_first(t):
    s = t.session(0, protocols=("wisp-v2",))
    s.until(lambda: s.order, "a packet")
    must(s.order == [(INFO, 0)], "first came %s", s.order)
    must(s.info[:2] == (2, 0), "version %d.%d", *s.info[:2])


@case(V2, "INFO is filled by its extensions to the last byte, each id once")
def v2_info_layout(t):
    s = t.session(2)
    numbers = [number for number, _ in s.info[2]]
    must(len(set(numbers)) == len(numbers), "extensions %s", numbers)


@case(V2, "the extensions that the server names have the metadata that belongs to them")
def v2_metadata(t):
    s = t.session(2)
    for number, data in s.info[2]:
        if number in (EXT_UDP, EXT_CONFIRM):
            must(data == b"", "extension %d has metadata", number)
        elif number == EXT_PASSWORD:
            must(data in (b"", b"\0", b"\1"), "password: %r", data)
        elif number == EXT_MOTD:
            must(data.decode() and "\0" not in data.decode(), "no message of the day")


@case(V2, "UDP is among the extensions, and works with a client that named it")
def v2_udp(t):
    s = t.session(2)
    must((EXT_UDP, b"") in s.info[2], "extensions %s", s.info[2])
    stream, peer = s.udp()
    t.udp.sock.sendto(b"answer", peer)
    must(stream.wait_data(6) == b"answer", "another answer")


@case(V2, "there is no credit before the client's INFO")
def v2_no_credit_before(t):
    s = t.session(0, protocols=("wisp-v2",))
    s.quiet()
    must(s.order == [(INFO, 0)], "before the client's INFO came %s", s.order)


@case(V2, "after the client's INFO comes CONTINUE on stream 0")
def v2_credit_after(t):
    s = t.session(2)
    must(s.order == [(INFO, 0), (CONTINUE, 0)], "there came %s", s.order)


@case(V2, "a client without any extension is served")
def v2_no_extensions(t):
    t.session(2, extensions=b"").barrier()


@case(V2, "an extension that the server does not know is passed over")
def v2_unknown_extension(t):
    t.session(2, extensions=extension(0x7F, bytes(300)) + extension(0xF0)).barrier()


@case(V2, "a client's minor version that is higher does not matter")
def v2_minor_version(t):
    s = t.session(0, protocols=("wisp-v2",))
    s.until(lambda: s.info, "INFO")
    s.send(info_packet(minor=7))
    s.until(lambda: s.initial, "CONTINUE on stream 0")
    s.barrier()


@case(PRACTICE, "credentials that nobody asked for do not disturb: user length, user, password")
def v2_password_draft(t):
    t.session(2, extensions=extension(EXT_PASSWORD, b"\4userpass word")).barrier()


@case(PRACTICE, "the same with both lengths in front, as wisp-js and wisp-mux send them")
def v2_password_deployed(t):
    t.session(2, extensions=extension(EXT_PASSWORD, b"\4\4\0userpass")).barrier()


@case(V2, "stream open confirmation, if both name it: CONTINUE says that a TCP stream is open")
def v2_confirmation(t):
    s = t.session(2, extensions=extension(EXT_CONFIRM))
    stream, _ = s.tcp()
    if (EXT_CONFIRM, b"") in s.info[2]:
        s.until(lambda: stream.continues, "CONTINUE")
        must(stream.continues == [s.initial], "CONTINUE with %s", stream.continues)
    else:
        s.quiet()
        must(not stream.continues, "CONTINUE, though the server did not name the extension")


@case(V2, "no confirmation for a client that did not name it")
def v2_no_confirmation(t):
    s = t.session(2, extensions=extension(EXT_UDP))
    stream, _ = s.tcp()
    s.quiet()
    must(not stream.continues, "CONTINUE came")


@case(PRACTICE, "a client that offered a subprotocol and begins with CONNECT speaks version 1")
def v2_falls_back(t):
    s = t.session(0, protocols=("binary",))
    s.until(lambda: s.info, "INFO")
    stream, sock = s.tcp()
    s.until(lambda: s.initial, "CONTINUE on stream 0")
    s.echo(stream, sock, b"after all")


@case(CHOICE, "an INFO with an extension longer than the packet ends the session in order")
def v2_broken_info(t):
    s = t.session(0, protocols=("wisp-v2",))
    s.until(lambda: s.info, "INFO")
    s.send(info_packet(extension(EXT_UDP)[:1] + b"\xff\xff\xff\x7f"))
    code, _ = s.ws.recv_close()
    must(code not in (1000, 1005, 1006, 1011), "close code %d", code)


@case(CHOICE, "a second INFO of the client does not disturb, or ends the session in order")
def v2_info_twice(t):
    s = t.session(2)
    s.send(info_packet())
    s.serves()
    must(s.order.count((CONTINUE, 0)) == 1, "a second initial credit")
