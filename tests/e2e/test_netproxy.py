#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The netproxy dialect, as its clients know it; cases 43 to 51."""

import base64
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import places
import suite
import tap
import targets
import wsclient
from netproxy import RULES, Talk


class Netproxy(suite.SuiteCase):
    rules = RULES

    def talk(self, **how):
        return Talk(self.suite, **how)

    def is_error(self, message, id=None):
        self.assertEqual(message["t"], "error", message)
        self.assertTrue(message["msg"])
        if id is None:
            self.assertNotIn("id", message)
        else:
            self.assertEqual(message["id"], id)
        return message["msg"]

    def alive(self, talk, port, id=99):
        """Whatever was refused before: the session goes on."""
        self.assertEqual(talk.open(id, port), {"t": "opened", "id": id})
        talk.write(id, b"alive")
        self.assertEqual(talk.read(id, 5), b"alive")
        self.assertEqual(talk.ask({"t": "close", "id": id}), {"t": "closed", "id": id})

    # --- the conversation -------------------------------------------------------------

    def test_open_write_data_close(self):
        with targets.Echo() as target, self.talk() as talk:
            for host in ("127.0.0.1", "localhost"):
                self.assertEqual(talk.open(1, target.port, host), {"t": "opened", "id": 1})
                data = os.urandom(50000)
                talk.write(1, data)
                self.assertEqual(talk.read(1, len(data)), data)
                self.assertEqual(talk.ask({"t": "close", "id": 1}), {"t": "closed", "id": 1})
            self.assertTrue(target.wait_seen(1).eof)

    def test_the_service_ends(self):
        with targets.Source(70000, seed=4) as target, self.talk() as talk:
            self.assertEqual(talk.open(7, target.port), {"t": "opened", "id": 7})
            self.assertEqual(talk.read(7, 70000), targets.pattern(4, 70000))
            self.assertEqual(talk.hear(), {"t": "closed", "id": 7})

    def test_several_streams_do_not_mix(self):
        with targets.Echo() as target, self.talk() as talk:
            for id in range(1, 8):
                self.assertEqual(talk.open(id, target.port)["t"], "opened")
            for id in range(1, 8):
                talk.write(id, bytes([id]) * 1000)
            got = {}
            while sum(map(len, got.values())) < 7000:
                message = talk.hear()
                got[message["id"]] = got.get(message["id"], b"") + base64.b64decode(message["b64"])
            self.assertEqual(got, {id: bytes([id]) * 1000 for id in range(1, 8)})

    def test_any_path_form_and_subprotocol(self):
        with self.talk(path="/netproxy/") as talk:
            self.is_error(talk.ask({"t": "x"}))
        with self.talk(protocols=["one", "two"]) as talk:
            self.assertEqual(talk.ws.answer.header("sec-websocket-protocol"), "one")

    def test_tokens(self):
        with targets.Echo() as target:
            for how in ({"path": "/netproxy?token=" + suite.TOKEN},
                        {"headers": [("Authorization", "Bearer " + suite.TOKEN)]}):
                with self.subTest(how), self.talk(**how) as talk:
                    self.alive(talk, target.port)
        with self.suite.connect("/netproxy?token=wrong") as client:
            self.assertEqual(client.recv_close()[0], 4001)

    # --- refusals -----------------------------------------------------------------------------

    def test_destinations_that_are_refused(self):
        with targets.Echo() as target, targets.closed_port() as closed, self.talk() as talk:
            for id, (host, port) in enumerate((
                    ("10.0.0.1", 80), ("127.0.0.1", 22), ("127.0.0.1", 9), ("127.0.0.2", 80),
                    ("169.254.169.254", 80), ("::ffff:127.0.0.1", target.port),
                    ("127.1", target.port), ("nowhere.invalid", 80),
                    ("127.0.0.1", closed.getsockname()[1]))):
                with self.subTest(host=host, port=port):
                    self.is_error(talk.open(id, port, host), id)
            self.alive(talk, target.port)

    def test_unknown_things(self):
        with targets.Echo() as target, self.talk() as talk:
            self.is_error(talk.ask({"t": "write", "id": 5, "b64": "eA=="}), 5)
            talk.say({"t": "close", "id": 5})  # no answer to that
            self.is_error(talk.ask({"t": "what", "id": 6}), 6)
            for text in ("null", "[]", "1", '"x"', "{", "", "{}x", "nonsense"):
                with self.subTest(text):
                    self.is_error(talk.ask(text))
            self.alive(talk, target.port)

    def test_too_many_streams(self):
        with targets.Echo() as target, self.talk() as talk:
            for id in range(8):
                self.assertEqual(talk.open(id, target.port)["t"], "opened")
            self.is_error(talk.open(8, target.port), 8)
            self.assertEqual(talk.ask({"t": "close", "id": 0}), {"t": "closed", "id": 0})
            self.assertEqual(talk.open(9, target.port), {"t": "opened", "id": 9})

    def test_open_right_behind_closed(self):
        """With one place: 200 connections one after the other, and none is one too many,
        whichever side ends first and however long the service takes for it."""
        def late(sock, seen):
            targets.drain(sock, seen)
            time.sleep(0.3)

        def first(sock, seen):
            sock.sendall(b"that is all")
        rules = suite.policy({"one": suite.grant(limits={"channels": 1})})
        with suite.Suite(rules) as one:
            for serve, count in ((first, 200), (targets.drain, 200), (late, 10)):
                with self.subTest(serve), targets.Target(serve) as target, Talk(one) as talk:
                    for id in range(count):
                        self.assertEqual(talk.open(id, target.port), {"t": "opened", "id": id})
                        if serve != first:
                            talk.say({"t": "close", "id": id})
                        message = talk.hear()
                        if message["t"] == "data":
                            message = talk.hear()
                        self.assertEqual(message, {"t": "closed", "id": id})
            self.assertEqual(one.records("refused"), [])

    def test_many_requests_in_one_piece(self):
        """As many as can be read at once: each is answered, and on record, whatever of
        them there is a place for."""
        with targets.Hold() as target, self.talk() as talk:
            text = '{"t":"open","id":%d,"host":"127.0.0.1","port":%d}'
            before = len(self.suite.records("refused", reason="channels-limit"))
            talk.ws.send_raw(b"".join(
                wsclient.frame(wsclient.TEXT, (text % (id, target.port)).encode())
                for id in range(100)))
            answers = {}
            while len(answers) < 100:
                message = talk.hear()
                if message["t"] != "data":
                    self.assertNotIn(message["id"], answers)
                    answers[message["id"]] = message["t"]
            self.assertEqual(list(answers.values()).count("opened"), 8)
            self.suite.wait_record("refused", reason="channels-limit", count=before + 92)
            self.assertEqual(
                len(self.suite.records("refused", reason="channels-limit")), before + 92)

    # --- 43 to 51 ---------------------------------------------------------------------------------

    def test_43_deep_nesting(self):
        with targets.Echo() as target, self.talk() as talk:
            for text in ("[" * 10000 + "]" * 10000, '{"a":' * 10000 + "1" + "}" * 10000,
                         '{"t":"open","id":1,"x":' + "[" * 40 + "]" * 40 + "}"):
                with self.subTest(text[:30]):
                    self.is_error(talk.ask(text))
            self.alive(talk, target.port)

    def test_44_duplicate_members(self):
        with targets.Echo() as target, self.talk() as talk:
            for text in ('{"t":"open","id":1,"id":2,"host":"127.0.0.1","port":%d}',
                         '{"t":"open","id":1,"host":"10.0.0.1","host":"127.0.0.1","port":%d}',
                         '{"t":"open","id":1,"host":"127.0.0.1","port":22,"port":%d}',
                         '{"t":"open","id":1,"host":"127.0.0.1","port":%d,"\\u0070ort":22}'):
                with self.subTest(text):
                    self.assertEqual(talk.ask(text % target.port)["t"], "error")
            self.assertEqual(target.seen, [])
            self.alive(talk, target.port)

    def test_45_ids(self):
        with targets.Echo() as target, self.talk() as talk:
            for id in ("-1", "1.5", "1e400", "9007199254740993", "18446744073709551616", "1e2",
                       "null", "true", "[]", "{}", "-0"):
                with self.subTest(id):
                    self.assertEqual(talk.ask(
                        '{"t":"open","id":%s,"host":"127.0.0.1","port":%d}' % (id, target.port)
                    )["t"], "error")
            self.assertEqual(target.seen, [])
            self.alive(talk, target.port)
            self.alive(talk, target.port, id=2**53 - 1)

    def test_45_ports(self):
        with targets.Echo() as target, self.talk() as talk:
            for port in ("0", "65536", "-1", "443.0", '"443"', "4.43e2", "null", "true",
                         "%d.0" % target.port, '"%d"' % target.port,
                         str(65536 + target.port), str(2**32 + target.port)):
                with self.subTest(port):
                    self.is_error(talk.ask(
                        '{"t":"open","id":1,"host":"127.0.0.1","port":%s}' % port), 1)
            self.assertEqual(target.seen, [])
            self.alive(talk, target.port)

    def test_46_base64(self):
        with targets.Echo() as target, self.talk() as talk:
            self.assertEqual(talk.open(1, target.port)["t"], "opened")
            for bad in ("eA", "eA=", "eA===", "e A==", "eA==\n", "-_-_", "eB==", "e=A=", "=eA=",
                        "eA==eA==", "eHh=", "é===", "eHg"):
                with self.subTest(bad):
                    self.is_error(talk.ask({"t": "write", "id": 1, "b64": bad}), 1)
            talk.say({"t": "write", "id": 1, "b64": ""})
            talk.write(1, b"good")
            self.assertEqual(talk.read(1, 4), b"good")
            self.assertEqual(target.seen[0].received, 4)

    def test_46_a_huge_message(self):
        with self.talk() as talk:
            head = b'{"t":"write","id":1,"b64":"'
            talk.ws.send_raw(wsclient.frame(wsclient.TEXT, head, length=64 << 20))
            self.assertEqual(talk.ws.recv_close()[0], 1009)

    def test_47_ids_in_use(self):
        with targets.Echo() as target, targets.Hold() as other, self.talk() as talk:
            self.assertEqual(talk.open(1, target.port)["t"], "opened")
            self.is_error(talk.open(1, other.port), 1)
            talk.write(1, b"first")
            self.assertEqual(talk.read(1, 5), b"first")
            self.assertEqual(other.seen, [])

    def test_47_writes_while_connecting(self):
        """They are kept, bounded, and in order if the stream opens."""
        with targets.Echo() as target, self.talk() as talk:
            talk.say({"t": "open", "id": 1, "host": "127.0.0.1", "port": target.port})
            for i in range(100):
                talk.write(1, b"%03d" % i)
            first = talk.hear()
            self.assertEqual(first["t"], "opened")
            self.assertEqual(talk.read(1, 300), b"".join(b"%03d" % i for i in range(100)))

    def test_49_writes_without_end_before_the_connect(self):
        with targets.Echo() as target, targets.Blackhole() as hole, self.talk() as talk:
            pid = self.suite.sessions()[-1]
            talk.say({"t": "open", "id": 1, "host": "127.0.0.1", "port": hole.port})
            errors = 0
            talk.ws.sock.settimeout(20)
            for _ in range(10000):
                talk.write(1, bytes(2000))
            message = talk.hear()
            while message["t"] == "error" and message["id"] == 1:
                errors += 1
                resident = suite.status_of(pid)["VmRSS"]
                self.assertLess(int(resident.split()[0]), 16384)
                if errors == 1:
                    talk.say({"t": "open", "id": 50, "host": "127.0.0.1", "port": target.port})
                message = talk.hear()
            self.assertGreater(errors, 0)
            self.assertEqual(message, {"t": "opened", "id": 50})

    def test_50_binary_messages(self):
        with self.talk() as talk:
            talk.ws.send(b'{"t":"close","id":1}')
            self.assertEqual(talk.ws.recv_close()[0], 1003)

    def test_51_hosts_of_the_wrong_grammar(self):
        with targets.Echo() as target, self.talk() as talk:
            for host in places.MALFORMED:
                with self.subTest(repr(host)):
                    self.is_error(talk.open(3, target.port, host), 3)
            for text in ('{"t":"open","id":3,"port":80}', '{"t":"open","id":3,"host":1,"port":80}',
                         '{"t":"open","id":3,"host":null,"port":80}'):
                self.is_error(talk.ask(text), 3)
            self.assertEqual(target.seen, [])
            self.alive(talk, target.port)

    def test_51_each_refusal_is_on_record(self):
        """The broker refuses a malformed host, on record as it was written; the client
        is told why if its grant explains, and else no more than of any other."""
        for path, grant in (("/netproxy", "open"), ("/netproxy?token=" + suite.TOKEN, "key")):
            with Talk(self.suite, path) as talk:
                for host in places.MALFORMED:
                    with self.subTest(host=repr(host), grant=grant):
                        kept = host.replace("\0", "?") or " ..."
                        if len(kept) > 255:
                            kept = kept[:251] + " ..."
                        before = len(self.suite.records("refused", host=kept))
                        said = self.is_error(talk.open(3, 80, host), 3)
                        record = self.suite.wait_record("refused", host=kept, count=before + 1)
                        self.assertEqual((record["grant"], record["peer_port"]), (grant, 80))
                        if grant == "key":
                            told = "Connection failed: the destination is not available"
                        elif host in places.MALFORMED[-2:]:
                            told = ("Connection failed: no rule of the policy allows the "
                                    "destination")
                        else:
                            told = ("DNS resolution failed for %s: the destination is not a "
                                    "valid name or address" % kept)
                        self.assertEqual(said, told)
                        self.assertEqual(record["reason"], "no-rule" if host in places.MALFORMED[-2:]
                                         else "name-invalid")


if __name__ == "__main__":
    sys.exit(tap.main())
