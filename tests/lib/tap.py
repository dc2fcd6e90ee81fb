# SPDX-License-Identifier: ISC
"""A unittest runner that speaks TAP 13, for automake's tap-driver.

The plan comes first, one line a test method, diagnostics as comments. A test has
`seconds` of its class (60 unless it says otherwise); a skip is a failure where
the environment says CI=true: there everything that a test needs must be there.
"""

import os
import signal
import sys
import time
import traceback
import unittest

import suite


class TooLong(BaseException):
    pass


def needs_root(test):
    return unittest.skipUnless(os.geteuid() == 0, "needs root")(test)


def tests_of(tests):
    for test in tests:
        if isinstance(test, unittest.TestSuite):
            yield from tests_of(test)
        else:
            yield test


class Result(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.number = 0
        self.broken = False
        self.began = 0.0
        self.told = True
        self.reported = set()
        self.skipped_classes = {}

    def line(self, ok, test, note=""):
        self.number += 1
        self.told = True
        self.reported.add(test.id())
        self.broken |= not ok
        name = test.id().split(".", 1)[1] if "." in test.id() else test.id()
        print("%s %d - %s%s" % ("ok" if ok else "not ok", self.number, name, note))
        sys.stdout.flush()

    def remark(self, text):
        for line in text.rstrip().splitlines():
            print("#", line)
        sys.stdout.flush()

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()
        self.told = False

        def late(_signal, _frame):
            raise TooLong("the test took longer than %d s" % seconds)

        seconds = getattr(test, "seconds", 60)
        signal.signal(signal.SIGALRM, late)
        signal.alarm(seconds)

    def stopTest(self, test):
        signal.alarm(0)
        if not self.told:  # a part of it failed
            self.line(False, test)
            self.remark(suite.last_words())
        took = time.monotonic() - self.began
        if took > 5:
            self.remark("took %.1f s" % took)
        super().stopTest(test)

    def addSuccess(self, test):
        self.line(True, test)

    def bad(self, test, error):
        if not hasattr(test, "_testMethodName"):
            # setUpClass or tearDownClass: its tests get no line of their own
            self.broken = True
            self.remark(test.id())
        else:
            self.line(False, test)
        self.remark("".join(traceback.format_exception(*error)))
        self.remark(suite.last_words())

    addError = bad
    addFailure = bad

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self.remark("in %s" % subtest.id())
            self.remark("".join(traceback.format_exception(*error)))

    def addSkip(self, test, reason):
        if not hasattr(test, "_testMethodName"):
            self.skipped_classes[test.id()] = reason  # "setUpClass (module.Class)"
        elif os.environ.get("CI") == "true":
            self.line(False, test)
            self.remark("skipped, which CI does not allow: " + reason)
        else:
            self.line(True, test, " # SKIP " + reason)

    def not_run(self, test):
        """Its class was not set up: for a reason, or because that failed."""
        name = "(%s)" % test.id().rpartition(".")[0]
        for where, reason in self.skipped_classes.items():
            if where.endswith(name):
                self.addSkip(test, reason)
                return
        self.line(False, test, " (not run)")


def main():
    loader = unittest.TestLoader()
    names = sys.argv[1:]
    module = sys.modules["__main__"]
    found = loader.loadTestsFromNames(names, module) if names else loader.loadTestsFromModule(module)
    tests = list(tests_of(found))
    print("TAP version 13\n1..%d" % len(tests))
    sys.stdout.flush()
    result = Result()
    try:
        found.run(result)
    except TooLong as late:
        print("Bail out! %s" % late)
        return 99
    finally:
        suite.end_all()
    for test in tests:
        if test.id() not in result.reported:
            result.not_run(test)
    return 1 if result.broken else 0
