#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""strace, built statically from Debian's source in build/strace/, traces `busybox ls` on this
kernel. Exit status: 0 it does (or its source cannot be had: SKIP), 1 it does not."""
import glob
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
FOLDER = os.path.join(TOP, "build", "strace")
BUSYBOX = "/bin/busybox"
sys.path.insert(0, os.path.join(TOP, "scripts"))

from comparison import debian

CONFIGURE = ["--enable-mpers=no", "--disable-stacktrace", "--disable-gcc-Werror", "LDFLAGS=-static"]
# What the trace must tell, each in a line of its own.
EXPECTED = [
    r'execve\("/bin/busybox", \["busybox", "ls", "/"\], 0x[0-9a-f]+ /\* \d+ vars \*/\) = 0',
    r"getdents64\(\d+, .*, \d+\) += [1-9]\d*",
    r"exit_group\(0\) += \?",
    r"\+\+\+ exited with 0 \+\+\+",
]


def build():
    """The path of strace."""
    program = os.path.join(FOLDER, "src", "strace")
    if os.path.exists(program):
        return program
    os.makedirs(FOLDER, exist_ok=True)
    apt = debian.Apt(os.path.join(FOLDER, "apt"), "deb-src", debian.SUITE)
    apt.run("apt-get", "-q", "source", "--download-only", "strace")
    archive = glob.glob(os.path.join(FOLDER, "apt", "strace_*.orig.tar.*"))
    tar = [path for path in archive if not path.endswith(".asc")][0]
    subprocess.run(["tar", "-xf", tar, "-C", FOLDER, "--strip-components=1"], check=True)
    quiet = {"cwd": FOLDER, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(["./configure", *CONFIGURE], check=True, **quiet)
    subprocess.run(["make", "-s", "-j2"], check=True, **quiet)
    return program


def root(program):
    """A root folder with both programs, strace without what only debuggers read."""
    folder = os.path.join(FOLDER, "root", "bin")
    os.makedirs(folder, exist_ok=True)
    subprocess.run(["cp", BUSYBOX, folder], check=True)
    subprocess.run(["strip", "-o", os.path.join(folder, "strace"), program], check=True)
    return os.path.dirname(folder)


def main():
    try:
        top = root(build())
    except (debian.Unavailable, subprocess.CalledProcessError, OSError) as why:
        print(f"SKIP strace: {why}")
        return 0
    compare = os.path.join(TOP, "scripts", "compare")
    traced = [os.path.join(top, "bin", "strace"), "busybox", "ls", "/"]
    command = [compare, "--only", "penumbra", "--root", top, *traced]
    text = subprocess.run(command, stdout=subprocess.PIPE, text=True, errors="replace").stdout
    print(text)
    missing = [line for line in EXPECTED if not re.search(f"^{line}$", text, re.M)]
    for line in missing:
        print(f"no line {line}")
    print("strace traces busybox ls" if not missing else "strace does not trace busybox ls")
    return 1 if missing else 0


sys.exit(main())
