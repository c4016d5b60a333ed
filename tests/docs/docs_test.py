#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves: every file, function, test name, make target and option that the documents name is
there; what they show of a command's output is what it prints; and a wrong one is noticed."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from references import Tree, check
from run.case import ROOT, expect, run, run_tests

TREE = Tree(ROOT)

# A line of a document, and what must be said of it. The first of each pair is right.
PLANTED = [
    ("`arch/x86/pgtable.h:pte_wrprotect`", None),
    ("`arch/x86/pgtable.h:pte_wrprotekt`", "arch/x86/pgtable.h has no pte_wrprotekt"),
    ("`arch/x86/pagetable.h:pte_wrprotect`", "there is no file arch/x86/pagetable.h"),
    ("`pgtable.h:pte_wrprotect`", None),
    ("`scripts/emulator/bochs.py:Bochs.boot`", None),
    ("`scripts/emulator/bochs.py:Bochs.shoot`", "has no Bochs.shoot"),
    ("`tests/host/`", None),
    ("`tests/hosts/`", "there is no tests/hosts"),
    ("`tests/boot/*.py`", None),
    ("`tests/boot/*.rs`", "there is no tests/boot/*.rs"),
    ("`docs_planted_errors_are_noticed`", None),
    ("`docs_planted_" + "terrors`", "nothing in the tree is called docs_planted_" + "terrors"),
    ("`mkimage_...`", None),
    ("`mkimages" + "_...`", "nothing in the tree begins with mkimages"),
    ("`story notices skip_copy`", None),
    ("`story notices skip_" + "coffee`", "no test or defect is called skip_" + "coffee"),
    ("    make check", None),
    ("    make cheque", "make has no target cheque"),
    ("`make -C tests/fuzz run`", None),
    ("`make all bench`", None),
    ("`make all trench`", "make has no target trench"),
    ("`scripts/emulate --timeout 9 x.img`", None),
    ("    scripts/emulate --time 9 x.img", "scripts/emulate has no option --time"),
    ("`scripts/test --only host`", None),
    ("`scripts/test --lonely host`", "scripts/test has no option --lonely"),
    ("`scripts/walk`", "there is no scripts/walk"),
]


def references(folder):
    found = []
    for name in TREE.documents():
        found += check(TREE, name, TREE.text(name))
    expect(not found, f"{len(found)} wrong references:", "\n".join(found), lines=60)


def planted(folder):
    for line, want in PLANTED:
        saw = check(TREE, "planted.md", "\n" + line)
        if want is None:
            expect(not saw, f"{line!r} is right, saw {saw}")
        else:
            expect(saw and saw[0].startswith("planted.md:2: "), f"{line!r} passes: {saw}")
            expect(want in saw[0], f"{line!r}: expect {want!r}, saw {saw}")


def shown_output(folder):
    """What stands below a line `$ COMMAND` of an indented block is what the command prints."""
    found, count = [], 0
    for name in TREE.documents():
        for command, shown in re.findall(
            r"^    \$ (.+)\n((?:    (?!\$).*\n)+)", TREE.text(name), re.M
        ):
            count += 1
            text = run("sh", "-c", command)[1]
            for line in re.findall(r"^    (.+)$", shown, re.M):
                if line.strip() != "..." and line.rstrip() not in text:
                    found.append(f"{name}: {command} does not print {line!r}")
    expect(not found, "output that is not printed:", "\n".join(found))
    return None if count else "no document shows a command's output"


run_tests(
    {
        "docs_references_are_right": references,
        "docs_planted_errors_are_noticed": planted,
        "docs_output_is_what_is_printed": shown_output,
    }
)
