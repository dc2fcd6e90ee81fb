# SPDX-License-Identifier: ISC
"""TLS services on loopback, with an authority of our own that lives as long as the test.

    with tlstarget.Authority() as ca, tlstarget.Echo(ca) as target: ...
    ca.pem, ca.der    its certificate; nobody but the test knows it
"""

import os
import shutil
import ssl
import subprocess
import tempfile
import unittest

import targets

NAMES = "DNS:localhost,IP:127.0.0.1"


class Authority:
    """Makes itself and one certificate for localhost and 127.0.0.1, both of P-256."""

    def __enter__(self):
        if not shutil.which("openssl"):
            raise unittest.SkipTest("no openssl")
        self.directory = tempfile.mkdtemp(prefix="sockward-test-tls-")
        try:
            self.make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.directory, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.directory, name)

    def make(self):
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        self.openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2",
                     "-subj", "/CN=sockward test authority",
                     "-addext", "keyUsage=critical,keyCertSign")
        self.openssl("req", "-new", *key, "-keyout", "key.pem", "-out", "request",
                     "-subj", "/CN=localhost")
        with open(self.path("extensions"), "w") as file:
            file.write("basicConstraints=critical,CA:false\nsubjectAltName=%s\n"
                       "keyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n" % NAMES)
        self.openssl("x509", "-req", "-in", "request", "-CA", "ca.pem", "-CAkey", "ca.key",
                     "-set_serial", "2", "-days", "2", "-extfile", "extensions", "-out", "cert.pem")
        with open(self.path("ca.pem")) as file:
            self.pem = file.read()
        self.der = ssl.PEM_cert_to_DER_cert(self.pem)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.path("cert.pem"), self.path("key.pem"))

    def openssl(self, *words):
        done = subprocess.run(["openssl", *words], cwd=self.directory, capture_output=True,
                              text=True, stdin=subprocess.DEVNULL, timeout=30)
        assert done.returncode == 0, done.stderr


class Target(targets.Target):
    """What was received is in seen only of those who liked the certificate."""

    def __init__(self, authority, serve=None):
        super().__init__(serve)
        self.context = authority.context

    def run(self, sock, seen):
        sock.settimeout(60)
        try:
            # A failed handshake is an OSError, and closes the connection.
            sock = self.context.wrap_socket(sock, server_side=True)
        except OSError as error:
            seen.error = error
            sock.close()
            seen.over.set()
            return
        super().run(sock, seen)


class Echo(Target):
    """Sends back what it gets."""

    def serve(self, sock, seen):
        while True:
            data = sock.recv(targets.CHUNK)
            if not data:
                return
            seen.take(data)
            sock.sendall(data)
            seen.sent += len(data)
