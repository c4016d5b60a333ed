#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Print how many lines of each file the tests run: the host tests (gcov), and one boot of the
user-space tests in QEMU, by its log of the code that it translated.

coverage.py [--host] [--qemu]: only one of them. A line counts when the compiler made code of it,
which is why the two columns differ in how many lines a file has. A test that fails ends it.
"""
import json
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor

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
        said = [line for line in text.splitlines() if not line.startswith("ok ")]
        print("\n".join(said[-40:]), file=sys.stderr)
        sys.exit(f"coverage: {' '.join(words)}: status {status}")
    return text


def name_of(place):
    """A source's name in the tree. NASM records the folder and then the whole name again."""
    name = os.path.relpath(os.path.join(ROOT, place), ROOT)
    return re.sub(r"^(.+/)\1", r"\1", name)


def counted(lines):
    """{file: (lines run, lines)} of {(file, line): was it run?}."""
    count = {}
    for (name, _), ran in lines.items():
        before = count.get(name, (0, 0))
        count[name] = (before[0] + ran, before[1] + 1)
    return count


# ---- The host tests -----------------------------------------------------------------------------
# Without the sanitizers: they make the tests slower and are no part of what is counted. The counts
# are atomic, for some tests have threads.
COUNTING = ["SANITIZE=", "EXTRA=--coverage -fprofile-update=atomic"]


def data_files(folder):
    return sorted(
        os.path.join(top, name)
        for top, _, names in os.walk(folder)
        for name in names
        if name.endswith(".gcda")
    )


def host():
    out, here = os.path.join(OUT, "host"), path("tests", "host")
    for name in data_files(out):
        os.remove(name)
    call("make", "-s", f"-j{os.cpu_count()}", "-C", here, f"OUT={out}", *COUNTING, "all")
    programs = sorted(os.path.join(out, name) for name in os.listdir(out) if name.endswith("_test"))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(call, programs))
    lines = {}
    reports = call("gcov", "--json-format", "--stdout", *data_files(out), cwd=here)
    for report in reports.splitlines():
        for file in json.loads(report)["files"]:
            name = name_of(os.path.join(here, file["file"]))
            for line in file["lines"]:
                place = name, line["line_number"]
                lines[place] = lines.get(place, False) or line["count"] > 0
    return counted(lines)


# ---- The boot in QEMU ---------------------------------------------------------------------------


def addresses(disassembly):
    """Those of the instructions of a listing, as objdump and QEMU write them."""
    return set(re.findall(r"^(?:0x)?(ffffffff[0-9a-f]{8}):", disassembly, re.M))


def places(instructions):
    """{(file, line)} that these instructions were made of, inlined functions unfolded."""
    listed = os.path.join(OUT, "addresses")
    with open(listed, "w") as file:
        file.write("\n".join(instructions))
    found = re.findall(r"^(.+):(\d+)", call("addr2line", "-i", "-e", KERNEL, "@" + listed), re.M)
    return {(name_of(place), int(line)) for place, line in found}


def qemu():
    call("make", "-s", f"-j{os.cpu_count()}", "images")
    image, log = os.path.join(OUT, "qemu.img"), os.path.join(OUT, "qemu.log")
    files = ["-k", "build/test/kernel.elf", "-i", "build/test/initrd.cpio"]
    call("scripts/mkimage", "-o", image, *files, "-c", RUNNER)
    emulate = ["scripts/emulate", "--qemu", "--smp", "4", "--timeout", "1200", image]
    call(*emulate, "--", "-d", "in_asm", "-dfilter", KERNEL_RANGE, "-D", log)
    with open(log, errors="replace") as file:
        ran = places(addresses(file.read()))
    every = places(addresses(call("objdump", "-d", "--no-show-raw-insn", KERNEL)))
    return counted({place: place in ran for place in every})


# ---- The table ----------------------------------------------------------------------------------


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
        print("coverage: the host tests run ...", file=sys.stderr)
        columns["host tests"] = host()
    if "--qemu" in wanted:
        print("coverage: the user-space tests run in QEMU ...", file=sys.stderr)
        columns["QEMU"] = qemu()
    table(columns)


main()
