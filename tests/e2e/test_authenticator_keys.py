#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""How sockward-authenticator starts, and how it and `sockward run` come by its keys; cases 146, 147."""

import contextlib
import json
import os
import shutil
import signal
import stat
import struct
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import authbox
import ipcwire as wire
import story
import suite
import tap
import targets
import wsclient
from authbox import HEADER, KEY, OTHER_KEY, TOKENS, b64, claims, digest, jwt_auth, policy, sign


@contextlib.contextmanager
def passed(*keys, more=b""):
    """Keys as `sockward run` hands them on, in a descriptor out of the way of others."""
    with tempfile.TemporaryFile() as file:
        file.write(b"".join(struct.pack("=I4096s", len(key), key) for key in keys) + more)
        file.flush()
        number = os.dup2(file.fileno(), 300)
    try:
        yield ["--key-fd", str(number)]
    finally:
        os.close(number)


class Start(authbox.Case):
    def start(self, rules=None, key=None, mode=0o600, key_file=None):
        """Exit status (None: it runs) and what it says."""
        self.write(self.policy_file, rules if isinstance(rules, str) else
                   json.dumps(rules or policy(key_file or "jwt.key")))
        if key is not None:
            self.write(self.key_file, key, mode)
        elif os.path.exists(self.key_file):
            os.unlink(self.key_file)
        helper = wire.Helper("authenticator", stdin=self.policy_file)
        helper.start()
        code = helper.process.poll()
        text = helper.stderr()
        helper.__exit__(None)
        return code, text

    def test_147_keys(self):
        self.assertEqual(self.start(key=os.urandom(32))[0], None)
        self.assertEqual(self.start(key=b64(os.urandom(32)).encode() + b"\n")[0], None)
        self.assertEqual(self.start(key=os.urandom(32), mode=0o640)[0], None)
        self.assertEqual(self.start(key=KEY, key_file=self.key_file)[0], None)
        for key, mode, said in (
                (None, 0, "cannot be opened"), (b"", 0o600, "shorter"),
                (os.urandom(31), 0o600, "shorter"), (os.urandom(30) + b"x\n", 0o600, "shorter"),
                (KEY, 0o644, "open to everyone"), (KEY, 0o602, "open to everyone"),
                (KEY * 100, 0o600, "longer"), (b"\0" * 64, 0o600, "too few"),
                (b"abc" * 20, 0o600, "too few"),
                (b"a-string-secret-at-least-256-bits-long", 0o600, "anyone knows"),
                (b"0123456789abcdef0123456789abcdef\n", 0o600, "anyone knows")):
            with self.subTest(said):
                code, text = self.start(key=key, mode=mode)
                self.assertEqual(code, 1)
                self.assertIn(said, text)
        self.write(self.key_file, KEY)
        self.assertTrue(os.stat(self.key_file).st_mode & stat.S_IROTH)
        for where in ("missing/jwt.key", "/dev/zero", "/"):
            self.assertEqual(self.start(key=KEY, key_file=where)[0], 1)

    def test_where_keys_are(self):
        self.write(self.key_file, KEY, 0o600)
        self.write(self.policy_file, json.dumps(policy()))
        moved = os.path.join(tempfile.mkdtemp(prefix="sockward-test-"), "policy.json")
        os.rename(self.policy_file, moved)
        for args, code in (([], 1), (["--key-dir", self.directory], None),
                           (["--key-dir", "/nowhere"], 1)):
            helper = wire.Helper("authenticator", args, stdin=moved)
            helper.start()
            self.assertEqual(helper.process.poll(), code, helper.stderr())
            helper.__exit__(None)
        shutil.rmtree(os.path.dirname(moved))

    def test_keys_that_are_passed(self):
        """In the order of the grants; no file is looked at."""
        self.write(self.policy_file, json.dumps(policy("missing.key")))
        with passed(KEY, OTHER_KEY) as args, \
                wire.Helper("authenticator", args, stdin=self.policy_file) as helper:
            channel = helper.connect()
            for audience, key, grant in (("sockward", KEY, "users"), ("elsewhere", OTHER_KEY, "other"),
                                         ("sockward", OTHER_KEY, ""), ("elsewhere", KEY, "")):
                token = sign(HEADER, claims(aud=audience), key)
                self.assertEqual(wire.ask(channel, wire.verify(1, token=token))[2], grant)
            if os.geteuid() == 0:
                self.assertNotIn("300", os.listdir("/proc/%d/fd" % helper.process.pid))
        for keys, said in ((passed(), "not those"), (passed(KEY), "not those"),
                           (passed(KEY, KEY, KEY), "more keys"), (passed(KEY, KEY[:31]), "not those"),
                           (passed(KEY, more=bytes(4099)), "not those"),
                           (passed(KEY, KEY, more=b"x"), "more keys"),
                           (passed(KEY, more=struct.pack("=I4096s", 4097, KEY)), "not those")):
            with keys as args:
                self.refuses(args, said)
        for number in ("300", "2", "-1", "3x", "", "99999999999"):
            self.refuses(["--key-fd", number], "open descriptor")

    def refuses(self, args, said):
        with wire.Helper("authenticator", args, stdin=self.policy_file) as helper:
            self.assertEqual(helper.process.poll(), 1, args)
            self.assertIn(said, helper.stderr())

    def test_broken_policies(self):
        for rules in ("", "{", "null", json.dumps(policy(unknown=1)), "\xff"):
            self.assertEqual(self.start(rules, KEY)[0], 1)

    def test_two_grants_share_a_token(self):
        rules = policy()
        rules["grants"]["tool"]["auth"]["tokens"].append(digest(TOKENS[0]))
        self.assertEqual(self.start(rules, KEY)[0], 1)

    def test_no_grant_without_a_token(self):
        rules = policy()
        del rules["grants"]["open"]
        self.write(self.policy_file, json.dumps(rules))
        self.write(self.key_file, KEY, 0o600)
        with wire.Helper("authenticator", stdin=self.policy_file) as helper:
            channel = helper.connect()
            self.assertEqual(wire.ask(channel, wire.verify(1)), (1, "token-missing", "", "", 0))


