# SPDX-License-Identifier: ISC
"""The real broker, alone, with every program around it played by the test: listener,
worker, resolver, authenticator, auditor. What it says to each is seen as it is.

    with brokerbox.Broker(policy) as b:
        w = b.session()          # a worker's channel, granted
        w.send(brokerbox.open_("127.0.0.1", port))
"""

import array
import contextlib
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile

import suite
from ipcwire import HEAD, RECORD, REASONS, REASON_WORDS, EVENTS, TABLE, number_of, address

ADDR_SIZE = 20
RECORD_SIZE = TABLE["RECORD"][1]


def text(value, size):
    return value.encode().ljust(size, b"\0")


def auth(dialect=1, host="127.0.0.1", origin=None, token=None, told=None):
    """@told: what a PROXY header said, an address and a port."""
    return struct.pack("=IBBBB", number_of("AUTH"), dialect, origin is not None,
                       token is not None, 0) + address(*told or ("", 0)) + \
        struct.pack("=I256s256s4096s", 0, host.encode(), (origin or "").encode(),
                    (token or "").encode())


def number(host, port):
    """The address that a host's text is, or the port alone."""
    for family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            text = host if isinstance(host, str) else host.decode()
            socket.inet_pton(family, text)
            return address(text, port)
    return address("", port)


def open_(host, port, tag=1, protocol=1, addr=None):
    """As the worker sends it: a number as a number. @addr: says so beside the name."""
    addr = addr or number(host, port)
    name = b"" if addr[0] else host if isinstance(host, bytes) else host.encode()
    return open_raw(addr, name, tag, protocol)


CONNECT, RESOLVE, LISTEN = range(3)
TCP, UDP = 1, 2


def open_raw(addr, name, tag=1, protocol=1, kind=CONNECT, beside=0):
    return struct.pack("=II", number_of("OPEN"), tag) + addr + \
        struct.pack("=BB2xI256s", protocol, kind, beside, name)


def end(stream):
    return struct.pack("=IIIIQQQQ", number_of("END"), stream, *[0] * 6)


def session_open(number, client="127.0.0.1", proxy=False):
    """@proxy: the listener found it listed."""
    whole = bytearray(address(client, 1234))
    whole[1] = proxy
    return struct.pack("=IIQQ", number_of("SESSION_OPEN"), 0, number, 0) + \
        bytes(whole) + b"\0\0\0\0"


def session_end(number, code=0, signal_number=0):
    return struct.pack("=IIQiiQQ", number_of("SESSION_END"), REASONS["worker-exited"], number,
                       code, signal_number, 1, 1)


def names():
    return {number: name for name, (number, _) in TABLE.items()}


def read_record(message):
    """A RECORD as a dict."""
    assert len(message) == RECORD_SIZE
    out, at = {}, 4
    for name, kind in RECORD:
        if kind == "A":
            family, _, port, ip = struct.unpack_from("=BBH16s", message, at)
            out[name] = (family, port, ip)
            at += ADDR_SIZE
            continue
        size = struct.calcsize("=" + kind)
        value = struct.unpack_from("=" + kind, message, at)[0]
        out[name] = value.rstrip(b"\0").decode() if kind.endswith("s") else value
        at += size
    out["event"] = EVENTS[out["event"]]
    out["reason"] = REASON_WORDS.get(out["reason"], out["reason"])  # or 1024 and an errno
    return out


