#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Try mutants against the tests that run on this machine, and print who is noticed.

A mutant is a planted defect of base/defect.h, switched on for good, or a patch of tests/mutants/.
Each is made in a copy of the tree below build/mutants/. One that no quick test has the code of is
out of reach: those need the emulators, where their twins are. mutants.py [NAME]: only some.
"""
import filecmp
import os
import re
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))

from run.case import ROOT, path, run

COPY = path("build", "mutants")
FOLDERS = ["arch", "base", "include", "kernel", "mm", "tests"]
FUZZ_SECONDS = "4"
DEFECT_ON = "static inline bool defect_on(enum defect defect)\n{\n"


def call(*words):
    """The status of a command in the copy, and what it says."""
    return run(*words, cwd=COPY, timeout=900)


def fresh(folder):
    """Make a folder of the copy as it is in the tree, touching only files that differ."""
    for top, folders, names in os.walk(path(folder)):
        there = os.path.join(COPY, os.path.relpath(top, ROOT))
        os.makedirs(there, exist_ok=True)
        for name in set(os.listdir(there)) - set(names) - set(folders):
            os.remove(os.path.join(there, name))
        for name in names:
            ours, copy = os.path.join(top, name), os.path.join(there, name)
            if not os.path.exists(copy) or not filecmp.cmp(ours, copy, shallow=False):
                shutil.copy(ours, copy)


def plant(defect):
    """Switch a defect on for good."""
    name = os.path.join(COPY, "base", "defect.h")
    with open(name) as file:
        text = file.read()
    if DEFECT_ON not in text:
        sys.exit("mutants: base/defect.h:defect_on() looks different now")
    with open(name, "w") as file:
        always = f"    if (defect == {defect})\n        return true;\n"
        file.write(text.replace(DEFECT_ON, DEFECT_ON + always))


def apply(patch):
    status, text = call("patch", "-p1", "-s", "--no-backup-if-mismatch", "-i", patch)
    if status:
        sys.exit(f"mutants: {patch} does not apply:\n{text}")


def defects():
    with open(path("base", "defect.h")) as file:
        found = re.findall(r"^    (DEFECT_\w+),", file.read(), re.M)
    return [name for name in found if name != "DEFECT_NONE"]


def in_reach(defect):
    """Is the defect in code that a host test links?"""
    status, _ = call("grep", "-rlw", "--include=*.[ch]", defect, "mm", "tests/kernel/mm")
    return status == 0


def noticed():
    """The first quick test that fails, or None. The fastest come first."""
    make = ["make", "-s", f"-j{os.cpu_count()}", "-C", "tests/host"]
    status, text = call(*make, "all")
    if status:
        return "the compiler" if "error:" in text else sys.exit(text[-3000:])
    folder = os.path.join(COPY, "build", "host")
    programs = [name for name in os.listdir(folder) if name.endswith("_test")]
    for name in sorted(programs, key=lambda name: (name in ("mm_test", "huge_test"), name)):
        status, text = call(os.path.join(folder, name))
        if status:
            failed = re.search(r"^not ok \d+ - (.*)$", text, re.M)
            return failed.group(1) if failed else name
    return None


def noticed_by_fuzzers():
    fuzzers = ["make", "-s", "-C", "tests/fuzz", "run", f"FUZZ_SECONDS={FUZZ_SECONDS}"]
    status, text = call(*fuzzers)
    failed = re.search(r"^not ok \d+ - (.*)$", text, re.M)
    return failed.group(1) if status and failed else None


def main():
    key = sys.argv[1] if len(sys.argv) > 1 else ""
    patches = sorted(name for name in os.listdir(HERE) if name.endswith(".patch"))
    mutants = [(name, plant) for name in defects()] + [(name, apply) for name in patches]
    killed, survived, out_of_reach = [], [], []
    for name, make in mutants:
        if key not in name:
            continue
        for folder in FOLDERS:
            fresh(folder)
        if make is plant and not in_reach(name):
            out_of_reach.append(name)
            continue
        make(name if make is plant else os.path.join(HERE, name))
        by = noticed() or (noticed_by_fuzzers() if make is apply else None)
        print(f"{name}: {'noticed by ' + by if by else 'SURVIVES'}", flush=True)
        (killed if by else survived).append(name)
    shutil.rmtree(COPY, ignore_errors=True)
    print(f"out of the quick tests' reach: {', '.join(out_of_reach) or 'none'}")
    tried = len(killed) + len(survived)
    print(f"{len(killed)} of {tried} mutants noticed ({100 * len(killed) // max(tried, 1)} %)")
    return 0


sys.exit(main())
