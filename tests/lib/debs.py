# SPDX-License-Identifier: ISC
"""The Debian package, built of this tree, and a booted systemd to install it in."""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile

import booted
import suite

PLACES = ("etc", "var", "run", "root", "srv")
# What systemd, dpkg and passwd(5)'s programs write for themselves; whose names are looked at.
VOLATILE = re.compile(r"/(run/systemd/(?!system(\.control)?/)|run/log/|run/udev/|run/dbus/"
                      r"|var/log/journal/|var/lib/dpkg/|var/lib/systemd/|var/tmp/systemd-private-"
                      r"|etc/(passwd|group|shadow|gshadow)-$|etc/\.pwd\.lock$)")


def run(*argv, cwd=None, seconds=60, **environ):
    done = subprocess.run(argv, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=seconds,
                          env=dict(clean(), **environ))
    if done.returncode:
        raise AssertionError("%s: %d\n%s" % (" ".join(argv), done.returncode, done.stdout[-4000:]))
    return done.stdout


def clean():
    """The environment, without what the make around us has put in."""
    return {name: value for name, value in os.environ.items() if not re.match(
        r"(MAKE|MFLAGS|SOCKWARD|CMOCKA|DEB_|DH_|CC$|CPP$|C(PP)?FLAGS|LDFLAGS)", name)}


class Package:
    """The package as dpkg-buildpackage makes it of what `make dist' would pack."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="sockward-deb-")
        self.tree = os.path.join(self.directory, "sockward")
        try:
            run("make", "-s", "-C", suite.BUILD, "distdir", "distdir=" + self.tree, seconds=120)
            self.log = run("dpkg-buildpackage", "-b", "-us", "-uc", cwd=self.tree, seconds=300,
                           DEB_BUILD_OPTIONS="nocheck parallel=2")
            self.changes, = self.find(".changes")
            self.deb, = [name for name in self.find(".deb") if "dbgsym" not in name]
            self.content = os.path.join(self.directory, "content")
            run("dpkg-deb", "-R", self.deb, self.content)
        except BaseException:
            self.remove()
            raise

    def find(self, end):
        return [os.path.join(self.directory, name) for name in os.listdir(self.directory)
                if name.endswith(end)]

    def remove(self):
        shutil.rmtree(self.directory, ignore_errors=True)

    def files(self):
        """All that is installed, by its path there."""
        for where, _, names in os.walk(self.content):
            for name in names:
                path = os.path.join(where, name)
                inside = path[len(self.content):]
                if not inside.startswith("/DEBIAN/"):
                    yield inside, path

    def text(self, name):
        with open(os.path.join(self.content, name)) as file:
            return file.read()

    def later(self, version, unit, old, new):
        """The same package as a later version, with a unit that is a little different."""
        tree = os.path.join(self.directory, "later")
        shutil.copytree(self.content, tree, symlinks=True)
        for name, before, after in (
                ("DEBIAN/control", "Version: ", "Version: %s\nX-Was: " % version),
                (unit, old, new)):
            path = os.path.join(tree, name)
            with open(path) as file:
                text = file.read()
            assert before in text, name
            with open(path, "w") as file:
                file.write(text.replace(before, after, 1))
        deb = os.path.join(self.directory, "later.deb")
        run("dpkg-deb", "-b", "-Znone", "--root-owner-group", tree, deb)
        return deb


class Machine(booted.Machine):
    """A systemd without sockward, where packages can be installed."""

    def install(self):
        """Writes to /usr and to dpkg's database stay in directories of our own."""
        os.makedirs(self.path("var/tmp"))
        self.mounts = []
        for name in ("usr", "var/lib/dpkg"):
            upper = os.path.join(self.directory, "upper", name)
            os.makedirs(upper)
            self.mounts.append("--overlay=/%s:%s:/%s" % (name, upper, name))

    def __enter__(self):
        super().__enter__()
        self.run("rm", "-f", "/usr/sbin/policy-rc.d")
        return self

    def dpkg(self, *argv, check=True):
        """What it said. Other packages' triggers would index all of this host's manuals."""
        return self.run("env", "DEBIAN_FRONTEND=noninteractive",
                        "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "dpkg", "--no-triggers", *argv,
                        check=check).stdout

    def put(self, deb):
        shutil.copy(deb, self.path("root", os.path.basename(deb)))
        said = self.dpkg("-i", "/root/" + os.path.basename(deb))
        os.unlink(self.path("root", os.path.basename(deb)))
        return said

    def everything(self):
        """All files there are but those of this host's /usr: {path: kind and content}."""
        found = {}
        for name in PLACES:
            top = "/proc/%d/root" % self.leader
            self.walk(os.path.join(top, name), len(top), found)
        upper = os.path.join(self.directory, "upper", "usr")
        made = {}
        self.walk(upper, len(os.path.dirname(upper)), made)
        # Directories are copied up when something is written in them.
        found.update((path, what) for path, what in made.items()
                     if what != "directory" or not os.path.isdir(path))
        return found

    @staticmethod
    def walk(top, cut, found):
        for where, directories, names in os.walk(top):
            for name in directories + names:
                path = os.path.join(where, name)
                if os.path.islink(path):
                    what = "to " + os.readlink(path)
                elif os.path.isdir(path):
                    what = "directory"
                elif os.path.isfile(path) and "/etc/" in path:
                    with open(path, "rb") as file:
                        what = hashlib.sha256(file.read()).hexdigest()
                else:
                    what = "file"
                found[path[cut:]] = what

    def changes(self, before):
        """What is there now and was not, or is not now and was, or is another: by path."""
        now = self.everything()
        return sorted(path for path in set(before) | set(now)
                      if before.get(path) != now.get(path)
                      and not (VOLATILE.match(path) and "sockward" not in path))

    def users(self):
        with open(self.path("etc/passwd")) as file:
            return [line.split(":")[0] for line in file if line.startswith("sw-")]

    def units(self):
        """All units of ours that are loaded, with their state."""
        done = self.systemctl("list-units", "--all", "--plain", "--no-legend", "sockward*")
        return [line.split()[:4] for line in done.stdout.splitlines()]