class Broker:
    def __init__(self, policy, answer_names=None, store=True):
        self.policy = policy
        self.answer_names = answer_names or (lambda host: [])
        self.store = store       # whether the auditor stores what it gets
        self.records = []
        self.waiting = []        # numbers that are not stored yet
        self.lookups = []
        self.killed = {}
        self.granted = set()
        self.next_session = 1000
        self.ends = {}           # session number: the test's end of its pair

    def listen(self, name):
        door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        door.bind(os.path.join(self.directory, name + ".sock"))
        door.listen(8)
        return door

    def start(self, image):
        def place():
            os.dup2(self.doors["broker"].fileno(), 100)
            os.dup2(100, 3)
            os.closerange(4, 256)

        command = ["/bin/sh", "-c", 'LISTEN_PID=$$; export LISTEN_PID; exec "$@"', "sh",
                   os.path.join(suite.BUILD, "broker", "sockward-broker"),
                   self.directory]
        environ = dict(os.environ, LISTEN_FDS="1", LISTEN_FDNAMES="broker")
        environ.pop("NOTIFY_SOCKET", None)
        with open(image) as stdin, open(self.stderr_path, "ab") as stderr:
            self.process = subprocess.Popen(command, stdin=stdin, stderr=stderr, env=environ,
                                            stdout=subprocess.DEVNULL,
                                            close_fds=False, preexec_fn=place)

    def __enter__(self):
        try:
            return self.begin()
        except BaseException:
            if getattr(self, "process", None):
                self.process.kill()
                self.process.wait()
            raise

    def begin(self):
        self.directory = tempfile.mkdtemp(prefix="sockward-broker-")
        self.stderr_path = os.path.join(self.directory, "stderr")
        source = os.path.join(self.directory, "policy.json")
        self.image = os.path.join(self.directory, "policy.image")
        with open(source, "w") as file:
            json.dump(self.policy, file)
        subprocess.run([suite.SOCKWARD, "policy", "compile", source, "-o", self.image],
                       check=True)
        self.doors = {name: self.listen(name)
                      for name in ("broker", "resolver", "authenticator", "auditor")}
        self.start(self.image)
        self.peers = {}
        for name in ("resolver", "authenticator", "auditor"):
            self.doors[name].settimeout(10)
            self.peers[name] = self.doors[name].accept()[0]
        self.hello()
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.connect(os.path.join(self.directory, "broker.sock"))
        self.pump(until=lambda: self.limits)
        return self

    limits = None

    def hello(self):
        """The auditor's greeting: nothing of this run is stored yet."""
        auditor = self.peers["auditor"]
        auditor.settimeout(10)
        number, _, self.instance = struct.unpack(HEAD["AUDIT_HELLO"], auditor.recv(65536))
        assert number == number_of("AUDIT_HELLO")
        auditor.send(struct.pack("=IIQ", number_of("AUDIT_READY"), 0, self.stored()))

    last_stored = 0

    def stored(self):
        return self.last_stored

    def take_record(self, message):
        record = read_record(message)
        self.records.append(record)
        self.waiting.append(record["number"])
        if self.store:
            self.store_all()

    def store_all(self):
        if self.waiting:
            self.last_stored = self.waiting[-1]
            self.waiting = []
            self.peers["auditor"].send(struct.pack("=IIQ", number_of("STORED"), 0,
                                                   self.last_stored))

    unanswered = None

    def take_lookup(self, message):
        _, tag, session, _, host = struct.unpack(HEAD["LOOKUP"], message)
        self.lookups.append(host.rstrip(b"\0").decode())
        self.unanswered = tag, session
        found = self.answer_names(self.lookups[-1])
        if found is not None:
            self.answer_lookups(found)

    def answer_lookups(self, found):
        """The newest question's answer."""
        tag, session = self.unanswered
        reason = REASONS["none"] if found else REASONS["name-unknown"]
        packed = b"".join(address(one) for one in found) + address() * (8 - len(found))
        self.peers["resolver"].send(struct.pack("=IIQIII", number_of("ADDRESSES"), tag, session,
                                                reason, len(found), 60) + packed + bytes(4))

    def take_verify(self, message):
        session = struct.unpack_from("=Q", message, 8)[0]
        self.peers["authenticator"].send(self.verdict(session))

    def verdict(self, session, grant=b"demo", policy=None):
        """By the policy in force, as HELLO_OK told it, or by another one."""
        policy = struct.unpack_from("=Q", self.limits, 16)[0] if policy is None else policy
        return struct.pack("=IIQQQ64s128s", number_of("VERDICT"), 0, session, 0, policy, grant,
                           b"token:1")

    def take_listener(self, message):
        number = struct.unpack_from("=I", message)[0]
        name = names()[number]
        if name == "HELLO_OK":
            self.limits = message
            return
        reason, session = struct.unpack_from("=IQ", message, 4)
        if name == "SESSION_KILL":
            self.killed[session] = REASON_WORDS[reason]
        elif name == "SESSION_GRANTED":
            self.granted.add(session)

    def pump(self, until, seconds=10, watch=None):
        """Play all peers until something holds. Bounded. watch: a channel that wakes us."""
        takes = {"auditor": self.take_record, "resolver": self.take_lookup,
                 "authenticator": self.take_verify}
        for _ in range(100000):
            if until():
                return
            sources = {peer: takes[name] for name, peer in self.peers.items()}
            sources[self.listener] = self.take_listener
            wake = [watch] if watch else []
            ready = select.select(list(sources) + wake, [], [], seconds)[0]
            assert ready, "the broker said nothing more\n" + self.stderr()
            for peer in ready:
                if peer is watch:
                    continue
                message = peer.recv(65536)
                assert message, "the broker hung up\n" + self.stderr()
                sources[peer](message)
        raise AssertionError("never came true")

    def reload(self, changed):
        """Put another policy into force."""
        source, image = (os.path.join(self.directory, name) for name in ("new.json", "new.image"))
        with open(source, "w") as file:
            json.dump(changed, file)
        subprocess.run([suite.SOCKWARD, "policy", "compile", source, "-o", image], check=True)
        with open(image, "rb") as file:
            data = file.read()
        with open(self.image, "r+b") as file:
            file.truncate(0)
            file.write(data)
        before = len([r for r in self.records if r["event"] == "policy"])
        self.process.send_signal(signal.SIGHUP)
        self.pump(until=lambda: len([r for r in self.records if r["event"] == "policy"]) > before)

    def settle(self):
        """Until the broker has nothing to say: it has taken all that was sent."""
        marker = self.new_session()
        self.finish(marker)

    def new_session(self, client="127.0.0.1", proxy=False):
        """A session in state NEW; returns its number. @proxy: its client is a listed one."""
        self.next_session += 1
        number = self.next_session
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        theirs.setblocking(False)  # as the listener makes it
        socket.send_fds(self.listener, [session_open(number, client, proxy)], [theirs.fileno()])
        theirs.close()
        ours.settimeout(10)
        self.ends[number] = ours
        return number

    def session(self, state="OPEN", client="127.0.0.1"):
        number = self.new_session(client)
        if state == "NEW":
            return number
        self.ends[number].send(auth())
        if state == "ASKED":
            return number
        self.pump(until=lambda: number in self.granted)
        assert struct.unpack_from("=I", self.ends[number].recv(65536))[0] == number_of("GRANTED")
        return number

    def alive(self, number):
        """Whether its channel is open: it answers, or says nothing."""
        end_ = self.ends[number]
        end_.setblocking(False)
        try:
            return end_.recv(65536, socket.MSG_PEEK) != b""
        except BlockingIOError:
            return True
        except ConnectionResetError:
            return False
        finally:
            end_.settimeout(10)

    def finish(self, number, code=0):
        """The worker exits, the listener says so."""
        self.ends[number].close()
        self.listener.send(session_end(number, code))
        self.pump(until=lambda: self.of(number, "session-end"))

    def of(self, number, event=None):
        return [r for r in self.records if r["session"] == number and event in (None, r["event"])]

    def fds(self):
        return len(os.listdir("/proc/%d/fd" % self.process.pid))

    def stderr(self):
        with open(self.stderr_path, errors="replace") as file:
            return file.read()

    def __exit__(self, kind, *_):
        try:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGTERM if kind is None else signal.SIGKILL)
                code = self.process.wait(15)
                assert kind is not None or code == 0, "the broker ended with %d\n%s" % (
                    code, self.stderr())
        finally:
            for one in [self.listener, *self.peers.values(), *self.doors.values(),
                        *self.ends.values()]:
                one.close()
            shutil.rmtree(self.directory, ignore_errors=True)


def receive_fd(channel):
    """One message and the descriptors that came along."""
    message, control, _, _ = channel.recvmsg(65536, socket.CMSG_SPACE(16))
    fds = array.array("i")
    for level, kind, data in control:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(data[:len(data) - len(data) % fds.itemsize])
    return message, list(fds)
