#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""A table of the suite's results, in Markdown:

    table.py SERVER=FILE.tap[,FILE.tap...] SERVER=...

Each FILE is what suite.py printed; of several, all that the cell says is how often a case
passed. What failed has the last line of a diagnosis.
"""

import re
import sys

LINE = re.compile(r"^(not )?ok \d+ - (\S+) \[([^]]+)\] (.*)$")


def read(path):
    """{case: (basis, rule, "yes" or "no: why")}"""
    found, last = {}, None
    with open(path) as file:
        for line in file:
            match = LINE.match(line.rstrip("\n"))
            if match:
                last = match.group(2)
                found[last] = [match.group(3), match.group(4), "no" if match.group(1) else "yes"]
            elif line.startswith("# ") and last and found[last][2] == "no":
                found[last][2] = "no: " + line[2:].rstrip("\n")
    return found


def together(paths):
    """The same of several runs."""
    runs = [read(path) for path in paths]
    found = {}
    for case, (basis, rule, _) in runs[0].items():
        cells = [run[case][2] for run in runs]
        good = cells.count("yes")
        bad = [cell for cell in cells if cell != "yes"]
        cell = "yes" if not bad else bad[-1]
        if good and bad:
            cell = "in %d of %d runs; else %s" % (good, len(cells), bad[-1])
        found[case] = (basis, rule, cell)
    return found


def main():
    servers = [argument.split("=", 1) for argument in sys.argv[1:]]
    results = [(name, together(paths.split(","))) for name, paths in servers]
    print("| case | from | rule | %s |" % " | ".join(name for name, _ in results))
    print("|" + " --- |" * (3 + len(results)))
    for case, (basis, rule, _) in results[0][1].items():
        cells = [found[case][2] if case in found else "not run" for _, found in results]
        print("| `%s` | %s | %s | %s |" % (case, basis, rule, " | ".join(cells)))
    totals = ["%d of %d" % (sum(one[2] == "yes" for one in found.values()), len(found))
              for _, found in results]
    print("| | | held in every run | %s |" % " | ".join(totals))


if __name__ == "__main__":
    main()
