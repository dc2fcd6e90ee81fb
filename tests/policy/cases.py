#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Questions and verdicts from tests/policy/*.cases.

A file has a policy behind a line "policy", then cases behind a line "cases", and so
on again. A case is a line:

    GRANT HOST PORT PROTOCOL [ADDRESS] => REASON [RULE [BLOCK]] [named]
    serves HOST => yes|no
    admits GRANT [ORIGIN] => yes|no

In a HOST, ORIGIN or RULE \\xNN is that byte; RULE and BLOCK "-" are none, absent ones
are not compared. What follows "# " is a comment.
"""

import glob
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import judge  # noqa: E402


def unescape(word):
    return re.sub(r"\\x([0-9a-f]{2})", lambda m: chr(int(m.group(1), 16)), word)


def parts_of(path):
    """(policy, [(line number, case)]) for each policy of a file."""
    state, policy, cases = None, [], []
    with open(path) as file:
        for number, line in enumerate(file, 1):
            word = line.strip()
            if word in ("policy", "cases"):
                if word == "policy" and cases:
                    yield "".join(policy), cases
                    policy, cases = [], []
                state = word
            elif state == "policy":
                policy.append(line)
            elif state == "cases":
                case = re.sub(r"(^|\s)#( .*)?$", "", line.rstrip("\n")).strip()
                if case:
                    cases.append((number, case))
            elif word and not word.startswith("#"):
                raise RuntimeError("%s:%d: what is this?" % (path, number))
    if cases:
        yield "".join(policy), cases


def question_of(words):
    words = [unescape(word) for word in words]
    return tuple(words if words[0] in ("serves", "admits") else ["judge"] + words)


def differs(expected, answer):
    if len(answer) == 1:
        return expected != answer
    named = expected[-1] == "named"
    expected = [unescape(word) for word in expected[:-1] if named] or \
        [unescape(word) for word in expected]
    return answer[:len(expected)] != expected or (named and answer[3] != "1")


def run(tap, path):
    failures, checks = [], 0
    for policy, cases in parts_of(path):
        split = [(number, case, case.partition("=>")) for number, case in cases]
        try:
            answers = judge.ask(policy, [question_of(p[0].split()) for _, _, p in split])
        except (RuntimeError, OSError) as error:
            failures.append("%s:%d: %s" % (path, cases[0][0], error))
            continue
        for (number, case, (_, arrow, expected)), answer in zip(split, answers):
            checks += 1
            if not arrow or differs(expected.split(), answer):
                failures.append("%s:%d: %s: it is %s" % (os.path.basename(path), number, case,
                                                         " ".join(answer)))
    tap.group(os.path.basename(path), checks, failures)


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    files = sorted(glob.glob(os.path.join(here, "*.cases")))
    if not files:
        judge.fail("there are no cases")
    tap = judge.Tap()
    for path in files:
        run(tap, path)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
