# SPDX-License-Identifier: MIT
"""The suites: where their sources are, and how each is run. A suite is a function of
a Run; it returns jobs."""
import os
import subprocess
import sys
import time

from run.case import ROOT, path

# CPUs for the user-space tests. Most scripts of tests/boot have one.
CPUS = {"bochs": 2, "qemu": 4}
# Emulator, CPUs, milliseconds for each load, and processes at once; the short stress and the long.
STRESS_SHORT = [("bochs", 2, 400, 256), ("qemu", 4, 800, 512)]
STRESS_LONG = [
    ("qemu", 1, 10000, 1024),
    ("qemu", 2, 10000, 1024),
    ("qemu", 4, 20000, 2500),
    ("bochs", 1, 5000, 512),
    ("bochs", 2, 10000, 1024),
    ("bochs", 4, 5000, 512),
]


class Run:
    """One call of scripts/test: what was asked for."""

    def __init__(self, key="", quick=False, long=False, fork="auto"):
        self.key, self.quick, self.long, self.fork = key, quick, long, fork

    def exercise(self):
        return self.key.startswith("exercise_")


class Job:
    """A program that prints KTAP, perhaps after other lines."""

    def __init__(self, label, command, needs=None, before=None):
        """needs: words for make, for what is built before all jobs; before: a command of this job
        that must succeed first."""
        self.label, self.needs = label, needs
        self.commands = [before, command] if before else [command]

    def run(self):
        """Its results, to be counted; .seconds is how long it took."""
        started = time.monotonic()
        for command in self.commands:
            result = execute(command)
            if result.returncode:
                break
        result.seconds = time.monotonic() - started
        return result


def execute(command):
    return subprocess.run(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )


def jobs_of(suite, commands, needs=None):
    return [Job(f"{suite}/{name}", command, needs) for name, command in commands.items()]


def text_of(*parts):
    with open(path(*parts)) as file:
        return file.read()


def scripts_of(folder, key):
    """{name: command} of a folder's test scripts. Exercises run where their source is; tests with
    other names are looked for in every script."""
    found = {}
    for name in sorted(os.listdir(path(folder))):
        script = path(folder, name)
        wanted = not key.startswith("exercise_") or key in text_of(folder, name)
        if name.endswith(".py") and os.access(script, os.X_OK) and wanted:
            found[name] = [sys.executable, "-B", script] + ([key] if key else [])
    return found


def tree(run):
    """The tree itself: formats, licences, sizes, layers."""
    commands = scripts_of("tests/tree", run.key)
    if not run.key or "includes" in run.key:
        commands["layers"] = ["tests/layers/layers"]
    return jobs_of("tree", commands)


def docs(run):
    """What the documents say about the tree."""
    return jobs_of("docs", scripts_of("tests/docs", run.key))


def scripts(run):
    """The scripts, with emulators that are stand-ins."""
    return jobs_of("scripts", scripts_of("tests/scripts", run.key))


def host(run):
    """mm/ and what else runs on this machine, under the sanitizers."""
    ending = "" if run.exercise() else "_test"
    commands = {}
    for name in sorted(os.listdir(path("tests/host"))):
        program, dot, kind = name.partition(".")
        ours = program.startswith("exercise_") if run.exercise() else program.endswith(ending)
        if kind == "c" and ours and run.key.split(" ")[0] in text_of("tests/host", name):
            commands[program] = [path("build/host", program)]
    return jobs_of("host", commands, "-C tests/host" + (" exercises" if run.exercise() else ""))


def model(run):
    """The models, in Spin."""
    return jobs_of("model", {"spin": ["tests/model/run"] + ([run.key] if run.key else [])})


def fuzz(run):
    """The fuzzers, for some seconds each."""
    seconds = os.environ.get("FUZZ_SECONDS", "2" if run.quick else "60")
    names = sorted(
        name.removesuffix("_fuzz.c")
        for name in os.listdir(path("tests/fuzz"))
        if name.endswith("_fuzz.c") and run.key in "fuzz_" + name and not run.exercise()
    )
    command = ["make", "-s", "-C", "tests/fuzz", "run", f"FUZZ_SECONDS={seconds}"]
    return jobs_of("fuzz", {name: command + [f"ONLY={name}"] for name in names}, "-C tests/fuzz")


def builds(run):
    """Other compilers, and make itself."""
    return jobs_of("builds", scripts_of("tests/builds", run.key), "images")


def boot_once(name, emulator, cpus, words, timeout):
    """One boot of the test kernel, whose process 1 prints KTAP."""
    image, log = f"build/test/{name}.img", f"build/test/{name}.log"
    files = ["-k", "build/test/kernel.elf", "-i", "build/test/initrd.cpio"]
    make = ["scripts/mkimage", "-o", image, *files, "-c", words]
    options = [f"--{emulator}", "--smp", str(cpus), "--timeout", str(timeout), "--log", log]
    label = f"{name} ({cpus} CPU{'s' if cpus > 1 else ''})"
    return Job(label, ["scripts/emulate", *options, image], "images", make)


def runner(emulator):
    """All user-space tests in one boot."""

    def suite(run):
        if run.exercise() and not any_holds("tests/exercises", run.key):
            return []
        words = f"fork={run.fork} init=/tests/runner console=serial shstk_huge=1"
        words += f" -- {emulator} {run.key}"
        return [boot_once(f"{emulator}-{run.fork}", emulator, CPUS[emulator], words, 900)]

    return suite


def any_holds(folder, key):
    """Is the key in a file of the folder, or of a folder in it?"""
    files = (os.path.join(top, name) for top, _, names in os.walk(path(folder)) for name in names)
    return any(key in text_of(file) for file in files)


def stress(run):
    """Loads on all CPUs at once."""
    key = run.key.removeprefix("stress_")
    if run.exercise() or not any_holds("tests/stress", key.split(" ")[0]):
        return []
    jobs = []
    for emulator, cpus, ms, processes in STRESS_LONG if run.long else STRESS_SHORT:
        words = f"fork={run.fork} init=/stress/stress console=serial"
        words += f" -- {ms} {processes} {key}"
        timeout = 300 + 25 * ms // 1000
        jobs.append(
            boot_once(f"stress-{emulator}-{cpus}-{run.fork}", emulator, cpus, words, timeout)
        )
    return jobs


def boot(run):
    """Scripts that boot images of their own."""
    return jobs_of("boot", scripts_of("tests/boot", run.key), "images")


# In the order in which they begin: what takes longest is not last. The quick ones need no emulator.
SUITES = {
    "tree": tree,
    "docs": docs,
    "scripts": scripts,
    "model": model,
    "host": host,
    "bochs": runner("bochs"),
    "boot": boot,
    "qemu": runner("qemu"),
    "stress": stress,
    "builds": builds,
    "fuzz": fuzz,
}
QUICK = ["tree", "docs", "scripts", "model", "host", "fuzz"]
# What depends on the way to fork, and takes it from --fork.
WAYS = ["bochs", "qemu", "stress"]
