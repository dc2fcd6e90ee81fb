#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""The broker alone, whose helpers come and go: what was asked is asked again, what another
policy says is not taken, and who hangs up costs little."""

import os
import select
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import brokerbox
import brokercase
import suite
import tap
from brokerbox import receive_fd
from brokercase import policy, target


class Helpers(brokercase.Case):
    seconds = 120

    def again(self, b, name):
        """The helper of that name hangs up; the broker connects to the next one."""
        b.peers.pop(name).close()
        b.doors[name].settimeout(10)
        b.peers[name] = b.doors[name].accept()[0]

    def test_a_lookup_is_asked_of_the_next_resolver(self):
        server, port = target()
        with brokerbox.Broker(policy(), answer_names=lambda host: None) as b:
            session = b.session()
            b.ends[session].send(brokerbox.open_(b"inner.test", port))
            b.pump(until=lambda: b.lookups)
            self.again(b, "resolver")
            b.answer_names = lambda host: ["127.0.0.1"]
            b.pump(until=lambda: self.ready(b, session), watch=b.ends[session])
            self.assertEqual(b.lookups, ["inner.test"] * 2)
            _, fds = receive_fd(b.ends[session])
            self.assertEqual(server.accept()[1], socket.socket(fileno=fds[0]).getsockname())

    def test_a_lookup_of_a_session_that_lost_its_grant(self):
        """A reload takes the grant; then another resolver is asked what waits."""
        two = policy()
        two["grants"]["other"] = suite.grant(auth=suite.tokens(suite.TOKEN))
        one = dict(two, grants={"other": two["grants"]["other"]})
        with brokerbox.Broker(two, answer_names=lambda host: None) as b:
            session = b.session()
            b.ends[session].send(brokerbox.open_(b"a.example.test", 80))
            b.pump(until=lambda: b.lookups)
            b.reload(one)
            self.again(b, "resolver")
            b.pump(until=lambda: b.of(session, "refused"))
            b.settle()
            self.assertIsNone(b.process.poll())

    def test_a_token_is_asked_of_the_next_authenticator(self):
        with brokerbox.Broker(policy()) as b:
            held = []
            b.take_verify = held.append
            session = b.session("ASKED")
            b.pump(until=lambda: held)
            self.again(b, "authenticator")
            b.pump(until=lambda: len(held) == 2)
            self.assertEqual(held[0], held[1])
            b.peers["authenticator"].send(b.verdict(session))
            b.pump(until=lambda: session in b.granted)
            # It is asked once, and never again.
            del held[:]
            self.again(b, "authenticator")
            b.settle()
            self.assertEqual(held, [])

    def test_a_verdict_of_another_policy_is_none(self):
        """The one in force may ask for more than the one by which it was judged."""
        with brokerbox.Broker(policy()) as b:
            held = []
            b.take_verify = held.append
            session = b.session("ASKED")
            b.pump(until=lambda: held)
            old = b.verdict(session)
            changed = policy()
            changed["grants"]["demo"]["allow"] = [suite.to("10.0.0.0/8:*")]
            b.reload(changed)
            b.pump(until=lambda: b.verdict(session) != old)  # HELLO_OK tells of the new one
            b.peers["authenticator"].send(old)
            self.again(b, "authenticator")
            b.pump(until=lambda: len(held) == 2)
            self.assertNotIn(session, b.granted)
            b.peers["authenticator"].send(b.verdict(session))
            b.pump(until=lambda: session in b.granted)
            record, = b.of(session, "authenticated")
            self.assertEqual(record["generation"], 2)

    def test_one_that_hangs_up_is_not_asked_at_each_message(self):
        with brokerbox.Broker(policy()) as b:
            session = b.session()
            door = b.doors["resolver"]
            b.peers.pop("resolver").close()
            door.setblocking(False)
            connections, sent, end = 0, 0, time.monotonic() + 2
            while time.monotonic() < end:
                try:
                    door.accept()[0].close()
                    connections += 1
                except BlockingIOError:
                    pass
                if select.select([], [b.ends[session]], [], 0.001)[1] and sent < 20000:
                    b.ends[session].send(brokerbox.end(1))
                    sent += 1
            self.assertGreater(sent, 200)
            # One for each turn of 50 ms, one for a worker's first message in it.
            self.assertLess(connections, 200)
            self.assertIsNone(b.process.poll())


if __name__ == "__main__":
    sys.exit(tap.main())
