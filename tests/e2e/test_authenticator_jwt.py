#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""sockward-authenticator alone: signed tokens; cases 135-142."""

import base64
import hashlib
import hmac
import json
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import authbox
import tap
from authbox import HEADER, KEY, OTHER_KEY, b64, claims, encode, sign


class Signed(authbox.Judging):
    def lives(self, mine):
        """It is right, and lives as long as it says, from when it was judged."""
        before = int(time.time())
        *said, lifetime = self.jwt(sign(HEADER, mine))
        self.assertEqual(said, ["none", "users", "ada"])
        self.assertTrue(mine["exp"] - int(time.time()) <= lifetime <= mine["exp"] - before,
                        (mine["exp"], before, lifetime))

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


if __name__ == "__main__":
    sys.exit(tap.main())
