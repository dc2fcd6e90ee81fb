# SPDX-License-Identifier: ISC
"""The grammar of an audit trail: what must hold whatever was killed when."""


def check(records, all_ended=True):
    """Every session has one open and one end, every stream one grant and one end.

    A stream of a session that was lost with its broker has no end of its own:
    nobody was there to count. Everything else has.
    """
    sessions, streams, numbers = {}, {}, {}
    for at, record in enumerate(records):
        assert record["seq"] == at + 1, "seq %s at line %d" % (record["seq"], at + 1)
        if "n" in record:
            run = record.get("run")
            assert record["n"] == numbers.get(run, 0) + 1, "record lost or doubled: %s" % record
            numbers[run] = record["n"]
        session, event = record.get("session"), record["event"]
        if session is None:
            continue
        if event == "session-open":
            assert session not in sessions, "opened twice: %s" % session
            sessions[session] = None
            continue
        assert session in sessions, "%s before its open" % event
        assert sessions[session] is None, "%s after its end: %s" % (event, record)
        stream = (session, record.get("stream"))
        if event == "granted":
            assert stream not in streams, "granted twice: %s" % record
            streams[stream] = None
        elif event == "stream-end":
            assert stream in streams and streams[stream] is None, "stray end: %s" % record
            streams[stream] = record
        elif event == "session-end":
            sessions[session] = record
            open_streams = [s for s, end in streams.items() if s[0] == session and end is None]
            assert not open_streams or record["reason"] == "broker-lost", \
                "ended with open streams: %s %s" % (record, open_streams)
    if all_ended:
        left = [session for session, end in sessions.items() if end is None]
        assert not left, "never ended: %s" % left
    return sessions, streams
