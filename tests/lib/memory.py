# SPDX-License-Identifier: ISC
"""What a process holds, for root."""


def in_memory(pid, word):
    """Is it in any memory of that process that can be read?"""
    with open("/proc/%d/maps" % pid) as maps, open("/proc/%d/mem" % pid, "rb", 0) as memory:
        for line in maps:
            place, rights = line.split()[:2]
            if not rights.startswith("r") or "[v" in line:
                continue
            start, end = (int(x, 16) for x in place.split("-"))
            try:
                memory.seek(start)
                if word in memory.read(end - start):
                    return True
            except OSError:
                pass
    return False
