# SPDX-License-Identifier: MIT
"""What a document refers to, and whether it is there: files, functions in files, test names and
other identifiers, make targets, options of the scripts."""
import glob
import os
import re
import subprocess

CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
PATH = r"(?:[\w.*-]+/)*[\w.*-]+"
# In a document: `arch/x86/pgtable.h:pte_wrprotect`, `scripts/emulate:Bochs.boot`.
IN_FILE = re.compile(rf"^({PATH}\.(?:c|h|asm|inc|py)|scripts/[\w/]+):([\w.]+)(?:\(\))?$")
IDENTIFIER = re.compile(r"^[a-z][a-z0-9]*(?:_[a-z0-9]+)+(?:\(\))?$")
PREFIX = re.compile(r"^([a-z][a-z0-9]*(?:_[a-z0-9]+)*_)\.\.\.$")
TWIN = re.compile(r"^([\w ]+) notices ([\w ]+)$")
MAKE = re.compile(r"\bmake((?: +[A-Za-z_-][\w./=-]*)+)")
SCRIPT = re.compile(r"\b(scripts/\w+|tests/\w+/run)(?![\w/])([^`#|\n]*)")
OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z-]+)")
SOURCES = (".c", ".h", ".asm", ".inc", ".py", ".pml", ".ld", "Makefile")
# Where a script's options are when they are not in the script itself.
MODULES = {
    "scripts/compare": "scripts/comparison/*.py",
    "scripts/emulate": "scripts/emulator/*.py",
    "scripts/run": "scripts/emulator/*.py",
    "scripts/test": "tests/run/*.py",
}


class Tree:
    """The files of the tree, and the words in them."""

    def __init__(self, root):
        self.root = root
        words = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
        done = subprocess.run(words, cwd=root, stdout=subprocess.PIPE, text=True)
        names = done.stdout.splitlines() or [
            os.path.relpath(os.path.join(top, name), root)
            for top, _, names in os.walk(root)
            for name in names
        ]
        self.files = [n for n in names if not n.startswith(("build/", ".git/"))]
        self.files = [n for n in self.files if os.path.isfile(os.path.join(root, n))]
        self.tops = {name.split("/")[0] for name in self.files if "/" in name}
        code = [
            n for n in self.files if n.endswith(SOURCES) or n.startswith(("scripts/", "tests/"))
        ]
        code = [n for n in code if "corpus/" not in n and not n.endswith(".md")]
        self.words = set()
        for name in code:
            self.words.update(re.findall(r"\w+", self.text(name)))
        others = self.text("tests/docs/names_of_others.txt").splitlines()
        self.others = {line for line in others if not line.startswith("#")}
        self.targets = set(re.findall(r"[\w.-]+", self.target_lines()))

    def text(self, name):
        with open(os.path.join(self.root, name), errors="replace") as file:
            return file.read()

    def target_lines(self):
        found = re.findall(r"^([\w. -]+):(?!=)", self.text("Makefile").replace("\\\n", " "), re.M)
        return " ".join(found)

    def documents(self):
        return [name for name in self.files if name.endswith(".md")]

    def find(self, path):
        """The files that path may mean: from the root, or with an unambiguous end."""
        if "*" in path:
            return glob.glob(os.path.join(self.root, path))
        if os.path.exists(os.path.join(self.root, path)):
            return [path]
        return [name for name in self.files if name.endswith("/" + path)]

    def options(self, script):
        names = [script] + glob.glob(os.path.join(self.root, MODULES.get(script, "-")))
        if script == "scripts/run":
            names.append("scripts/emulate")
        return " ".join(self.text(name) for name in names if os.path.isfile(self.full(name)))

    def full(self, name):
        return os.path.join(self.root, name)

    def defines(self, name, what):
        """Does this file hold each part of a name, as `Bochs.boot` has two?"""
        text = self.text(name)
        return all(re.search(rf"\b{re.escape(part)}\b", text) for part in what.split("."))


def commands(line):
    """The parts of a line that are code: spans, or all of an indented line."""
    return [line.strip()] if line.startswith("    ") else CODE.findall(line)


def wrong_in_span(tree, span):
    """What is wrong with `span`, or None."""
    if span in tree.others:
        return None
    in_file, prefix, twin = IN_FILE.match(span), PREFIX.match(span), TWIN.match(span)
    if in_file:
        return wrong_function(tree, *in_file.groups())
    if twin:
        parts = [part for part in twin.groups() if " " not in part]
        missing = [part for part in parts if part not in tree.words]
        return f"no test or defect is called {missing[0]}" if missing else None
    if prefix:
        start = prefix.group(1)
        known = any(word.startswith(start) for word in tree.words)
        return None if known else f"nothing in the tree begins with {start}"
    if IDENTIFIER.match(span):
        name = span.removesuffix("()")
        known = name in tree.words or name.removeprefix("stress_") in tree.words
        return None if known else f"nothing in the tree is called {name}"
    return wrong_path(tree, span)


def wrong_function(tree, path, name):
    found = [file for file in tree.find(path) if os.path.isfile(tree.full(file))]
    if not found:
        return f"there is no file {path}"
    return None if any(tree.defines(f, name) for f in found) else f"{path} has no {name}"


def wrong_path(tree, span):
    word = span.split(" ")[0].rstrip("/")
    top, slash, _ = word.partition("/")
    looks = slash and top in tree.tops and re.fullmatch(r"[\w./*-]+", word)
    if (
        looks
        and word not in tree.others
        and not tree.find(word)
        and not os.path.isdir(tree.full(word))
    ):
        return f"there is no {word}"
    return None


def wrong_targets(tree, text):
    for words in MAKE.findall(text):
        for word in words.split():
            if word.startswith("-"):
                break
            if "=" in word or "/" in word:
                continue
            if word not in tree.targets:
                return f"make has no target {word}"
    return None


def wrong_options(tree, text):
    for script, rest in SCRIPT.findall(text):
        if script not in tree.files and script not in tree.others:
            return f"there is no {script}"
        known = tree.options(script)
        for option in OPTION.findall(rest.split(" -- ")[0]):
            if not re.search(rf"{option}(?![\w-])", known):
                return f"{script} has no option {option}"
    return None


def check(tree, name, text):
    """Lines "file:line: what is wrong" of a document."""
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        wrongs = (
            [] if line.startswith("    ") else [wrong_in_span(tree, s) for s in CODE.findall(line)]
        )
        for part in commands(line):
            wrongs += [wrong_options(tree, part)]
            wrongs += [wrong_targets(tree, part)] if part.startswith("make ") else []
        found += [f"{name}:{number}: {wrong}" for wrong in wrongs if wrong]
    return found
