# SPDX-License-Identifier: ISC
"""Certificates made at test time, and services that speak TLS with them.

    with certs.Box() as box, certs.Serve(targets.Echo(), box.context("good")) as target:
        ...
"""

import contextlib
import datetime
import ipaddress
import os
import shutil
import socket
import ssl
import struct
import tempfile
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

import targets

DAY = datetime.timedelta(days=1)
NAME = "localhost"
NUMBER = "127.0.4.43"  # with ports below 1024 that nobody else has
PEM = serialization.Encoding.PEM


def common(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


class Authority:
    """Whoever signs; its certificate is .pem and .der."""

    def __init__(self, name):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = common(name)
        usage = x509.KeyUsage(digital_signature=False, content_commitment=False,
                              key_encipherment=False, data_encipherment=False,
                              key_agreement=False, key_cert_sign=True, crl_sign=True,
                              encipher_only=False, decipher_only=False)
        self.certificate = self.sign(
            self.name, self.key, [(x509.BasicConstraints(ca=True, path_length=None), True),
                                  (usage, True)])
        self.pem = self.certificate.public_bytes(PEM)
        self.der = self.certificate.public_bytes(serialization.Encoding.DER)

    def sign(self, name, key, extensions, since=-DAY, until=30 * DAY):
        """@key: of the certificate; its public half is enough."""
        now = datetime.datetime.utcnow()
        public = key if isinstance(key, rsa.RSAPublicKey) else key.public_key()
        made = (x509.CertificateBuilder().subject_name(name).issuer_name(self.name)
                .public_key(public).serial_number(x509.random_serial_number())
                .not_valid_before(now + since).not_valid_after(now + until))
        for extension, critical in extensions:
            made = made.add_extension(extension, critical)
        return made.sign(self.key, hashes.SHA256())


def names(*words):
    """Alternative names; what reads as an address is one."""
    found = []
    for word in words:
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(word)))
        except ValueError:
            found.append(x509.DNSName(word))
    return x509.SubjectAlternativeName(found)


