# SPDX-License-Identifier: MIT
"""The suites: where their sources are, and how each is run. A suite is a function of a Run."""
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from run.case import ROOT, path
from run.results import NOTHING

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
    """One call of scripts/test: what was asked for, and what came of it."""

    def __init__(self, totals, key, quick=False, long=False, fork="auto"):
        self.totals, self.key, self.quick, self.long = totals, key, quick, long
        self.fork = fork

    def exercise(self):
        return self.key.startswith("exercise_")

    def step(self, label, command):
        """Run a command from the root of the tree, telling how long it took."""
        print(f"{label} ...", end="", flush=True)
        result = execute(command)
        print(f"  {result.seconds:5.1f} s", flush=True)
        return result

    def build(self, label, *words):
        """True when make could build this."""
        result = self.step(f"building {label}", ["make", "-s", f"-j{os.cpu_count()}", *words])
        if result.returncode:
            self.totals.fail("build", label, result.stdout.splitlines())
        return result.returncode == 0

    def programs(self, suite, commands, jobs=1):
        """Suites that are programs {name: command}, jobs of them side by side."""
        with ThreadPoolExecutor(jobs) as pool:
            futures = {name: pool.submit(execute, command) for name, command in commands.items()}
            for name, future in futures.items():
                print(f"{suite}/{name} ...", end="", flush=True)
                result = future.result()
                print(f"  {result.seconds:5.1f} s", flush=True)
                if not (self.key and NOTHING.search(result.stdout)):
                    label, key = f"{suite}/{name}", self.key
                    self.totals.take(label, result.stdout, result.returncode, key)


def execute(command):
    started = time.monotonic()
    result = subprocess.run(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    result.seconds = time.monotonic() - started
    return result


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
    run.programs("tree", commands, jobs=os.cpu_count())


def docs(run):
    """What the documents say about the tree."""
    run.programs("docs", scripts_of("tests/docs", run.key))


def scripts(run):
    """The scripts, with emulators that are stand-ins."""
    run.programs("scripts", scripts_of("tests/scripts", run.key), jobs=os.cpu_count())


def host(run):
    """mm/ and what else runs on this machine, under the sanitizers."""
    target = "exercises" if run.exercise() else "all"
    if not run.build("tests/host", "-C", "tests/host", target):
        return
    ending = "" if run.exercise() else "_test"
    commands = {}
    for name in sorted(os.listdir(path("tests/host"))):
        program, dot, kind = name.partition(".")
        ours = program.startswith("exercise_") if run.exercise() else program.endswith(ending)
        if kind == "c" and ours and run.key.split(" ")[0] in text_of("tests/host", name):
            commands[program] = [path("build/host", program)]
    run.programs("host", commands, jobs=os.cpu_count())


def model(run):
    """The models, in Spin."""
    run.programs("model", {"spin": ["tests/model/run"] + ([run.key] if run.key else [])})


def fuzz(run):
    """The fuzzers, for some seconds each."""
    if run.exercise() or not run.build("tests/fuzz", "-C", "tests/fuzz"):
        return
    seconds = os.environ.get("FUZZ_SECONDS", "2" if run.quick else "60")
    names = sorted(
        name.removesuffix("_fuzz.c")
        for name in os.listdir(path("tests/fuzz"))
        if name.endswith("_fuzz.c") and run.key in "fuzz_" + name
    )
    command = ["make", "-s", "-C", "tests/fuzz", "run", f"FUZZ_SECONDS={seconds}"]
    run.programs("fuzz", {name: command + [f"ONLY={name}"] for name in names}, jobs=os.cpu_count())


def builds(run):
    """Other compilers, and make itself."""
    run.programs("builds", scripts_of("tests/builds", run.key))


def boot_once(run, suite, emulator, cpus, words, key, timeout=420):
    """One boot of the test kernel, whose process 1 prints KTAP."""
    image, log = f"build/test/{suite}.img", f"build/test/{suite}.log"
    words = f"fork={run.fork} init={words}" + (f" {key}" if key else "")
    files = ["-k", "build/test/kernel.elf", "-i", "build/test/initrd.cpio"]
    made = execute(["scripts/mkimage", "-o", image, *files, "-c", words])
    if made.returncode:
        run.totals.fail(suite, "mkimage", made.stdout.splitlines())
        return
    options = [f"--{emulator}", "--smp", str(cpus), "--timeout", str(timeout), "--log", log]
    cpus_text = f"{cpus} CPU{'s' if cpus > 1 else ''}"
    result = run.step(f"{suite} ({cpus_text})", ["scripts/emulate", *options, image])
    if not (key and NOTHING.search(result.stdout)):
        ktap = re.sub(r"^.*?(?=^KTAP )", "", result.stdout, flags=re.S | re.M)
        run.totals.take(suite, ktap, result.returncode)


def runner(emulator):
    """All user-space tests in one boot."""

    def suite(run):
        if run.exercise() and not any_holds("tests/exercises", run.key):
            return
        words = f"/tests/runner console=serial shstk_huge=1 -- {emulator}"
        boot_once(run, emulator, emulator, CPUS[emulator], words, run.key)

    return suite


def any_holds(folder, key):
    """Is the key in a file of the folder, or of a folder in it?"""
    files = (os.path.join(top, name) for top, _, names in os.walk(path(folder)) for name in names)
    return any(key in text_of(file) for file in files)


def stress(run):
    """Loads on all CPUs at once."""
    key = run.key.removeprefix("stress_")
    if run.exercise() or not any_holds("tests/stress", key.split(" ")[0]):
        return
    for emulator, cpus, ms, processes in STRESS_LONG if run.long else STRESS_SHORT:
        words = f"/stress/stress console=serial -- {ms} {processes}"
        timeout = 300 + 25 * ms // 1000
        boot_once(run, f"stress-{emulator}-{cpus}", emulator, cpus, words, key, timeout)


def boot(run):
    """Scripts that boot images of their own."""
    run.programs("boot", scripts_of("tests/boot", run.key))


# In the order they run. The quick ones need no emulator; those of IMAGES need `make images`.
SUITES = {
    "tree": tree,
    "docs": docs,
    "scripts": scripts,
    "model": model,
    "host": host,
    "fuzz": fuzz,
    "builds": builds,
    "bochs": runner("bochs"),
    "qemu": runner("qemu"),
    "stress": stress,
    "boot": boot,
}
QUICK = ["tree", "docs", "scripts", "model", "host", "fuzz"]
IMAGES = {"builds", "bochs", "qemu", "stress", "boot"}
