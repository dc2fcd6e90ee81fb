# SPDX-License-Identifier: ISC
"""Node and packages of npm, which the test set-up installs into the build tree;
NODE_PATH names another place (make distcheck has a build tree of its own)."""

import os
import shutil
import unittest

import suite

MODULES = os.environ.get("NODE_PATH") or os.path.join(suite.BUILD, "node_modules")


def environment():
    return dict(os.environ, NODE_PATH=MODULES)


def need(*packages):
    """Skip where one of these is not installed."""
    for package in packages:
        if not os.path.isdir(os.path.join(MODULES, package)):
            raise unittest.SkipTest("no npm package %s in %s" % (package, MODULES))


def need_ws():
    """Skip where there is no Node, or no ws."""
    if not shutil.which("node"):
        raise unittest.SkipTest("no node")
    need("ws")
