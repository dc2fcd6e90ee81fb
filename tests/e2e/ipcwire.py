# SPDX-License-Identifier: ISC
"""Messages between broker and helpers, packed by hand, and the helpers themselves
started alone, as the service manager would start them.

The layouts stand here a second time on purpose: that both agree is checked against
`wiresizes`, a program that is built from ipc/messages.h.
"""

import errno
import os
import signal
import socket
import struct
import subprocess
import tempfile
import shutil
import time

BUILD = os.environ.get("SOCKWARD_BUILD") or os.getcwd()

ADDR = "=BBH16s"
HEAD = {
    "LOOKUP": "=IIQ64s256s",
    "ADDRESSES": "=IIQIII" + 8 * ADDR[1:] + "I",
    "VERIFY": "=IIQ" + "IBBBB" + ADDR[1:] + "I256s256s4096s",
    "VERDICT": "=IIQQQ64s128s",
    "AUDIT_HELLO": "=IIQ",
    "AUDIT_READY": "=IIQ",
    "STORED": "=IIQ",
}
# Name, format and default of each member of struct ipc_record, in order.
RECORD = [
    ("generation", "I"), ("number", "Q"), ("policy", "Q"), ("session", "Q"), ("mono_ns", "Q"),
    ("wall_ns", "Q"), ("event", "H"), ("reason", "H"), ("client", "A"), ("told", "A"), ("grant", "64s"),
    ("subject", "128s"), ("dialect", "B"), ("pad", "3s"), ("stream", "I"), ("protocol", "B"),
    ("has_origin", "B"), ("addresses", "B"), ("pad2", "B"), ("peer", "A"), ("local", "A"),
    ("duration_ms", "I"), ("rtt_us", "I"), ("retransmits", "I"), ("pad3", "I"), ("bytes_up", "Q"),
    ("bytes_down", "Q"), ("claims_type", "I"), ("claims_stream", "I"), ("claims_reason", "I"),
    ("claimed_dropped", "I"), ("claimed_up", "Q"), ("claimed_down", "Q"),
    ("claimed_datagrams_up", "Q"), ("claimed_datagrams_down", "Q"), ("counts_type", "I"), ("claimed_close", "H"), ("claimed_http", "H"),
    ("claimed_messages_in", "Q"), ("claimed_messages_out", "Q"), ("claimed_bytes_in", "Q"),
    ("claimed_bytes_out", "Q"), ("counts_told", "A"), ("counts_pad", "I"), ("end_type", "I"), ("end_reason", "I"), ("end_session", "Q"),
    ("exit_code", "i"), ("signal", "i"), ("cpu_us", "Q"), ("max_rss_kib", "Q"),
    ("streams", "I"), ("host", "256s"), ("origin", "256s"), ("rule", "128s"), ("pad4", "I"),
]
EVENTS = ["", "start", "stop", "policy", "session-open", "authenticated", "granted", "refused",
          "stream-end", "session-end", "resolved"]
TCP, UDP = 1, 2


def read_table():
    """What the programs are built with: {name: (number, size)}, {reason: number}, offsets."""
    out = subprocess.run([os.path.join(BUILD, "tests/e2e/wiresizes")], check=True,
                         capture_output=True, text=True).stdout
    table, reasons, offsets = {}, {}, {}
    for line in out.splitlines():
        name, number, size = line.rsplit(" ", 2)
        if name.startswith("reason:"):
            reasons[name[7:]] = int(number)
        elif name.startswith("record."):
            offsets[name[7:]] = int(number)
        else:
            table[name] = (int(number), int(size))
    return table, reasons, offsets


TABLE, REASONS, OFFSETS = read_table()
REASON_WORDS = {number: word for word, number in REASONS.items()}
ERRNO = 1024  # an errno of a dial is a reason too
REASON_WORDS.update({ERRNO + errno.ECONNREFUSED: "peer-refused", ERRNO + errno.EMFILE: "resources",
                     ERRNO + errno.ENETUNREACH: "unreachable", ERRNO + errno.ETIMEDOUT: "timeout"})


def number_of(name):
    return TABLE[name][0]


def address(ip="", port=0):
    if not ip:
        return struct.pack(ADDR, 0, 0, port, b"")
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    return struct.pack(ADDR, 6 if ":" in ip else 4, 0, port, socket.inet_pton(family, ip))


def address_text(raw):
    family, _, _, ip = struct.unpack(ADDR, raw)
    if family == 0:
        return None
    return socket.inet_ntop(socket.AF_INET6 if family == 6 else socket.AF_INET,
                            ip if family == 6 else ip[:4])


def lookup(host, tag=1, session=1, grant="demo"):
    host = host if isinstance(host, bytes) else host.encode()
    return struct.pack(HEAD["LOOKUP"], number_of("LOOKUP"), tag, session, grant.encode(), host)


def verify(session=1, host="gw.test", dialect=1, origin=None, token=None):
    def raw(text):
        return text if isinstance(text, bytes) else (text or "").encode()
    return struct.pack(HEAD["VERIFY"], number_of("VERIFY"), 0, session, number_of("AUTH"),
                       dialect, origin is not None, token is not None, 0, 0, 0, 0, b"", 0, raw(host),
                       raw(origin), raw(token))


