#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves: make is idempotent and writes below build/ only, and with every compiler that is promised
the kernel builds without a warning and boots."""
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from run.case import expect, path, run, run_tests


def second_make(folder):
    first, text = run("make", "images")
    second, again = run("make", "images")
    done = first == second == 0 and (not again or "Nothing to be done" in again)
    expect(done, "the second make does something", again)


def build_only(folder):
    if not os.path.exists(path(".git")):
        return "this is no git checkout"
    saw, text = run("git", "status", "--porcelain", "--ignored")
    ignored = [line for line in text.splitlines() if line.startswith("!!")]
    others = [line for line in ignored if line != "!! build/" and "__pycache__" not in line]
    expect(saw == 0 and not others, "files beside build/", "\n".join(others))


def boots(folder, kernel):
    """The story in QEMU, with the other parts of the image as they are."""
    image = folder.file("image")
    parts = ["-k", kernel, "-i", "build/initrd.cpio", "-c", "init=/sbin/init demo"]
    status, text = run("scripts/mkimage", "-o", image, *parts)
    expect(status == 0, "mkimage", text)
    status, text = run("scripts/emulate", "--qemu", "--timeout", "240", image)
    os.remove(image)
    told = re.search(r"^shadowfork: \d+ of 17 steps as expected", text, re.M)
    expect(status == 0 and told, f"the story: status {status}", text)


def works(optimise, **tools):
    """Both kernels are built, in a folder of their own, and the first one boots."""

    def test(folder):
        needed = tools.get("CROSS_COMPILE", "") + "gcc" if "KCC" not in tools else tools["KCC"]
        if not shutil.which(needed):
            return f"{needed} is not installed"
        out = folder.file("build")
        words = [f"{name}={value}" for name, value in tools.items()]
        words += [f"BUILD={out}", f"OPTIMISE={optimise}", "WERROR=1"]
        targets = [f"{out}/kernel.elf", f"{out}/test/kernel.elf"]
        status, text = run("make", "-s", f"-j{os.cpu_count()}", *words, *targets)
        expect(status == 0, "make " + " ".join(words), text)
        boots(folder, f"{out}/kernel.elf")
        shutil.rmtree(out)

    return test


run_tests(
    {
        "make_twice_does_nothing": second_make,
        "make_writes_below_build_only": build_only,
        "works_built_with_gcc_12_O2": works("-O2", KCC="gcc-12"),
        "works_built_with_gcc_12_O0": works("-O0", KCC="gcc-12"),
        "works_built_with_clang_14_O2": works("-O2", KCC="clang-14"),
        "works_built_with_clang_14_O0": works("-O0", KCC="clang-14"),
        "works_built_with_a_cross_compiler": works("-O2", CROSS_COMPILE="x86_64-elf-"),
    },
    jobs=1,
)
