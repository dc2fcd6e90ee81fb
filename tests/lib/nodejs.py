# SPDX-License-Identifier: ISC
"""Node and its `ws` package, which the test set-up installs into the build tree;
NODE_PATH names another place (make distcheck has a build tree of its own)."""

import os
import shutil
import unittest

import suite

MODULES = os.environ.get("NODE_PATH") or os.path.join(suite.BUILD, "node_modules")


def environment():
    return dict(os.environ, NODE_PATH=MODULES)


def need_ws():
    """Skip where there is no Node, or no ws (`npm install --prefix BUILD ws`)."""
    if not shutil.which("node"):
        raise unittest.SkipTest("no node")
    if not os.path.isdir(os.path.join(MODULES, "ws")):
        raise unittest.SkipTest("no npm package ws in " + MODULES)