class Run(unittest.TestCase):
    """Key files of the user who starts the suite, and of nobody else: as root, the
    authenticator's own uid may not read them, nor enter the directory."""

    seconds = 90

    def setUp(self):
        self.one = suite.Suite()
        os.mkdir(self.path("keys"), 0o700)
        self.key("keys/near.key", KEY)
        self.key("keys/far.key", OTHER_KEY)

    def path(self, name):
        return os.path.join(self.one.directory, name)

    def key(self, name, content, mode=0o600):
        authbox.Case.write(self.path(name + ".new"), content, mode)
        os.rename(self.path(name + ".new"), self.path(name))

    def ready(self, near="keys/near.key"):
        """The suite with its policy, not started: one key by its place beside the policy."""
        far = jwt_auth(self.path("keys/far.key"), "elsewhere")
        self.one.write_policy(suite.policy({"near": suite.grant(auth={"jwt": jwt_auth(near)}),
                                            "far": suite.grant(auth={"jwt": far})}))
        return self.one

    def judged(self, key, audience="sockward"):
        """The grant that a client with such a token gets, or the reason why it gets none."""
        token = sign(HEADER, claims(aud=audience), key)
        count = len(self.one.records("session-end")) + 1
        with targets.Hold() as target, \
                self.one.connect(target.path() + "?token=" + token) as client:
            try:
                client.recv_bytes(6)
                client.finish()
            except wsclient.Closed as closed:
                client.close(closed.code)
        end = self.one.wait_record("session-end", count)
        found = self.one.records("authenticated", end["session"])
        return (found[0]["grant"], found[0]["subject"]) if found else end["reason"]

    def test_files_that_only_the_user_can_read(self):
        with self.ready() as one:
            self.assertEqual(self.judged(KEY), ("near", "ada"))
            self.assertEqual(self.judged(OTHER_KEY, "elsewhere"), ("far", "ada"))
            self.assertEqual(self.judged(OTHER_KEY), "token-wrong")
            # It has them in its memory, and nothing else of the suite can reach them.
            if os.geteuid() == 0:
                for role in suite.ROLES:
                    for pid in one.processes(role):
                        links = [os.readlink("/proc/%d/fd/%s" % (pid, name))
                                 for name in os.listdir("/proc/%d/fd" % pid)]
                        self.assertEqual([link for link in links if "key" in link], [], role)
            # One that is started again gets them again, the files being gone.
            os.rename(self.path("keys"), self.path("elsewhere"))
            old = one.pid("authenticator")
            os.kill(old, signal.SIGKILL)
            suite.wait_for(lambda: [p for p in one.processes("authenticator") if p != old])
            suite.wait_for(lambda: self.judged(KEY) == ("near", "ada"), what="the same keys")
            one.stop()
            story.check(one.records())

    def test_reload_reads_them_again(self):
        with self.ready() as one:
            self.assertEqual(self.judged(KEY), ("near", "ada"))
            fresh = os.urandom(32)
            self.key("keys/near.key", fresh)
            one.process.send_signal(signal.SIGHUP)
            suite.wait_for(lambda: one.stderr().count("2 keys are known") == 2)
            suite.wait_for(lambda: self.judged(fresh) == ("near", "ada"), what="the new key")
            self.assertEqual(self.judged(KEY), "token-wrong")
            pid = one.pid("authenticator")
            for number, wrong in enumerate((b"short", b"\0" * 64, None), 1):
                if wrong is None:
                    os.unlink(self.path("keys/near.key"))
                else:
                    self.key("keys/near.key", wrong)
                one.process.send_signal(signal.SIGHUP)
                suite.wait_for(lambda: one.stderr().count("STAYS IN FORCE") == number)
                self.assertEqual(self.judged(fresh), ("near", "ada"))
            self.assertEqual(one.pid("authenticator"), pid)

    def test_no_start_without_them(self):
        """Said before any program runs."""
        self.key("keys/open.key", KEY, 0o644)
        for near, said in (("near.key", "cannot be opened"), ("keys/open.key", "open to everyone"),
                           ("/dev/zero", "no regular file"), ("keys", "no regular file")):
            with self.subTest(near):
                with open(self.one.stderr_file, "wb"):
                    pass
                with self.assertRaisesRegex(AssertionError, "ended with 1"):
                    self.ready(near).start()
                self.assertIn("grant 'near': the key file", self.one.stderr())
                self.assertIn(said, self.one.stderr())
                self.assertNotIn("layers:", self.one.stderr())
                self.one.ready = b""


if __name__ == "__main__":
    sys.exit(tap.main())
