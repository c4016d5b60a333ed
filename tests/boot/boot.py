# SPDX-License-Identifier: MIT
"""What the scripts of this folder share: making images, booting them, and printing KTAP. Each script takes a part of a test's
name, and then runs only the tests that contain it."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TEST_KERNEL = "build/test/kernel.elf"
TEST_INITRD = "build/test/initrd.cpio"
BUSYBOX = "/usr/bin/busybox" if os.path.exists("/usr/bin/busybox") else "/bin/busybox"


class Failed(Exception):
    pass


def expect(condition, why, output=""):
    if not condition:
        raise Failed(why + "".join("\n" + line for line in output.splitlines()[-15:]))


def path(*parts):
    return os.path.join(ROOT, *parts)


class Boots:
    """A folder for images, and the result of booting one."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="penumbra-test-")
        self.count = 0

    def file(self, name):
        self.count += 1
        return os.path.join(self.folder, f"{self.count}-{name}")

    def image(self, cmdline="init=/sbin/init demo", kernel="build/kernel.elf", initrd="build/initrd.cpio"):
        image = self.file("test.img")
        made = subprocess.run([path("scripts/mkimage"), "-o", image, "-k", kernel, "-i", initrd, "-c", cmdline], cwd=ROOT,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        expect(made.returncode == 0, "mkimage failed", made.stdout)
        return image

    def initrd(self, files):
        """The base initrd's programs and files {path in the initrd: path here}."""
        root = self.file("root")
        shutil.copytree(path("build/root"), root)
        for name, source in files.items():
            target = os.path.join(root, name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy(source, target)
        result = self.file("initrd.cpio")
        subprocess.run([path("scripts/mkinitrd"), "-o", result, root], check=True)
        return result

    def script_image(self, text, kernel="build/kernel.elf"):
        """An image whose init is busybox's shell running this script."""
        script = self.file("script")
        with open(script, "w") as file:
            file.write(text)
        return self.image("init=/bin/busybox -- sh /script", kernel, self.initrd({"bin/busybox": BUSYBOX, "script": script}))

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


class Boot:
    def __init__(self, emulator, image, *options, timeout=150):
        run = subprocess.run([path("scripts/emulate"), f"--{emulator}", "--timeout", str(timeout), *options, image],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
        self.status, self.text, self.last = run.returncode, run.stdout, (run.stderr.splitlines() or [""])[-1]

    def expect_status(self, status):
        expect(self.status == status, f"expect status {status}, saw {self.status} ({self.last})", self.text)

    def expect_text(self, pattern):
        match = re.search(pattern, self.text, re.M)
        expect(match, f"expect {pattern!r}", self.text)
        return match


def run_tests(tests, jobs=2):
    """tests: {name: function(boots)}. Runs jobs of them side by side, prints KTAP in order, and exits. Exercises run only when
    the part of a name that is asked for begins with exercise_."""
    key = sys.argv[1] if len(sys.argv) > 1 else ""
    wanted = {name: test for name, test in tests.items()
              if key in name and name.startswith("exercise_") == key.startswith("exercise_")}
    boots, failed = Boots(), 0
    print(f"KTAP version 1\n1..{len(wanted)}", flush=True)
    try:
        with ThreadPoolExecutor(jobs) as pool:
            futures = {name: pool.submit(test, boots) for name, test in wanted.items()}
            for number, (name, future) in enumerate(futures.items(), 1):
                try:
                    future.result()
                    print(f"ok {number} - {name}", flush=True)
                except Exception as error:
                    failed += 1
                    print("# " + str(error).replace("\n", "\n# "))
                    print(f"not ok {number} - {name}", flush=True)
    finally:
        boots.close()
    sys.exit(failed != 0)
