# SPDX-License-Identifier: ISC
"""OpenMetrics 1.0 text, read strictly: https://prometheus.io/docs/specs/om/open_metrics_spec/

    numbers = openmetrics.parse(text)
    numbers["sockward_streams_total", "kind=tcp", "verdict=granted"]

And what the numbers must be, counted once more from the records of an audit file.
"""

import math
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"'
SAMPLE = re.compile(r"(%s)(?:\{(%s(?:,%s)*)?\})? (\S+)" % (NAME, LABEL, LABEL))
META = re.compile(r"# (TYPE|UNIT|HELP) (%s) (.+)" % NAME)
NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?|\+Inf")
SUFFIXES = {"gauge": ("",), "counter": ("_total", "_created"), "info": ("_info",),
            "histogram": ("_bucket", "_count", "_sum", "_created")}
REASONS = ("sessions_refused", "sessions_ended", "streams_ended", "requests_refused")


class Wrong(Exception):
    pass


def need(true, what):
    if not true:
        raise Wrong(what)


class Family:
    def __init__(self, name):
        self.name, self.meta, self.samples = name, {}, []

    def add_meta(self, kind, text):
        need(not self.samples, "%s of %s behind its samples" % (kind, self.name))
        need(kind not in self.meta, "two %s of %s" % (kind, self.name))
        if kind == "TYPE":
            need(text in SUFFIXES, "type %s" % text)
        if kind == "UNIT":
            need(self.name.endswith("_" + text), "%s does not end in its unit" % self.name)
        if kind == "HELP":
            need(not re.search(r'\\[^\\n"]', text), "escape in HELP of %s" % self.name)
        self.meta[kind] = text

    def check(self):
        need("TYPE" in self.meta and "HELP" in self.meta, "%s lacks TYPE or HELP" % self.name)
        need(self.samples, "%s has no sample" % self.name)
        if self.meta["TYPE"] == "histogram":
            self.check_histogram()

    def check_histogram(self):
        buckets, rest = [], {}
        for name, labels, value in self.samples:
            if name.endswith("_bucket"):
                need(list(labels) == ["le"], "labels of a bucket: %s" % labels)
                need(re.fullmatch(r"[0-9]+\.[0-9]+|\+Inf", labels["le"]), "le %s" % labels["le"])
                buckets.append((float(labels["le"]), value))
            else:
                rest[name[len(self.name):]] = value
        need(buckets and math.isinf(buckets[-1][0]), "no +Inf bucket")
        for before, after in zip(buckets, buckets[1:]):
            need(before[0] < after[0] and before[1] <= after[1], "buckets out of order")
        need(rest.get("_count") == buckets[-1][1] and "_sum" in rest, "_count or _sum")


def read_sample(line, family):
    match = SAMPLE.fullmatch(line)
    need(match, "no sample: %r" % line)
    name, inside, value = match.group(1), match.group(2), match.groups()[-1]
    kind = family.meta.get("TYPE")
    need(kind, "%s without a TYPE before it" % name)
    need(name in [family.name + suffix for suffix in SUFFIXES[kind]],
         "%s is no sample of the %s %s" % (name, kind, family.name))
    found = re.findall(LABEL, inside or "")
    labels = dict(found)
    need(len(labels) == len(found), "a label twice: %s" % line)
    need(NUMBER.fullmatch(value) and value != "+Inf", "value %s" % value)
    need(kind != "info" or value == "1", "an info of %s" % value)
    return name, labels, float(value) if "." in value else int(value)


def families(text):
    need(text.endswith("# EOF\n"), "no # EOF at the end")
    need(all(c == "\n" or " " <= c <= "~" for c in text), "a byte that is not printable")
    found, now = {}, None
    for line in text[:-len("# EOF\n")].split("\n")[:-1]:
        meta = META.fullmatch(line)
        need(meta or not line.startswith("#"), "comment or early end: %r" % line)
        if meta:
            if now is None or now.name != meta.group(2):
                need(meta.group(2) not in found, "%s in two places" % meta.group(2))
                now = found[meta.group(2)] = Family(meta.group(2))
            now.add_meta(meta.group(1), meta.group(3))
        else:
            need(now, "a sample before any family")
            now.samples.append(read_sample(line, now))
    return found


def parse(text):
    """{(name, "label=value"...): value}; raises Wrong."""
    numbers, owners = {}, {}
    for family in families(text).values():
        family.check()
        for suffix in SUFFIXES[family.meta["TYPE"]] + ("",):
            taken = owners.setdefault(family.name + suffix, family.name)
            need(taken == family.name, "%s and %s clash" % (taken, family.name))
        for name, labels, value in family.samples:
            key = (name, *sorted("%s=%s" % pair for pair in labels.items()))
            need(key not in numbers, "twice: %s" % (key,))
            numbers[key] = value
    return numbers


def expected(records, reasons):
    """The auditor's numbers, of an auditor that wrote all of these records."""
    want = {("sockward_%s_total" % name, "reason=" + word): 0 for name in REASONS
            for word in reasons + ["unknown"]}
    for kind in ("tcp", "udp", "tls", "listen", "inbound"):
        for verdict in ("granted", "refused"):
            want["sockward_streams_total", "kind=" + kind, "verdict=" + verdict] = 0
    for name in ("stream_bytes", "claimed_udp_bytes"):
        for way in ("up", "down"):
            want["sockward_%s_total" % name, "direction=" + way] = 0
    for verdict in ("granted", "refused"):
        want["sockward_lookups_total", "verdict=" + verdict] = 0
    for name in ("sessions_opened", "sessions_authenticated", "audit_scans"):
        want["sockward_%s_total" % name,] = 0
    want["sockward_audit_records_total",] = len(records)

    def count(name, *labels, by=1):
        want[("sockward_%s_total" % name, *labels)] += by

    def stream(record, verdict):
        if "protocol" in record:
            count("streams", "kind=" + record["protocol"], "verdict=" + verdict)
        else:
            count("lookups", "verdict=" + verdict)

    for record in records:
        event, why = record["event"], "reason=" + record.get("reason", "none")
        if event == "session-open":
            count("sessions_opened")
        elif event == "authenticated":
            count("sessions_authenticated")
        elif event in ("granted", "resolved"):
            stream(record, "granted")
        elif event == "refused" and "stream" in record:
            count("requests_refused", why)
            stream(record, "refused")
        elif event == "refused":
            count("sessions_refused", why)
        elif event == "session-end":
            count("sessions_ended", why)
        elif event == "scan":
            count("audit_scans")
        elif event == "stream-end":
            count("streams_ended", why)
            for way in ("up", "down"):
                if record["protocol"] == "udp":
                    count("claimed_udp_bytes", "direction=" + way, by=record["claimed_" + way])
                else:
                    count("stream_bytes", "direction=" + way, by=record.get("bytes_" + way, 0))
    return want
