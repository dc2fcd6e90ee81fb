#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""A conformance suite for Wisp servers.

    suite.py ws://HOST:PORT/wisp/ --tcp HOST:PORT --udp HOST:PORT [--closed PORT]
             [--denied HOST] [--unknown NAME] [CASE...]

It is the client of the server and at the same time the services that the server
connects to: --tcp and --udp are where it listens, as the server reaches it; port 0
is any free one. --closed is a port of --tcp's host where nothing listens (by default
one that it binds itself), --denied a host that the server's policy blocks, --unknown
a name that does not exist and that the policy does not block. A case whose option
is not given is not in the plan.

TAP 13 on standard output. Behind each case stands its rule, and where that comes
from: `wisp 1` and `wisp 2` are the protocol, `practice` what deployed clients need,
`sockward` a choice where the protocol is silent. Nothing is skipped.
"""

import argparse
import os
import signal
import socket
import sys
import traceback
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import wire  # noqa: E402
import cases_handshake  # noqa: E402
import cases_streams  # noqa: E402
import cases_flow  # noqa: E402
import cases_udp  # noqa: E402
import cases_wrong  # noqa: E402

LIMIT = 60  # seconds a case
MODULES = (cases_handshake, cases_streams, cases_flow, cases_udp, cases_wrong)


class Late(BaseException):
    pass


def late(_signal, _frame):
    raise Late("took longer than %d s" % LIMIT)


def closed_port(host):
    """A port where nothing listens: bound, so that nobody else takes it meanwhile."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    sock.bind((host, 0))
    return sock


class Test:
    """What one case has: the server's address, and services of its own."""

    def __init__(self, options):
        url = urllib.parse.urlsplit(options.url)
        self.address = (url.hostname, url.port or 80)
        self.host = url.netloc
        self.path = (url.path or "/") + ("?" + url.query if url.query else "")
        self.options = options
        self.sessions = []
        self.closed = options.closed
        self.denied = options.denied
        self.unknown = options.unknown
        self.tcp = wire.Tcp(*options.tcp)
        self.udp = wire.Udp(*options.udp)

    def session(self, *args, **how):
        self.sessions.append(wire.Session(self, *args, **how))
        return self.sessions[-1]

    def end(self):
        for session in self.sessions:
            session.end()
        self.tcp.close()
        self.udp.close()


def place(text):
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit():
        raise argparse.ArgumentTypeError("HOST:PORT is needed")
    return host.strip("[]"), int(port)


def read_options():
    parser = argparse.ArgumentParser(description="A conformance suite for Wisp servers.")
    parser.add_argument("url")
    parser.add_argument("--tcp", type=place, default=("127.0.0.1", 0))
    parser.add_argument("--udp", type=place, default=("127.0.0.1", 0))
    parser.add_argument("--closed", type=int)
    parser.add_argument("--denied")
    parser.add_argument("--unknown")
    parser.add_argument("case", nargs="*")
    options = parser.parse_intermixed_args()
    if not options.url.startswith("ws://"):
        parser.error("the URL must begin with ws://")
    return options


def all_cases():
    found = []
    for module in MODULES:
        found += [value for value in vars(module).values()
                  if callable(value) and hasattr(value, "rule") and
                  value.__module__ == module.__name__]
    return found


def run(case, options):
    """None, or what went wrong."""
    test = Test(options)
    signal.signal(signal.SIGALRM, late)
    signal.alarm(LIMIT)
    try:
        case(test)
        return None
    except (wire.Broken, wire.wsclient.Gone, Late) as error:
        return str(error)
    except TimeoutError:
        return "nothing (more) came within %d s" % wire.SECONDS
    except Exception:  # pylint: disable=broad-except
        return traceback.format_exc()
    finally:
        signal.alarm(0)
        test.end()


def main():
    options = read_options()
    keep = None
    if options.closed is None:
        keep = closed_port(options.tcp[0])
        options.closed = keep.getsockname()[1]
    cases = [case for case in all_cases()
             if (case.needs is None or getattr(options, case.needs)) and
             (not options.case or case.__name__ in options.case)]
    print("TAP version 13\n1..%d" % len(cases), flush=True)
    failed = 0
    for number, case in enumerate(cases, 1):
        wrong = run(case, options)
        failed += wrong is not None
        print("%s %d - %s [%s] %s" % ("not ok" if wrong else "ok", number, case.__name__,
                                      case.basis, case.rule), flush=True)
        for line in (wrong or "").splitlines():
            print("#", line, flush=True)
    if keep:
        keep.close()
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