class Box:
    """A trusted authority, one that is not, and certificates of both, in files that live as
    long as the context."""

    def __enter__(self):
        self.directory = tempfile.mkdtemp(prefix="sockward-test-")
        try:
            os.chmod(self.directory, 0o755)
            self.fill()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.directory, ignore_errors=True)

    def fill(self):
        self.certificates = {}
        self.trusted, self.other = Authority("Trusted"), Authority("Other")
        self.trust = self.write("trust.pem", self.trusted.pem)
        both = names(NAME, "127.0.0.1", "::1", NUMBER)
        self.make("good", self.trusted, both)
        self.make("rsa", self.trusted, both, key=rsa.generate_private_key(65537, 2048))
        self.make("name-only", self.trusted, names(NAME))
        self.make("number-as-name", self.trusted, x509.SubjectAlternativeName(
            [x509.DNSName("127.0.0.1")]))
        self.make("other-host", self.trusted, names("other.example", "192.0.2.1"))
        self.make("expired", self.trusted, both, since=-20 * DAY, until=-DAY)
        self.make("not-yet", self.trusted, both, since=DAY)
        self.make("unknown", self.other, both)
        self.make("client", self.trusted, both, purpose=ExtendedKeyUsageOID.CLIENT_AUTH)
        self.make("self-signed", None, both)

    def write(self, name, data):
        path = os.path.join(self.directory, name)
        with open(path, "wb") as file:
            file.write(data)
        os.chmod(path, 0o644)
        return path

    def make(self, name, authority, alternatives, purpose=ExtendedKeyUsageOID.SERVER_AUTH, key=None,
             **when):
        if authority:
            key = key or ec.generate_private_key(ec.SECP256R1())
            certificate = authority.sign(common("leaf"), key, [
                (alternatives, False), (x509.ExtendedKeyUsage([purpose]), False),
                (x509.BasicConstraints(ca=False, path_length=None), True)], **when)
        else:
            authority = Authority(NAME)
            key = authority.key
            certificate = authority.sign(authority.name, key, [(alternatives, False)])
        key = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8,
                                serialization.NoEncryption())
        self.certificates[name] = certificate
        self.write(name + ".pem", certificate.public_bytes(PEM) + key)

    def answer(self, name, status, more=()):
        """The trusted authority's word (RFC 6960) on "good", into a file; @more: certificates that
        are sent along."""
        now = datetime.datetime.utcnow()
        gone = status == ocsp.OCSPCertStatus.REVOKED
        made = ocsp.OCSPResponseBuilder().add_response(
            cert=self.certificates["good"], issuer=self.trusted.certificate,
            algorithm=hashes.SHA256(), cert_status=status,
            this_update=now - DAY, next_update=now + DAY,
            revocation_time=now - DAY if gone else None,
            revocation_reason=x509.ReasonFlags.key_compromise if gone else None)
        made = made.responder_id(ocsp.OCSPResponderEncoding.NAME, self.trusted.certificate)
        if more:
            made = made.certificates(more)
        return self.write(name, made.sign(self.trusted.key, hashes.SHA256()).public_bytes(
            serialization.Encoding.DER))

    def revoked(self):
        """That it is not valid any more."""
        return self.answer("revoked.der", ocsp.OCSPCertStatus.REVOKED)

    def valid(self):
        """That it is valid, with the authority's own certificate."""
        return self.answer("valid.der", ocsp.OCSPCertStatus.GOOD, [self.trusted.certificate])

    def expensive(self):
        """The same, with a certificate beside it whose key nobody should calculate with."""
        key = rsa.RSAPublicNumbers(65537, (1 << 12000) + 1).public_key()
        return self.answer("expensive.der", ocsp.OCSPCertStatus.GOOD, [
            self.trusted.certificate,
            self.trusted.sign(common("responder"), key, [
                (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False)])])

    def context(self, name="good", version=None, least=None):
        """A server's context. @version: the only one it speaks."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(self.directory, name + ".pem"))
        if version:
            if version < ssl.TLSVersion.TLSv1_2:
                context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = least or version
            context.maximum_version = version
        return context

    def serve(self, service=None, kind="good", address="127.0.0.1", **how):
        """A service (an echo, without one) that has the certificate @kind."""
        return Serve(service or targets.Echo(), self.context(kind, **how), address=address)


class Plain:
    """What Target's serve functions need of a socket, over TLS. Its end of stream is
    close_notify, which the ssl module does not offer alone: so that is done by hand."""

    def __init__(self, sock, context, tap=None):
        self.sock = sock
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        self.tap = tap
        self.one_reads_one_writes = threading.Lock()
        self.one_flushes = threading.Lock()
        self.heard = self.said = 0  # bytes of the socket
        self.stash = []  # was read before its time
        self.ended = False

    def settimeout(self, seconds):
        self.sock.settimeout(seconds)

    def setsockopt(self, *option):
        self.sock.setsockopt(*option)

    def flush(self):
        with self.one_flushes:
            with self.one_reads_one_writes:
                data = self.outgoing.read()
            if data:
                self.put(data)
                self.said += len(data)

    def put(self, data):
        self.sock.sendall(data)

    def more(self):
        """Takes more from the socket. At its end without close_notify: ssl.SSLEOFError."""
        data = self.sock.recv(65536)
        self.heard += len(data)
        with self.one_reads_one_writes:
            if data:
                self.incoming.write(data)
            else:
                self.incoming.write_eof()
        if self.tap is not None:
            self.tap.append(data)

    def until(self, do, *args):
        while True:
            try:
                with self.one_reads_one_writes:
                    result = do(*args)
            except ssl.SSLWantReadError:
                self.flush()
                self.more()
                continue
            self.flush()
            return result

    def handshake(self):
        self.until(self.tls.do_handshake)

    def take(self, n):
        return self.stash.pop(0) if self.stash else self.tls.read(n)

    def recv(self, n):
        try:
            data = self.until(self.take, n)
        except ssl.SSLZeroReturnError:  # after shutdown(), and b"" before
            data = b""
        self.ended = self.ended or not data
        return data

    def sendall(self, data):
        data = memoryview(data)
        while data:
            # Never more than the socket takes before something is read.
            data = data[self.until(self.tls.write, data[:65536]):]

    def send(self, data):
        self.sendall(data)
        return len(data)

    def shutdown(self, _how):
        """close_notify, and the end of what is sent; what comes can still be read.

        unwrap() looks for the other's close_notify too, and throws data away that is there
        instead.
        """
        with self.one_reads_one_writes:
            with contextlib.suppress(ssl.SSLWantReadError):
                while not self.stash or self.stash[-1]:
                    self.stash.append(self.tls.read(65536))
            with contextlib.suppress(ssl.SSLWantReadError):
                self.tls.unwrap()
        self.flush()
        self.sock.shutdown(socket.SHUT_WR)


class Serve(targets.Target):
    """A service of targets.py over TLS. .hellos are those of complete handshakes."""

    def __init__(self, service, context, **how):
        super().__init__(**how)
        if isinstance(service, targets.Target):
            service.listener.close()
            service = service.serve
        self.service, self.context = service, context
        self.hellos = []

    def serve(self, sock, seen):
        taken = []
        wire = Plain(sock, self.context, taken)
        seen.wire = wire
        try:
            wire.handshake()
            seen.version = wire.tls.version()
            self.hellos.append(Hello(b"".join(taken)))
            self.service(wire, seen)
        except ssl.SSLError as error:
            seen.error = error


class Hello:
    """What can be told apart in a ClientHello (RFC 8446, 4.1.2)."""

    def __init__(self, data):
        self.random = self.session = self.sni = None
        self.extensions, self.shares = {}, []
        if len(data) < 5 or data[0] != 22:
            return
        body = data[9:5 + struct.unpack(">H", data[3:5])[0]]
        self.version, self.random = body[:2], body[2:34]
        at = 34
        self.session = body[at + 1:at + 1 + body[at]]
        at += 1 + body[at]
        at += 2 + struct.unpack(">H", body[at:at + 2])[0]
        at += 1 + body[at]
        end = at + 2 + struct.unpack(">H", body[at:at + 2])[0]
        at += 2
        while at < end:
            kind, n = struct.unpack(">HH", body[at:at + 4])
            self.extensions[kind] = body[at + 4:at + 4 + n]
            at += 4 + n
        if 0 in self.extensions:
            self.sni = self.extensions[0][5:].decode()
        self.read_shares(self.extensions.get(51, b"\0\0")[2:])

    def read_shares(self, data):
        while data:
            n = struct.unpack(">H", data[2:4])[0]
            self.shares.append(data[4:4 + n])
            data = data[4 + n:]
