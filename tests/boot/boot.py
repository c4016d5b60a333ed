# SPDX-License-Identifier: MIT
"""What the scripts of this folder share: making images, and booting them."""
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from run import case
from run.case import ROOT, Failed, Folder, expect, path, run

__all__ = ["ROOT", "Boot", "Boots", "Failed", "expect", "path", "put", "run", "run_tests"]

TEST_KERNEL = "build/test/kernel.elf"
TEST_INITRD = "build/test/initrd.cpio"
BUSYBOX = "/usr/bin/busybox" if os.path.exists("/usr/bin/busybox") else "/bin/busybox"


PARTITION = 1 << 20  # where the boot partition starts in an image


def put(image, name, data):
    """Put a file on the boot partition, over one that is there; data None removes the file."""
    environment = dict(os.environ, MTOOLS_SKIP_CHECK="1")
    on, there = ["-i", f"{image}@@{PARTITION}"], f"::/{name}"
    command = ["mdel", *on, there] if data is None else ["mcopy", "-D", "o", *on, "-", there]
    subprocess.run(command, env=environment, check=True, input=data)


class Boots(Folder):
    """A folder of one test, in which it makes images."""

    def image(
        self, cmdline="init=/sbin/init demo", kernel="build/kernel.elf", initrd="build/initrd.cpio"
    ):
        image = self.file("test.img")
        words = ["-o", image, "-k", kernel, "-i", initrd, "-c", cmdline]
        status, text = run("scripts/mkimage", *words)
        expect(status == 0, "mkimage failed", text)
        return image

    def initrd(self, files):
        """An initrd of the base programs and of files, {path in the initrd: path here}."""
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
        script = self.write("script", text)
        initrd = self.initrd({"bin/busybox": BUSYBOX, "script": script})
        return self.image("init=/bin/busybox -- sh /script", kernel, initrd)


class Boot:
    def __init__(self, emulator, image, *options, timeout=240):
        command = [path("scripts/emulate"), f"--{emulator}", "--timeout", str(timeout)]
        done = subprocess.run(
            [*command, *options, image],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        self.status, self.text = done.returncode, done.stdout
        self.last = (done.stderr.splitlines() or [""])[-1]

    def expect_status(self, status):
        why = f"expect status {status}, saw {self.status} ({self.last})"
        expect(self.status == status, why, self.text)

    def expect_text(self, pattern):
        match = re.search(pattern, self.text, re.M)
        expect(match, f"expect {pattern!r}", self.text)
        return match


def run_tests(tests):
    case.run_tests(tests, folder=Boots)
