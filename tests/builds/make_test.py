#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves: make is idempotent and writes below build/ only, and the kernel builds without a warning
with every compiler that is promised."""
import os
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


def compiles(optimise, **tools):
    """Both kernels, in a build folder of their own."""

    def test(folder):
        needed = tools.get("CROSS_COMPILE", "") + "gcc" if "KCC" not in tools else tools["KCC"]
        if not shutil.which(needed):
            return f"{needed} is not installed"
        out = folder.file("build")
        words = [f"{name}={value}" for name, value in tools.items()]
        words += [f"BUILD={out}", f"OPTIMISE={optimise}", "WERROR=1"]
        targets = [f"{out}/kernel.elf", f"{out}/test/kernel.elf"]
        status, text = run("make", "-s", f"-j{os.cpu_count()}", *words, *targets)
        shutil.rmtree(out, ignore_errors=True)
        expect(status == 0, "make " + " ".join(words), text)

    return test


run_tests(
    {
        "make_twice_does_nothing": second_make,
        "make_writes_below_build_only": build_only,
        "compiles_with_gcc_12_O2": compiles("-O2", KCC="gcc-12"),
        "compiles_with_gcc_12_O0": compiles("-O0", KCC="gcc-12"),
        "compiles_with_clang_14_O2": compiles("-O2", KCC="clang-14"),
        "compiles_with_clang_14_O0": compiles("-O0", KCC="clang-14"),
        "compiles_with_a_cross_compiler": compiles("-O2", CROSS_COMPILE="x86_64-elf-"),
    },
    jobs=1,
)
