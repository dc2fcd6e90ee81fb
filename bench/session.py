#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""What a session costs: the time from the TCP connect to the first echoed byte, and
the memory of an idle one. On loopback, against an echo service of its own.

    SOCKWARD_BUILD=build /usr/bin/python3 bench/session.py [ROUNDS] [IDLE]

Prints a line for each way to start a worker. Nothing here gates a test.
"""

import os
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "lib"))
import suite  # noqa: E402
import targets  # noqa: E402


def rules():
    limits = {"sessions": 4000}
    return suite.policy({"open": suite.grant(limits=limits)},
                        limits={"sessions": 4000, "sessions_per_source": 4000})


def setup_times(one, target, rounds):
    """Seconds from connect(2) to the 101, and to the first byte back."""
    upgraded, first = [], []
    for _ in range(rounds):
        start = time.perf_counter()
        with one.connect(target.path()) as client:
            upgraded.append(time.perf_counter() - start)
            client.send(b"x")
            assert client.recv_bytes(1) == b"x"
            first.append(time.perf_counter() - start)
            client.finish()
    return upgraded, first


def pss_of(pid):
    """(PSS, private) in KiB. A worker is non-dumpable: this needs root."""
    pss = private = 0
    with open("/proc/%d/smaps_rollup" % pid) as file:
        for line in file:
            word = line.split()
            pss += int(word[1]) if word[0] == "Pss:" else 0
            private += int(word[1]) if word[0].startswith("Private_") else 0
    return pss, private


def idle_memory(one, target, sessions):
    clients = [one.connect(target.path()) for _ in range(sessions)]
    try:
        time.sleep(1)
        listener = one.pid("listener")
        pids = [pid for pid in suite.children_of().get(listener, [])]
        return [pss_of(pid) for pid in pids]
    finally:
        for client in clients:
            client.finish()


def line(name, values, unit):
    values = sorted(values)
    print("%-34s median %8.2f  p10 %8.2f  p90 %8.2f %s" % (
        name, statistics.median(values), values[len(values) // 10],
        values[len(values) * 9 // 10], unit), flush=True)


def main():
    targets.Target.most = 100000
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    idle = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    for spawn in ("fork", "exec"):
        with targets.Echo() as target, suite.Suite(rules(), args=["--spawn=" + spawn]) as one:
            setup_times(one, target, 20)
            upgraded, first = setup_times(one, target, rounds)
            line("%s: connect to 101" % spawn, [1000 * t for t in upgraded], "ms")
            line("%s: connect to first byte" % spawn, [1000 * t for t in first], "ms")
            if os.geteuid() == 0:
                memory = idle_memory(one, target, idle)
                line("%s: PSS, %d idle sessions" % (spawn, idle), [p for p, _ in memory], "KiB")
                line("%s: private" % spawn, [p for _, p in memory], "KiB")
            else:
                print("memory is not measured: reading it needs root")


if __name__ == "__main__":
    main()
