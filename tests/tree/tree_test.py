#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves: every file has its licence line, none is longer or wider than the style says, and C and
Python look as their formatters make them."""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from run.case import ROOT, expect, path, run, run_tests

COLUMNS, PROSE_COLUMNS = 100, 120
COLUMNS_OF_TAB, C_LINES = 4, 400
# Files that cannot have a comment, or are not ours to write one in.
NO_COMMENT = re.compile(r"^(LICENSE|.*\.txt|tests/fuzz/corpus/.*|.*\.(patch|png|svg|json))$")


def files(*endings):
    """The files of the tree: those git knows, or all outside build/ where there is no git."""
    if os.path.exists(path(".git")):
        words = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, text=True).stdout
        found = names.splitlines()
    else:
        walked = (os.path.join(top, name) for top, _, names in os.walk(ROOT) for name in names)
        found = [os.path.relpath(name, ROOT) for name in walked]
        found = [name for name in found if not name.startswith(("build/", ".git/"))]
    found = [name for name in sorted(set(found)) if os.path.isfile(path(name))]
    return [name for name in found if not endings or name.endswith(endings)]


def lines(name):
    with open(path(name), errors="surrogateescape") as file:
        return file.read().split("\n")


def none(found, why):
    expect(not found, why + ": " + "\n".join([""] + found[:20]))


def is_python(name):
    return name.endswith(".py") or (
        name.startswith(("scripts/", "tests/")) and lines(name)[0] == "#!/usr/bin/env python3"
    )


def spdx(folder):
    wanted = [name for name in files() if not NO_COMMENT.match(name)]
    wanted = [name for name in wanted if not name.endswith(".md") and not name == ".gitignore"]
    none([n for n in wanted if not any("SPDX-" in line for line in lines(n)[:4])], "no SPDX line")


def widths(folder):
    found = []
    for name in files():
        if NO_COMMENT.match(name):
            continue
        limit = PROSE_COLUMNS if name.endswith(".md") else COLUMNS
        for number, line in enumerate(lines(name), 1):
            free = name.endswith(".md") and (line.startswith(("|", "    ")) or "](" in line)
            if len(line.expandtabs(COLUMNS_OF_TAB)) > limit and not free:
                found.append(f"{name}:{number}: {len(line)} columns")
    none(found, "lines that are too wide")


def heights(folder):
    found = []
    for name in files(".c"):
        if len(lines(name)) - 1 > C_LINES:
            found.append(f"{name}: {len(lines(name)) - 1} lines, at most {C_LINES}")
    none(found, "files that are too long")


def blanks(folder):
    found = []
    for name in files():
        if NO_COMMENT.match(name):
            continue
        text = lines(name)
        found += [f"{name}: ends without a newline"] if text[-1] else []
        found += [
            f"{name}:{n}: blanks at its end" for n, l in enumerate(text, 1) if l != l.rstrip()
        ]
    none(found, "blanks")


def clang_format(folder):
    status, text = run("clang-format", "--dry-run", "-Werror", "--style=file", *files(".c", ".h"))
    expect(status == 0, "clang-format would change C files (clang-format -i FILE)", text)


def black(folder):
    status, text = run("black", "--check", "-q", "--diff", *filter(is_python, files()))
    expect(status == 0, "black would change Python files (black FILE)", text)


def patches(folder):
    """The mutants of `make mutants` are patches of the tree as it is."""
    found = []
    for name in files(".patch"):
        status, text = run("patch", "-p1", "-s", "--dry-run", "-f", "-i", name)
        found += [f"{name}: {text.strip()}"] if status else []
    none(found, "patches that do not apply")


run_tests(
    {
        "tree_every_file_has_its_licence": spdx,
        "tree_no_line_is_too_wide": widths,
        "tree_no_file_is_too_long": heights,
        "tree_no_stray_blanks": blanks,
        "tree_c_is_formatted": clang_format,
        "tree_mutants_apply": patches,
        "tree_python_is_formatted": black,
    }
)
