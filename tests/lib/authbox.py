# SPDX-License-Identifier: ISC
"""The authenticator, alone: a policy for it, tokens, and the signing of them."""

import base64
import hashlib
import hmac
import json
import os
import random
import shutil
import tempfile
import time
import unittest

import ipcwire as wire

KEY = b"k3y-" + bytes(range(128, 172))
OTHER_KEY = os.urandom(48)
TOKENS = ["correct-horse-battery-staple", "second-token-of-the-page", "another-grants-token"]
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


class Judging(Case):
    """One authenticator for all tests of a class."""

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

    def refused(self, token):
        self.assertEqual(self.jwt(token), WRONG, token[:200])
