# SPDX-License-Identifier: ISC
"""Ask the judge (tests/unit/judge.c), and say the results in TAP."""

import os
import subprocess
import sys
import tempfile

SOURCE = os.environ.get("SOCKWARD_SOURCE") or os.path.dirname(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("SOCKWARD_BUILD") or os.path.join(SOURCE, "build")
JUDGE = os.environ.get("SOCKWARD_JUDGE") or os.path.join(BUILD, "tests", "unit", "judge")


def ask(policy, questions):
    """The answers to all questions (tuples of fields), as lists of fields."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(policy)
        file.flush()
        text = "".join("\t".join(q) + "\n" for q in questions)
        done = subprocess.run([JUDGE, file.name], input=text, capture_output=True, text=True,
                              timeout=120)
    if done.returncode != 0:
        raise RuntimeError("judge: status %d: %s" % (done.returncode, done.stderr))
    answers = [line.split("\t") for line in done.stdout.splitlines()]
    if len(answers) != len(questions):
        raise RuntimeError("%d answers to %d questions" % (len(answers), len(questions)))
    return answers


class Tap:
    """One line a group of checks; what failed follows as comments."""

    def __init__(self):
        self.lines = []
        self.broken = False

    def group(self, name, checks, failures):
        self.broken |= bool(failures) or checks == 0
        ok = "not ok" if failures or checks == 0 else "ok"
        self.lines.append("%s %d - %s (%d checks)" % (ok, self.count() + 1, name, checks))
        self.lines += ["# " + text for text in failures[:20]]
        if len(failures) > 20:
            self.lines.append("# and %d more" % (len(failures) - 20))

    def count(self):
        return sum(not line.startswith("#") for line in self.lines)

    def end(self):
        print("TAP version 13\n1..%d" % self.count())
        print("\n".join(self.lines))
        return 1 if self.broken else 0


def fail(text):
    print("Bail out! %s" % text)
    sys.exit(99)
