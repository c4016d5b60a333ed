#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves: scripts/compare finds that a program does the same on Penumbra and on Linux, and that
another does not, each on a real kernel in QEMU."""
import os
import subprocess

from boot import expect, run, run_tests

HERE = os.path.dirname(os.path.abspath(__file__))
MISSING = 69


def compare(boots, *words):
    """The status, what was said, and why the test must be skipped, or None."""
    program = os.path.join(boots.file("folder"), "agree")
    os.mkdir(os.path.dirname(program))
    build = ["musl-gcc", "-static", "-o", program, os.path.join(HERE, "agree.c")]
    subprocess.run(build, check=True)
    status, text = run("scripts/compare", program, *words)
    lack = (text.splitlines() or [""])[-1].removeprefix("compare: ")
    return status, text, lack if status == MISSING and "cannot be had" in lack else None


def agrees(boots):
    status, text, lack = compare(boots, "one two", "")
    if lack:
        return lack
    expect(status == 0, f"expect status 0, saw {status}", text)
    lines = ["argv[0] = '/bin/agree'", "argv[1] = 'one two'", "argv[2] = ''", "in /, pid 2 of 1"]
    lines += ["PATH=/bin:/sbin", "pid 3, signal 11; \x1b[1mbold\\ and no newline\\ no newline"]
    for line in lines + ["[exit status 7]"]:
        expect(text.count(line) == 1, f"expect {line!r} once", text)


def differs(boots):
    status, text, lack = compare(boots, "uname")
    if lack:
        return lack
    expect(status == 1, f"expect status 1, saw {status}", text)
    changed = [line.split(" ")[0] for line in text.splitlines() if line[:1] in "+-"]
    expect(changed == ["---", "+++", "-Penumbra", "+Linux"], "expect one other line", text)


run_tests({"compare_finds_agreement": agrees, "compare_finds_a_difference": differs})
