# SPDX-License-Identifier: ISC
"""A page in a headless browser. The page says that it is done by a POST to where it came from."""

import json
import os
import shutil
import subprocess
import tempfile
import unittest

import suite

PROGRAM = shutil.which("chromium-headless-shell") or shutil.which("chromium")


def need():
    if not PROGRAM:
        raise unittest.SkipTest("no chromium-headless-shell and no chromium")


def browse(url, posts, seconds=45):
    """Open the page until posts, the list of targets.http_page(), has its result; that one."""
    need()
    home = tempfile.mkdtemp(prefix="sockward-test-browser-")
    process = subprocess.Popen(
        [PROGRAM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-default-apps", "--no-first-run", "--no-proxy-server",
         "--user-data-dir=" + home, "--remote-debugging-port=0", url],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True)
    try:
        suite.wait_for(lambda: posts, seconds=seconds, what="the page's result")
    finally:
        for pid in suite.descendants(process.pid) + [process.pid]:
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                pass
        process.wait(10)
        shutil.rmtree(home, ignore_errors=True)
    return json.loads(posts[0][1])
