#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The broker alone: what it hands over, and nothing before its record is stored; cases 81, 82."""

import os
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import brokerbox
import brokercase
import suite
import tap
from brokerbox import open_, receive_fd
from brokercase import policy, target
from ipcwire import REASON_WORDS, number_of


class HandOver(brokercase.Case):
    seconds = 120

    def test_no_descriptor_before_its_record_is_stored(self):
        server, port = target()
        with brokerbox.Broker(policy()) as b:
            session = b.session()
            b.store = False
            b.ends[session].send(open_("127.0.0.1", port))
            b.pump(until=lambda: b.of(session, "granted"))
            server.accept()[0].close()
            b.ends[session].settimeout(0.5)
            self.assertRaises(socket.timeout, receive_fd, b.ends[session])
            b.ends[session].settimeout(10)
            b.store_all()
            message, fds = receive_fd(b.ends[session])
            self.assertEqual(struct.unpack_from("=I", message)[0], number_of("OPENED"))
            self.assertEqual(len(fds), 1)
            os.close(fds[0])
            b.store = True
            b.finish(session)

    def test_no_grant_before_its_record_is_stored(self):
        with brokerbox.Broker(policy(), store=False) as b:
            session = b.new_session()
            b.ends[session].send(brokerbox.auth())
            b.pump(until=lambda: b.of(session, "authenticated"))
            b.ends[session].settimeout(0.5)
            self.assertRaises(socket.timeout, b.ends[session].recv, 1)
            b.ends[session].settimeout(10)
            b.store = True
            b.store_all()
            b.pump(until=lambda: session in b.granted)

    def test_81_a_kept_copy_is_dead_after_the_end(self):
        server, port = target()
        with brokerbox.Broker(policy()) as b:
            session = b.session()
            message, (fd,) = self.open_stream(b, session, port)
            far = server.accept()[0]
            stream = struct.unpack_from("=III", message)[2]
            os.write(fd, b"hello")
            self.assertEqual(far.recv(5), b"hello")
            b.ends[session].send(brokerbox.end(stream))
            far.settimeout(10)
            self.assertEqual(far.recv(5), b"")
            far.close()
            b.pump(until=lambda: b.of(session, "stream-end"))
            self.assertRaises(OSError, os.write, fd, b"more")
            self.assertEqual(os.read(fd, 10), b"")
            os.close(fd)
            self.assertEqual(b.of(session, "stream-end")[0]["bytes_up"], 5)
            b.finish(session)

    def test_82_answers_to_nobody_are_nothing(self):
        """END for streams that are not this session's."""
        server, port = target()
        with brokerbox.Broker(policy()) as b:
            one, other = b.session(), b.session()
            message, (fd,) = self.open_stream(b, one, port)
            far = server.accept()[0]
            stream = struct.unpack_from("=III", message)[2]
            for number in (stream, 0, 99, 0xffffffff):
                b.ends[other].send(brokerbox.end(number))
            b.settle()
            os.write(fd, b"alive")
            self.assertEqual(far.recv(5), b"alive")
            os.close(fd)
            self.assertTrue(b.alive(other))
            far.close()

    def test_each_request_ends_in_one_record(self):
        server, port = target()
        with brokerbox.Broker(policy(), answer_names=lambda host: None) as b:
            session = b.session()
            for tag in range(5):  # names that are never answered
                b.ends[session].send(open_("a.example.test", port, tag))
            b.ends[session].send(open_("127.0.0.1", port, 9))
            b.pump(until=lambda: b.of(session, "granted") and len(b.lookups) == 5)
            b.finish(session)
            self.assertEqual(len(b.of(session, "refused")), 5)
            self.assertEqual(len(b.of(session, "stream-end")), 1)
            self.assertEqual(len(b.of(session, "session-end")), 1)

    def test_worker_gone_resets_its_streams(self):
        server, port = target()
        with brokerbox.Broker(policy()) as b:
            session = b.session()
            _, (fd,) = self.open_stream(b, session, port)
            far = server.accept()[0]
            os.close(fd)
            b.finish(session, code=0)
            far.settimeout(10)
            self.assertRaises(ConnectionResetError, far.recv, 1)

    def test_a_lost_auditor_gets_again_what_it_did_not_store(self):
        server, port = target()
        with brokerbox.Broker(policy()) as b:
            session = b.session()
            b.store = False
            b.ends[session].send(open_("127.0.0.1", port))
            b.pump(until=lambda: b.of(session, "granted"))
            b.peers["auditor"].close()
            b.peers["auditor"] = b.doors["auditor"].accept()[0]
            b.waiting, b.store = [], True
            instance = b.instance
            b.hello()
            self.assertEqual(b.instance, instance)
            b.pump(until=lambda: self.ready(b, session), watch=b.ends[session])
            message, fds = receive_fd(b.ends[session])
            self.assertEqual(struct.unpack_from("=I", message)[0], number_of("OPENED"))
            os.close(fds[0])
            numbers = [r["number"] for r in b.of(session, "granted")]
            self.assertEqual(numbers, [numbers[0]] * 2)

    def test_without_an_auditor_nothing_is_granted(self):
        server, port = target()
        with brokerbox.Broker(policy()) as b:
            session = b.session()
            b.peers.pop("auditor").close()
            b.doors["auditor"].close()
            other = b.new_session()
            b.ends[other].send(brokerbox.auth())
            kind, _, reason = struct.unpack_from("=III", b.ends[other].recv(65536))
            self.assertEqual((kind, REASON_WORDS[reason]), (number_of("REFUSED"), "auditor-lost"))
            b.ends[session].send(open_("127.0.0.1", port))
            kind, _, reason = struct.unpack_from("=III", b.ends[session].recv(65536))
            self.assertEqual((kind, REASON_WORDS[reason]), (number_of("REFUSED"), "auditor-lost"))

    # --- datagrams ----------------------------------------------------------------------------

    def udp_target(self):
        sock = socket.socket(type=socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(10)
        self.addCleanup(sock.close)
        return sock, sock.getsockname()[1]

    def open_udp(self, b, session, port, beside=0):
        b.ends[session].send(brokerbox.open_raw(brokerbox.number("127.0.0.1", port), b"", 1,
                                                brokerbox.UDP, beside=beside))
        b.pump(until=lambda: self.ready(b, session), watch=b.ends[session])
        message, fds = receive_fd(b.ends[session])
        self.assertEqual(struct.unpack_from("=I", message)[0], number_of("OPENED"))
        sock = socket.socket(fileno=fds[0])
        self.addCleanup(sock.close)
        return sock, struct.unpack_from("=III", message)[2]

    def test_datagrams(self):
        rules = policy()
        rules["grants"]["demo"]["allow"] = [
            suite.to("127.0.0.1:*", protocols=["udp"]),
            suite.to("inner.test:*", protocols=["udp"], private=True)]
        one, port = self.udp_target()
        two, other = self.udp_target()
        with brokerbox.Broker(rules) as b:
            session = b.session()
            first, id = self.open_udp(b, session, port)
            second, _ = self.open_udp(b, session, other, beside=id)
            self.assertEqual(first.getsockname()[1], second.getsockname()[1], "one near port")
            first.send(b"to one")
            second.send(b"to two")
            self.assertEqual(one.recv(100), b"to one")
            self.assertEqual(two.recv(100), b"to two")
            for peer in (one, two):  # each hears its own peer alone
                peer.sendto(b"from", first.getsockname())
            for mine in (first, second):
                mine.settimeout(10)
                self.assertEqual(mine.recv(100), b"from")
                mine.setblocking(False)
                self.assertRaises(BlockingIOError, mine.recv, 100)
            alien, _ = self.open_udp(b, b.session(), other, beside=id)
            self.assertNotEqual(alien.getsockname()[1], first.getsockname()[1])
            self.assertEqual(self.refused(b, session, "127.0.0.1", port), "no-rule", "tcp")
            # a port is shared while its stream lives, not while a name is looked up
            b.answer_names = lambda host: None
            b.ends[session].send(brokerbox.open_raw(brokerbox.number("", other), b"inner.test", 2,
                                                    brokerbox.UDP, beside=id))
            b.pump(until=lambda: b.lookups)
            b.ends[session].send(brokerbox.end(id))
            b.pump(until=lambda: b.of(session, "stream-end"))
            b.answer_lookups(["127.0.0.1"])
            b.pump(until=lambda: self.ready(b, session), watch=b.ends[session])
            message, fds = receive_fd(b.ends[session])
            late = socket.socket(fileno=fds[0])
            self.addCleanup(late.close)
            self.assertNotEqual(late.getsockname()[1], first.getsockname()[1])
            self.assertRaises(OSError, first.send, b"dead")  # and so is every copy, and deaf
            one.sendto(b"late", first.getsockname())
            self.assertRaises(BlockingIOError, first.recv, 100)
            self.assertEqual(b.of(session, "stream-end")[0]["protocol"], brokerbox.UDP)
            second.send(b"lives")
            self.assertEqual(two.recv(100), b"lives")


if __name__ == "__main__":
    sys.exit(tap.main())
