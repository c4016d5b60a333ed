# SPDX-License-Identifier: MIT
"""For test scripts: expecting, and printing KTAP. Each script takes a part of a test's name, and
then runs only the tests that contain it."""
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Failed(Exception):
    pass


def expect(condition, why, output="", lines=15):
    if not condition:
        raise Failed(why + "".join("\n" + line for line in output.splitlines()[-lines:]))


def path(*parts):
    return os.path.join(ROOT, *parts)


def run(*command, env=None, cwd=ROOT, timeout=300):
    """The status of a command, and all it says."""
    done = subprocess.run(
        command,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=dict(os.environ, **(env or {})),
        timeout=timeout,
    )
    return done.returncode, done.stdout


class Folder:
    """A temporary folder, which hands out new names in it."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="penumbra-test-")
        self.count = 0

    def file(self, name):
        self.count += 1
        return os.path.join(self.folder, f"{self.count}-{name}")

    def write(self, name, data, mode=0o644):
        """A new file with these contents; returns its path."""
        made = self.file(name)
        with open(made, "wb") as file:
            file.write(data if isinstance(data, bytes) else data.encode())
        os.chmod(made, mode)
        return made

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def run_tests(tests, jobs=None, folder=Folder):
    """tests: {name: function(folder)}. Runs jobs of them side by side (by default TESTS_AT_ONCE of
    the environment, or as many as there are CPUs), prints KTAP in order, and exits. Exercises run
    only when the part of a name that is asked for begins with exercise_."""
    key = sys.argv[1] if len(sys.argv) > 1 else ""
    wanted = {
        name: test
        for name, test in tests.items()
        if key in name and name.startswith("exercise_") == key.startswith("exercise_")
    }
    shared, failed = folder(), 0
    jobs = jobs or int(os.environ.get("TESTS_AT_ONCE", os.cpu_count()))
    print(f"KTAP version 1\n1..{len(wanted)}", flush=True)
    try:
        with ThreadPoolExecutor(jobs) as pool:
            futures = {name: pool.submit(test, shared) for name, test in wanted.items()}
            for number, (name, future) in enumerate(futures.items(), 1):
                try:
                    reason = future.result()
                    skip = f" # SKIP {reason}" if isinstance(reason, str) else ""
                    print(f"ok {number} - {name}{skip}", flush=True)
                except Exception as error:
                    failed += 1
                    why = str(error) if isinstance(error, Failed) else repr(error)
                    print("# " + why.replace("\n", "\n# "))
                    print(f"not ok {number} - {name}", flush=True)
    finally:
        shared.close()
    sys.exit(failed != 0)
