#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How far Linux's own test of shadow stacks, tools/testing/selftests/x86/test_shadow_stack.c, gets
on this kernel: in Bochs, with shstk=optin, which is exactly Linux. Its source comes from Debian and
stays in build/linux/. Exit status: 0 it passes (or cannot be had: SKIP), 1 it does not."""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "scripts"))

from comparison import debian

SOURCE = "tools/testing/selftests/x86/test_shadow_stack.c"
# Its parts in order, by how the line begins that says OK or SKIP.
PARTS = [
    "Shadow stack pivot",
    "Shadow stack faults",
    "Shadow stack violation",
    "Shadow gup",
    "mprotect()",
    "Userfaultfd",
    "Guard gap test, other",
    "Guard gap test, placement",
    "Ptrace",
    "32 bit",
    "Uretprobe",
]


def build():
    """Compiled as its own Makefile does."""
    source = debian.source(os.path.join(TOP, "build"), SOURCE)
    program = os.path.join(TOP, "build", "linux", "test_shadow_stack")
    flags = ["-O2", "-g", "-std=gnu99", "-pthread", "-mshstk", "-static", "-w"]
    subprocess.run(["gcc", *flags, "-o", program, source], check=True)
    return program


def result(part, text):
    for word, name in re.findall(r"^\[(OK|SKIP)\]\t(.+)$", text, re.M):
        if name.startswith(part):
            return word
    return "--"


def main():
    try:
        program = build()
    except debian.Unavailable as why:
        print(f"SKIP {os.path.basename(SOURCE)}: {why}")
        return 0
    command = [os.path.join(TOP, "scripts", "compare"), "--shstk", "--only", "penumbra", program]
    text = subprocess.run(command, stdout=subprocess.PIPE, text=True, errors="replace").stdout
    print(text)
    for part in PARTS:
        print(f"{result(part, text):4}  {part}")
    ended = "[exit status 0]" in text
    print("it passes" if ended else "it does not pass")
    return 0 if ended else 1


sys.exit(main())
