# SPDX-License-Identifier: MIT
"""Debian packages of Linux, from the release's backports. Everything lies in build/linux/: apt's
lists too, so that the machine's own configuration stays as it is."""
import glob
import os
import re
import subprocess

LINUX = "6.12"
SUITE = "bookworm"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
IMAGE = re.compile(rf"linux-image-{re.escape(LINUX)}\.\S+-cloud-amd64")


class Unavailable(Exception):
    """Why the package cannot be had, in one line."""


def numbers(name):
    """For sorting by version: 6.12.9 comes before 6.12.10."""
    return [int(number) for number in re.findall(r"\d+", name)]


def run(*command, cwd=None):
    """What a command prints. Raises Unavailable."""
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=600,
        )
    except OSError as error:
        raise Unavailable(f"{command[0]} is missing") from error
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{command[0]} did not end") from error
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("E: ")]
        raise Unavailable(f"{command[0]}: {(errors or ['E: failed'])[-1][3:]}")
    return done.stdout


class Apt:
    """An apt that knows packages, or sources, of one suite alone, the backports unless another is
    named, from the mirror which the machine's own apt uses."""

    def __init__(self, folder, kind="deb", suite=SUITE + "-backports"):
        self.folder = folder
        listed = run("apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME)")
        mirrors = [line.split()[0] for line in listed.splitlines() if line.endswith(" " + SUITE)]
        if not mirrors:
            raise Unavailable(f"apt has no source of Debian {SUITE}")
        for name in ("lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(folder, name), exist_ok=True)
        signed = f"[signed-by={KEYRING}] " if os.path.exists(KEYRING) else ""
        with open(os.path.join(folder, "sources.list"), "w") as file:
            file.write(f"{kind} {signed}{mirrors[0]} {suite} main\n")
        self.run("apt-get", "-q", "update", "--error-on=any")

    def run(self, program, *words):
        options = {
            "Dir::Etc::SourceList": os.path.join(self.folder, "sources.list"),
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::State": self.folder,
            "Dir::State::Lists": os.path.join(self.folder, "lists"),
            "Dir::State::Status": "/var/lib/dpkg/status",
            "Dir::Cache": os.path.join(self.folder, "cache"),
            "APT::Sandbox::User": "",
        }
        given = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        return run(program, *given, *words, cwd=self.folder)

    def newest(self, pattern):
        """The newest package whose whole name fits."""
        names = self.run("apt-cache", "pkgnames").split()
        found = sorted(filter(pattern.fullmatch, names), key=numbers)
        if not found:
            raise Unavailable(f"apt knows no package {pattern.pattern}")
        return found[-1]

    def package(self, name):
        """The path of a package, downloaded."""
        self.run("apt-get", "-q", "download", name)
        return sorted(glob.glob(os.path.join(self.folder, name + "_*.deb")))[-1]


def image(build):
    """The path of a kernel, vmlinuz-VERSION, downloaded if it is not there."""
    folder = os.path.join(build, "linux")
    pattern = os.path.join(folder, "image", "boot", f"vmlinuz-{LINUX}.*")
    if not glob.glob(pattern):
        apt = Apt(os.path.join(folder, "apt"))
        package = apt.package(apt.newest(IMAGE))
        run("dpkg-deb", "-x", package, os.path.join(folder, "image"))
        os.remove(package)
    found = sorted(glob.glob(pattern), key=numbers)
    if not found:
        raise Unavailable("the package holds no kernel")
    return found[-1]


def source(build, name):
    """The path of a file of Linux's source, downloaded if it is not there."""
    folder = os.path.join(build, "linux")
    top = f"linux-source-{LINUX}"
    path = os.path.join(folder, "source", top, name)
    if not os.path.exists(path):
        package = Apt(os.path.join(folder, "apt")).package(top)
        run("dpkg-deb", "-x", package, os.path.join(folder, "archive"))
        os.remove(package)
        archive = os.path.join(folder, "archive", "usr", "src", top + ".tar.xz")
        os.makedirs(os.path.join(folder, "source"), exist_ok=True)
        run("tar", "-xf", archive, "-C", os.path.join(folder, "source"), f"{top}/{name}")
        os.remove(archive)
    return path
