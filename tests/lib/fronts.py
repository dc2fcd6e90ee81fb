# SPDX-License-Identifier: ISC
"""A front proxy on loopback, with a configuration that is made from a file of examples/.

    with fronts.HAProxy(box, one.address) as front:
        client = front.connect("/netproxy", source="127.0.0.7")

It has a directory and two ports (IPv4, IPv6) of its own, runs as nobody where the test is root,
and is ended by its pid.
"""

import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile

import suite
import wsclient

NOBODY = 65534
HOST = "gw.example.com"
TRIES = 5  # somebody may take a port between our look and the proxy's


def example(name):
    with open(os.path.join(suite.SOURCE, "examples", name)) as file:
        return file.read()


def replaced(text, *pairs):
    """What a site changes; each must be there, so that the file in examples/ is what is run."""
    for old, new in pairs:
        assert old in text, "the example has no %r" % old
        text = text.replace(old, new)
    return text


def free_port(address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as sock:
        sock.bind((address, 0))
        return sock.getsockname()[1]


class Client(wsclient.Client):
    """Over TLS, from an address of our choice."""

    def __init__(self, address, context, source):  # pylint: disable=super-init-not-called
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        sock = socket.socket(family)
        sock.settimeout(15)
        try:
            sock.bind((source, 0))
            sock.connect(address)
            self.sock = context.wrap_socket(sock, server_hostname="127.0.0.1")
        except BaseException:
            sock.close()
            raise
        self.address = (HOST, 443)
        self.buffer = b""
        self.answer = None
        self.pings = 0
        self.pongs = []

    def fill(self, most=262144):
        try:
            super().fill(most)
        except ssl.SSLError as error:
            raise wsclient.Gone(str(error)) from error


class Front:
    program = None
    name = None

    def __init__(self, box, upstream):
        self.box = box  # certs.Box: whose certificate "good" it has
        self.upstream = "%s:%d" % upstream
        self.process = None

    def configuration(self):
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, data, mode="w"):
        with open(self.path(name), mode) as file:
            file.write(data)
        if os.geteuid() == 0:
            os.chown(self.path(name), NOBODY, NOBODY)
        return self.path(name)

    def less(self):
        if os.geteuid() == 0:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)

    def serves(self):
        """Both ports are the proxy's; or it ended, since one was somebody else's."""
        if self.process.poll() is not None:
            return True
        for address in (self.v4, self.v6):
            try:
                self.client(source=address[0], address=address).sock.close()
            except OSError:
                return False
        return True

    def try_once(self):
        self.v4 = ("127.0.0.1", free_port("127.0.0.1"))
        self.v6 = ("::1", free_port("::1"))
        self.write(self.name, self.configuration())
        with open(self.path("log"), "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, cwd=self.directory, preexec_fn=self.less)
        suite.wait_for(self.serves, 20, "a front that serves")
        return self.process.poll() is None

    def __enter__(self):
        self.directory = tempfile.mkdtemp(prefix="sockward-test-")
        try:
            if os.geteuid() == 0:
                os.chown(self.directory, NOBODY, NOBODY)
            for _ in range(TRIES):
                if self.try_once():
                    return self
            raise AssertionError("%s does not start:\n%s" % (self.program, self.log()))
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def log(self):
        with open(self.path("log"), errors="replace") as file:
            return file.read()

    def certificate(self):
        """Its certificate and key, as PEM texts."""
        with open(os.path.join(self.box.directory, "good.pem")) as file:
            both = file.read()
        at = re.search("-----BEGIN [A-Z ]*PRIVATE KEY-----", both).start()
        return both[:at], both[at:]

    def client(self, source="127.0.0.1", address=None):
        """A connection that has sent nothing yet."""
        context = ssl.create_default_context(cafile=self.box.trust)
        return Client(address or (self.v6 if ":" in source else self.v4), context, source)

    def connect(self, path, source="127.0.0.1", **how):
        client = self.client(source)
        try:
            return client.open(path, **how)
        except BaseException:
            client.sock.close()
            raise


class HAProxy(Front):
    program = "/usr/sbin/haproxy"
    name = "haproxy.cfg"

    def configuration(self):
        self.write("both.pem", "".join(self.certificate()))
        return "global\n\tmaxconn 100\n\n" + replaced(
            example(self.name),
            ("bind :::443 v4v6 ssl crt /etc/haproxy/gw.example.com.pem",
             "bind %s,[%s]:%d ssl crt %s" % ("%s:%d" % self.v4, *self.v6, self.path("both.pem"))),
            ("127.0.0.1:8086", self.upstream))

    def command(self):
        return [self.program, "-db", "-f", self.path(self.name)]


class Nginx(Front):
    program = "/usr/sbin/nginx"
    name = "nginx.conf"

    def configuration(self):
        certificate, key = self.certificate()
        self.write("crt.pem", certificate)
        self.write("key.pem", key)
        return replaced(
            example(self.name),
            ("user www-data;\n", ""), ("worker_processes auto;", "worker_processes 1;"),
            ("/run/nginx.pid", self.path("pid")), ("/var/log/nginx/error.log", "stderr"),
            ("listen 443 ssl", "listen %s:%d ssl" % self.v4),
            ("listen [::]:443 ssl", "listen [%s]:%d ssl" % self.v6),
            ("/etc/nginx/gw.example.com.crt", self.path("crt.pem")),
            ("/etc/nginx/gw.example.com.key", self.path("key.pem")),
            ("127.0.0.1:8086", self.upstream))

    def command(self):
        return [self.program, "-e", "stderr", "-c", self.path(self.name), "-g", "daemon off;"]
