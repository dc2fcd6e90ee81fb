#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""sockward-authenticator alone: who gets which grant; cases 135-142, 146, 147. And how
`sockward run` comes by its keys."""

import base64
import contextlib
import hashlib
import hmac
import json
import os
import random
import shutil
import signal
import stat
import struct
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import ipcwire as wire
import story
import suite
import tap
import targets
import wsclient

KEY = b"k3y-" + bytes(range(128, 172))
OTHER_KEY = os.urandom(48)
TOKENS = ["correct-horse-battery-staple", "second-token-of-the-page", "another-grants-token"]
RAW, NETPROXY, WISP = 1, 2, 5
WRONG = ("token-wrong", "", "", 0)


def digest(token):
    return "sha256:" + hashlib.sha256(token.encode()).hexdigest()


def jwt_auth(key_file, audience="sockward"):
    return {"algorithm": "HS256", "key_file": key_file, "issuer": "https://id.test",
            "audience": audience}


def policy(key_file="jwt.key", **more):
    grants = {
        "page": {"auth": {"tokens": [digest(t) for t in TOKENS[:2]]},
                 "origins": ["https://app.test", "http://127.0.0.1:8080"]},
        "tool": {"auth": {"tokens": [digest(TOKENS[2])]}, "origins": ["none"]},
        "open": {"auth": "none", "origins": ["*", "none"]},
        "users": {"auth": {"jwt": jwt_auth(key_file)}, "origins": ["none"]},
        "other": {"auth": {"jwt": jwt_auth(key_file, "elsewhere")}, "origins": ["none"]},
    }
    for grant in grants.values():
        grant["allow"] = [{"to": "example.test:443", "protocols": ["tcp"]}]
    result = {"version": 1, "hosts": ["gw.test", "127.0.0.1", "[::1]"],
              "dialects": ["raw", "netproxy"], "grants": grants}
    result.update(more)
    return result


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def encode(part):
    if isinstance(part, bytes):
        return b64(part)
    return b64((part if isinstance(part, str) else json.dumps(part)).encode())


def sign(header, payload, key=KEY, hash_name="sha256"):
    text = encode(header) + "." + encode(payload)
    return text + "." + b64(hmac.new(key, text.encode(), hash_name).digest())


HEADER = {"alg": "HS256", "typ": "JWT"}


def claims(**more):
    now = int(time.time())
    result = {"iss": "https://id.test", "aud": "sockward", "sub": "ada", "exp": now + 600}
    result.update(more)
    return {name: value for name, value in result.items() if value is not None}


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


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp(prefix="sockward-test-")
        cls.policy_file = os.path.join(cls.directory, "policy.json")
        cls.key_file = os.path.join(cls.directory, "jwt.key")
        cls.write(cls.key_file, KEY, 0o600)
        cls.write(cls.policy_file, json.dumps(policy()))
        cls.addClassCleanup(shutil.rmtree, cls.directory)

    @staticmethod
    def write(path, content, mode=0o644):
        with open(path, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        os.chmod(path, mode)


class Authenticator(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.helper = wire.Helper("authenticator", stdin=cls.policy_file).start()
        # From here on its keys are in its memory alone.
        os.unlink(cls.key_file)
        os.unlink(cls.policy_file)

    @classmethod
    def tearDownClass(cls):
        text = cls.helper.stderr()
        cls.helper.__exit__(None)
        for secret in TOKENS + [KEY.decode("latin-1")]:
            assert secret not in text

    def setUp(self):
        self.channel = self.helper.connect()

    def tearDown(self):
        self.channel.close()

    def judge(self, **handshake):
        session = random.getrandbits(64)
        answer = wire.ask(self.channel, wire.verify(session, **handshake))
        self.assertEqual(answer[0], session)
        return answer[1:]

    def jwt(self, token):
        return self.judge(token=token)

    def lives(self, mine):
        """It is right, and lives as long as it says, from when it was judged."""
        before = int(time.time())
        *said, lifetime = self.jwt(sign(HEADER, mine))
        self.assertEqual(said, ["none", "users", "ada"])
        self.assertTrue(mine["exp"] - int(time.time()) <= lifetime <= mine["exp"] - before,
                        (mine["exp"], before, lifetime))

    def refused(self, token):
        self.assertEqual(self.jwt(token), WRONG, token[:200])

    # --- host, dialect, origin, static tokens ------------------------------------------

    def test_static_tokens(self):
        for token, grant in zip(TOKENS, ("page", "page", "tool")):
            subject = "token:" + digest(token)[7:15]
            origin = "https://app.test" if grant == "page" else None
            self.assertEqual(self.judge(token=token, origin=origin), ("none", grant, subject, 0))

    def test_no_token(self):
        self.assertEqual(self.judge(), ("none", "open", "", 0))
        self.assertEqual(self.judge(origin="http://anything.test"), ("none", "open", "", 0))

    def test_wrong_tokens(self):
        right = TOKENS[0]
        wrong = [right[:i] + chr(ord(right[i]) ^ 1) + right[i + 1:] for i in range(len(right))]
        wrong += ["", right[:-1], right + "x", right.upper(), " " + right, digest(right),
                  digest(right)[7:], "x" * 4095, right + "\n"]
        for token in wrong:
            self.refused(token)

    def test_host(self):
        for host in ("gw.test", "gw.test:8086", "127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:8086"):
            self.assertEqual(self.judge(host=host)[0], "none", host)
        for host in ("", "evil.test", "gw.test.", "gw.test.evil.test", "evil.gw.test", "GW.test",
                     "gw.test:80x", "[::1", "::1", "[::2]", "127.0.0.1.evil.test", "gw.tes",
                     "gw.test:80:80", ":80"):
            self.assertEqual(self.judge(host=host)[0], "host-not-served", host)

    def test_dialect(self):
        self.assertEqual(self.judge(dialect=NETPROXY)[0], "none")
        for dialect in (0, WISP, 3, 7, 8, 31, 32, 64, 255):
            self.assertEqual(self.judge(dialect=dialect)[0], "dialect-not-enabled", dialect)

    def test_origin(self):
        good = ("https://app.test", "http://127.0.0.1:8080")
        for origin in good:
            self.assertEqual(self.judge(token=TOKENS[0], origin=origin)[0], "none")
        for origin in (None, "", "null", "http://app.test", "https://app.test/",
                       "https://app.test:443", "https://app.test.evil", "https://APP.test",
                       "http://127.0.0.1", "http://127.0.0.1:80800"):
            self.assertEqual(self.judge(token=TOKENS[0], origin=origin)[0], "origin-not-allowed")
        self.assertEqual(self.judge(token=TOKENS[2])[0], "none")
        self.assertEqual(self.judge(token=TOKENS[2], origin=good[0])[0], "origin-not-allowed")

    def test_the_order_of_refusals(self):
        self.assertEqual(self.judge(host="evil", dialect=99, token="x", origin="y")[0],
                         "host-not-served")
        self.assertEqual(self.judge(dialect=99, token="x", origin="y")[0], "dialect-not-enabled")
        self.assertEqual(self.judge(token="x", origin="y")[0], "token-wrong")

    def test_texts_without_an_end(self):
        for what in ({"host": b"x" * 256}, {"origin": b"x" * 256}, {"token": b"x" * 4096},
                     {"token": TOKENS[2].encode() + b"\0rest"}):
            self.assertEqual(self.judge(**what), ("protocol-violation", "", "", 0))

    # --- signed tokens -------------------------------------------------------------------

    def test_a_right_one(self):
        mine = claims()
        self.lives(mine)
        for header in ({"alg": "HS256"}, {"alg": "HS256", "typ": "jwt"},
                       {"typ": "JWT", "kid": "2026-01.a_b", "alg": "HS256"}):
            self.assertEqual(self.jwt(sign(header, mine))[0], "none")
        self.assertEqual(self.jwt(sign(HEADER, claims(aud="elsewhere")))[:2], ("none", "other"))
        self.assertEqual(self.jwt(sign(HEADER, claims(jti="x", nested={"a": [1, {"b": 1.5}]},
                                                      nothing=None)))[0], "none")

    def test_135_no_signature(self):
        for name in ("none", "None", "NONE", "nOnE", "", "HS256"):
            text = encode({"alg": name}) + "." + encode(claims())
            for token in (text + ".", text, text + ".AA"):
                self.refused(token)
        for name in ("none", "None", "NONE", "hs256", "HS384", "HS512", "RS256", "ES256", "", None,
                     0, ["HS256"], "HS256 ", "HS256\\u0000"):
            self.refused(sign({"alg": name}, claims()))
        self.refused(sign({"typ": "JWT"}, claims()))
        for token in (".", "..", "...", "....", "a.b", "a.b.c", ".."  + sign(HEADER, claims())):
            self.refused(token)

    def test_136_another_key(self):
        pem = b"-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0B\n-----END PUBLIC KEY-----\n"
        for key in (pem, b"", KEY[:-1], KEY + b"\n", OTHER_KEY, b64(KEY).encode(), KEY.hex().encode(),
                    b"\0" * 32):
            self.refused(sign(HEADER, claims(), key))
        for hash_name in ("sha1", "sha384", "sha512"):
            self.refused(sign(HEADER, claims(), KEY, hash_name))

    def test_137_header_members(self):
        for more in ({"kid": "../../../dev/null"}, {"kid": "x' OR 1=1--"}, {"kid": "a\0b"},
                     {"kid": "k" * 65}, {"kid": ""}, {"kid": 1}, {"kid": "/etc/passwd"},
                     {"jku": "https://evil.test/k"}, {"x5u": "https://evil.test/c"},
                     {"jwk": {"kty": "oct", "k": "AAAA"}}, {"x5c": ["AAAA"]}, {"x5t": "AA"},
                     {"crit": ["exp"]}, {"crit": []}, {"b64": False}, {"b64": True}, {"zip": "DEF"},
                     {"enc": "A128GCM"}, {"cty": "JWT"}, {"typ": "JWS"}, {"typ": 1},
                     {"typ": "JWT "}, {"unknown": 1}):
            with self.subTest(more):
                self.refused(sign(dict(HEADER, **more), claims()))
        self.refused(sign(dict(HEADER, kid="k" * 2900), claims()))

    def test_138_duplicates(self):
        payload = json.dumps(claims())
        for header in ('{"alg":"HS256","alg":"HS256"}', '{"alg":"HS256","\\u0061lg":"HS256"}',
                       '{"alg":"none","alg":"HS256"}', '{"alg":"HS256","typ":"JWT","typ":"JWT"}'):
            self.refused(sign(header, payload))
        for more in ('"sub":"root"', '"s\\u0075b":"root"', '"exp":9999999999', '"aud":"sockward"',
                     '"other":1,"other":2', '"a":{"b":1,"b":2}'):
            self.refused(sign(HEADER, payload[:-1] + "," + more + "}"))

    def test_139_times(self):
        now = int(time.time())
        for exp in (now + 2, now + 10 ** 9, 10 ** 14):
            self.lives(claims(exp=exp))
        for exp in (now, now - 1, now - 59, 0, 1):
            self.assertEqual(self.jwt(sign(HEADER, claims(exp=exp))), ("token-expired", "", "", 0))
        for name in ("nbf", "iat"):
            for good in (now + 58, now, now - 10 ** 6, 0):
                self.assertEqual(self.jwt(sign(HEADER, claims(**{name: good})))[0], "none")
            self.refused(sign(HEADER, claims(**{name: now + 70})))
        payload = json.dumps(claims(exp=1234567890123))
        for name in ("exp", "nbf", "iat"):
            base = payload[:-1] + (', "%s": 0}' % name if name != "exp" else "}")
            old = "1234567890123" if name == "exp" else "0}"
            for bad in ("1e12", "1234567890123.0", "1234567890123.5", '"1234567890123"', "-1", "-0",
                        "1e30", "9" * 40, "true", "null", "[1]", "{}", "01234567890123", "0x10",
                        "NaN", "Infinity", "+1"):
                with self.subTest(name=name, value=bad):
                    self.refused(sign(HEADER, base.replace(old, bad + old[len(old.rstrip("}")):])))
        self.refused(sign(HEADER, claims(exp=None)))

    def test_139_expiry_is_told_only_where_all_else_is_right(self):
        old = int(time.time()) - 100
        self.refused(sign(HEADER, claims(exp=old, iss="x")))
        self.refused(sign(HEADER, claims(exp=old, nbf=2 * 10 ** 9 + old)))
        self.refused(sign(HEADER, claims(exp=old), OTHER_KEY))
        self.refused(sign({"alg": "none"}, claims(exp=old)))

    def test_140_audience_and_issuer(self):
        for aud in (["sockward"], ["sockward", "x"], "Sockward", "sockward ", "", None, 1, "x",
                    {"sockward": 1}, "sockward\0"):
            self.refused(sign(HEADER, claims(aud=aud)))
        for iss in ("https://id.test/", "https://ID.test", "", None, 1, ["https://id.test"]):
            self.refused(sign(HEADER, claims(iss=iss)))
        for sub in (None, "", 1, ["ada"], {}):
            self.refused(sign(HEADER, claims(sub=sub)))

    def test_141_encodings(self):
        token = sign(HEADER, claims())
        header, payload, signature = token.split(".")
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        last = alphabet.index(signature[-1])
        for spare in range(1, 4):  # 43 characters hold 2 bits more than 32 bytes
            self.refused(token[:-1] + alphabet[last & ~3 | (last & 3) ^ spare])
        for token in (token + "=", token + "==", token.replace("-", "+") + " ", " " + token,
                      header + "." + payload + "." + signature + "\n", token + ".",
                      header + "==." + payload + "." + signature, token + "." + signature,
                      header + "." + payload + "." + signature + "." + signature + "." + signature,
                      json.dumps({"protected": header, "payload": payload, "signature": signature}),
                      header + "." + payload + "." + base64.b64encode(KEY).decode()):
            self.refused(token)
        for text in (header + "=." + payload, header + "." + payload + "=",
                     header + " ." + payload, header + "." + payload + "\t"):
            mac = b64(hmac.new(KEY, text.encode(), "sha256").digest())
            self.refused(text + "." + mac)
        # Signed by the holder of the key, and still nothing that we take.
        for payload in ("[]", "1", "null", '"x"', "", "{", json.dumps(claims()) + "x",
                        json.dumps(claims())[:-1] + ",}", "/* c */" + json.dumps(claims()),
                        json.dumps(claims())[:-1] + ' // c\n}', b"\xff" + json.dumps(claims()).encode(),
                        json.dumps(claims(sub="x"))[:-1] + ',"z":"\\ud800"}',
                        json.dumps(claims())[:-1] + ',"deep":' + "[" * 40 + "]" * 40 + "}"):
            with self.subTest(payload):
                self.refused(sign(HEADER, payload))

    def test_142_vectors(self):
        """RFC 7515, A.1 and RFC 7520, 4.4: other keys here, so refused as all others are."""
        self.refused("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA"
                     "4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92"
                     "K27uhbUJU1p1r_wW1gFWFOEjXk")

    def test_changed_anywhere(self):
        token = sign(HEADER, claims())
        rng = random.Random(3)
        for at in range(len(token)):
            self.refused(token[:at] + rng.choice("ABab01-_.=".replace(token[at], "")) + token[at + 1:])
            self.refused(token[:at] + token[at + 1:])

    def test_subjects(self):
        for sub, shown in (("ada@example.test", "ada@example.test"), ("a b", "a b"),
                           ("a\nb", "a\\x0ab"), ("\u00e9", "\\xc3\\xa9"), ("\\", "\\x5c"),
                           ("\x1b[31m", "\\x1b[31m"), ("\u202e", "\\xe2\\x80\\xae"),
                           ("x" * 127, "x" * 127)):
            self.assertEqual(self.jwt(sign(HEADER, claims(sub=sub)))[2], shown)
        for sub in ("x" * 128, "\u00e9" * 20, "token:0123abcd", "sha256:" + "0" * 64):
            hashed = "sha256:" + hashlib.sha256(sub.encode()).hexdigest()
            self.assertEqual(self.jwt(sign(HEADER, claims(sub=sub)))[2], hashed)

    # --- the channel -----------------------------------------------------------------------

    def test_illegal_messages_end_one_client(self):
        good = wire.verify()
        for message in (good[:-1], good + b"\0", struct.pack("=I", 77) + good[4:], b"x",
                        wire.lookup("a.test"), bytes(wire.TABLE["VERDICT"][1])):
            with self.helper.connect(seconds=5) as other:
                other.send(message)
                self.assertTrue(wire.cut_off(other))
        self.assertEqual(self.judge()[0], "none")

    def test_many_questions_in_a_row(self):
        self.channel.setblocking(False)
        sent = []
        try:
            while len(sent) < 2000:
                self.channel.send(wire.verify(len(sent), token=TOKENS[2]))
                sent.append(len(sent))
                time.sleep(0.0005)
        except BlockingIOError:
            pass
        self.channel.settimeout(5)
        got = [wire.unpack(self.channel.recv(4096))[1] for _ in sent]
        self.assertEqual([g[0] for g in got], sent)
        self.assertEqual({g[1:3] for g in got}, {("none", "tool")})


class Start(Case):
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
        Case.write(self.path(name + ".new"), content, mode)
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