def hello(instance, version=1):
    return struct.pack(HEAD["AUDIT_HELLO"], number_of("AUDIT_HELLO"), version, instance)


def record(number, event, **fields):
    """One RECORD; addresses are (ip, port), texts str or bytes, times now."""
    fields.setdefault("mono_ns", time.monotonic_ns())
    fields.setdefault("wall_ns", time.time_ns())
    fields.setdefault("generation", 1)
    fields.update(number=number, event=EVENTS.index(event))
    if isinstance(fields.get("reason"), str):
        fields["reason"] = REASONS[fields["reason"]]
    out = struct.pack("=I", number_of("RECORD"))
    for name, kind in RECORD:
        value = fields.pop(name, None)
        if kind == "A":
            out += address(*value) if value else address()
        elif kind.endswith("s"):
            value = value.encode() if isinstance(value, str) else value or b""
            out += struct.pack("=" + kind, value)
        else:
            out += struct.pack("=" + kind, value or 0)
    assert not fields, "no such members: %s" % fields
    return out


def unpack(message):
    """(name, values) of an answer; its size must be that of the table."""
    number = struct.unpack("=I", message[:4])[0]
    name = next(n for n, (k, _) in TABLE.items() if k == number)
    assert len(message) == TABLE[name][1], "%s of %d bytes" % (name, len(message))
    values = struct.unpack(HEAD[name], message)
    if name == "ADDRESSES":
        _, tag, session, reason, count = values[:5]
        size = struct.calcsize(ADDR)
        raw = message[28:28 + 8 * size]
        found = [address_text(raw[i * size:(i + 1) * size]) for i in range(8)]
        assert found[count:] == [None] * (8 - count), "addresses beyond the count: %s" % found
        return name, (tag, session, REASON_WORDS[reason], found[:count])
    if name == "VERDICT":
        _, reason, session, lifetime, _, grant, subject = values
        return name, (session, REASON_WORDS[reason], grant.rstrip(b"\0").decode(),
                      subject.rstrip(b"\0").decode(), lifetime)
    return name, values[2]


class Helper:
    """A helper program with its socket. Descriptor 0 can be a file."""

    def __init__(self, name, args=(), stdin=None, extra=(), prefix=(), environ=None,
                 owner=None):
        self.name = name
        self.directory = tempfile.mkdtemp(prefix="sockward-test-")
        self.path = os.path.join(self.directory, name + ".sock")
        self.program = os.path.join(BUILD, "helpers", name, "sockward-" + name)
        self.args = list(args)
        self.prefix = list(prefix)
        self.environ = dict(environ or {})
        self.stdin = stdin
        self.extra = list(extra)  # (file object, name)
        self.stderr_file = os.path.join(self.directory, "stderr")
        self.listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listening.bind(self.path)
        self.listening.listen(16)
        if owner is not None:
            os.chown(self.path, owner, -1)
        self.process = None
        self.channels = []

    def start(self):
        """The socket stays: clients that came before, or while it was down, are served."""
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        where = os.path.join(self.directory, "notify")
        if os.path.exists(where):
            os.unlink(where)
        notify.bind(where)
        notify.settimeout(15)
        fds = [(self.listening, self.name)] + self.extra
        command = self.prefix + ["/bin/sh", "-c", 'LISTEN_PID=$$; export LISTEN_PID; exec "$@"',
                                 "sh", self.program] + self.args
        environ = dict(os.environ, LISTEN_FDS=str(len(fds)), NOTIFY_SOCKET=where,
                       LISTEN_FDNAMES=":".join(name for _, name in fds), **self.environ)

        def place():
            high = [os.dup2(one.fileno(), 100 + at) for at, (one, _) in enumerate(fds)]
            for at, fd in enumerate(high):
                os.dup2(fd, 3 + at)
            os.closerange(3 + len(fds), 256)

        with open(self.stderr_file, "ab") as stderr, open(self.stdin or os.devnull) as stdin:
            self.process = subprocess.Popen(command, stdin=stdin, stderr=stderr, env=environ,
                                            close_fds=False, preexec_fn=place)
        while True:
            try:
                notify.settimeout(0.05)
                assert notify.recv(100) == b"READY=1"
                break
            except socket.timeout:
                if self.process.poll() is not None:
                    break
        notify.close()
        return self

    def stderr(self):
        with open(self.stderr_file, errors="replace") as file:
            return file.read()

    def connect(self, seconds=15):
        channel = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        channel.settimeout(seconds)
        channel.connect(self.path)
        self.channels.append(channel)
        return channel

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(15)
        assert code == 0, "%s ended with %d\n%s" % (self.name, code, self.stderr())

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        try:
            if self.process.poll() is None:
                if kind is None:
                    self.stop()
                else:
                    self.kill()
                    print("# " + "\n# ".join(self.stderr().splitlines()[-20:]))
        finally:
            for channel in self.channels:
                channel.close()
            self.listening.close()
            shutil.rmtree(self.directory, ignore_errors=True)


def ask(channel, message):
    channel.send(message)
    return unpack(channel.recv(65536))[1]


def cut_off(channel):
    """Whether the helper hung up."""
    try:
        return channel.recv(65536) == b""
    except ConnectionResetError:
        return True
