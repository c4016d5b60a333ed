#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Print how much of each file the tests reach: the lines that the host tests run (gcov), and the
functions that one boot of the test kernel enters in QEMU, by its log of translated code.

coverage.py [--host] [--qemu]: only one of them. What was counted stays in build/coverage/.
"""
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from run.case import ROOT, path, run

OUT = path("build", "coverage")
KERNEL = "build/test/kernel.debug"
KERNEL_RANGE = "0xffffffff80000000+0x1000000"
RUNNER = "init=/tests/runner console=serial shstk_huge=1 -- qemu"
FOLDERS = ("base/", "arch/", "mm/", "kernel/")


def call(*words, cwd=ROOT):
    """What a command prints; its failure is ours."""
    status, text = run(*words, cwd=cwd, timeout=1800)
    if status:
        sys.exit(f"{text[-2000:]}\ncoverage: {' '.join(words)}: status {status}")
    return text


def host():
    """{file: (lines run, lines)}."""
    out = os.path.join(OUT, "host")
    subprocess.run(["find", out, "-name", "*.gcda", "-delete"], stderr=subprocess.DEVNULL)
    make = ["make", "-s", f"-j{os.cpu_count()}", "-C", "tests/host", f"OUT={out}"]
    call(*make, "EXTRA=--coverage -fprofile-update=atomic", "all")
    for name in sorted(os.listdir(out)):
        if name.endswith("_test"):
            call(os.path.join(out, name))
    summary = os.path.join(OUT, "host.json")
    # Run where the compiler ran: the objects name their sources from there.
    call("gcovr", "-r", ROOT, "--json-summary", summary, out, cwd=path("tests", "host"))
    with open(summary) as file:
        files = json.load(file)["files"]
    return {file["filename"]: (file["line_covered"], file["line_total"]) for file in files}


def functions():
    """[(start, end, file)] of the test kernel's functions."""
    text = call("nm", "-n", "-S", KERNEL)
    found = re.findall(r"^([0-9a-f]{16}) ([0-9a-f]{16}) [tT] (\w+)$", text, re.M)
    starts = "\n".join(start for start, _, _ in found)
    done = subprocess.run(
        ["addr2line", "-e", KERNEL], cwd=ROOT, input=starts, stdout=subprocess.PIPE, text=True
    )
    places = [os.path.relpath(line.split(":")[0], ROOT) for line in done.stdout.splitlines()]
    return [
        (int(start, 16), int(start, 16) + int(size, 16), place)
        for (start, size, _), place in zip(found, places)
    ]


def qemu():
    """{file: (functions entered, functions)}."""
    call("make", "-s", f"-j{os.cpu_count()}", "images")
    image, log = os.path.join(OUT, "qemu.img"), os.path.join(OUT, "qemu.log")
    files = ["-k", "build/test/kernel.elf", "-i", "build/test/initrd.cpio"]
    call("scripts/mkimage", "-o", image, *files, "-c", RUNNER)
    emulate = ["scripts/emulate", "--qemu", "--smp", "4", "--timeout", "600", image]
    call(*emulate, "--", "-d", "in_asm", "-dfilter", KERNEL_RANGE, "-D", log)
    entered = set()
    with open(log, errors="replace") as file:
        for line in file:
            match = re.match(r"0x([0-9a-f]{16}):", line)
            if match:
                entered.add(int(match.group(1), 16))
    os.remove(log)
    count = {}
    for start, _, place in functions():
        ran, of = count.get(place, (0, 0))
        count[place] = (ran + (start in entered), of + 1)
    return count


def share(pair):
    return f"{pair[0]:>5} of {pair[1]:<5} {100 * pair[0] // pair[1]:>3} %" if pair else ""


def table(columns):
    names = {name for counts in columns.values() for name in counts if name.startswith(FOLDERS)}
    print(f"{'':36}" + "".join(f"{title:24}" for title in columns))
    for name in sorted(names):
        cells = [share(counts.get(name)) for counts in columns.values()]
        print(f"{name:36}" + "".join(f"{cell:24}" for cell in cells).rstrip())
    cells = []
    for counts in columns.values():
        pairs = [pair for name, pair in counts.items() if name in names]
        cells.append(share((sum(ran for ran, _ in pairs), sum(of for _, of in pairs))))
    print(f"{'all':36}" + "".join(f"{cell:24}" for cell in cells).rstrip())


def main():
    os.makedirs(OUT, exist_ok=True)
    both = {"--host", "--qemu"}
    wanted = both.intersection(sys.argv[1:]) or both
    if set(sys.argv[1:]) - both:
        sys.exit(__doc__)
    columns = {}
    if "--host" in wanted:
        columns["host tests, lines"] = host()
    if "--qemu" in wanted:
        columns["QEMU, functions"] = qemu()
    table(columns)


main()
