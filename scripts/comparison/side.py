# SPDX-License-Identifier: MIT
"""One side of a comparison: an image with one kernel, its boot, and what the program did there."""
import os
import re
import shutil
import subprocess
import sys

import disk

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPTS = os.path.dirname(HERE)
MARKED = re.compile(rb"^compare> (.*)$", re.M)
END = re.compile(rb"^compare: (exit status \d+|killed by signal \d+)$", re.M)
ESCAPED = re.compile(rb"\\x([0-9a-f]{2})")
INITRD = "penumbra/initrd.cpio"

PENUMBRA_WORDS = "init=/compare/init console=serial shstk=optin"
# Nothing random, nothing said that is not asked for; a panic restarts the machine. What each
# emulator does wrong and Linux uses is switched off: docs/platform.md.
LINUX_WORDS = (
    "rdinit=/compare/init console=ttyS0,115200 quiet loglevel=0 panic=-1"
    " nokaslr norandmaps mitigations=off pti=off clearcpuid="
)
CPU_LACKS = {"qemu": "cx16", "bochs": "avx512f,pku"}
NSH = "@echo -off\r\nfs0:\r\nvmlinuz.efi initrd=\\{initrd} {words}\r\n"


class Trouble(Exception):
    """No result: an exit status, and why, in one line."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


class Ran:
    """What the program did: its output, and its end in words."""

    def __init__(self, output, end):
        self.output, self.end = output, end


def decoded(serial):
    """What the program wrote, of all that was on the serial line."""
    output = b""
    for text in MARKED.findall(serial):
        whole = not text.endswith(b"\\")
        text = text if whole else text[:-1]
        output += ESCAPED.sub(lambda match: bytes([int(match.group(1), 16)]), text)
        output += b"\n" if whole else b""
    return output


def place(program, root):
    """The program's path there: the one that it has below root, else in /bin."""
    inside = os.path.relpath(os.path.realpath(program), os.path.realpath(root or "/"))
    if root and not inside.startswith(os.pardir):
        return "/" + inside
    return "/bin/" + os.path.basename(program)


def put(root, name, source):
    target = os.path.join(root, name)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    shutil.copyfile(source, target)
    os.chmod(target, 0o755)


def pack(folder, init, program, words, root=None):
    """An initrd for both sides; root: a folder with what else is in /. Returns its path."""
    made = os.path.join(folder, "root")
    if root:
        shutil.copytree(root, made, symlinks=True)
    there = place(program, root)
    put(made, there[1:], program)
    put(made, "compare/init", init)
    with open(os.path.join(made, "compare", "argv"), "wb") as file:
        file.write(b"".join(os.fsencode(word) + b"\0" for word in [there, *words]))
    initrd = os.path.join(folder, "initrd.cpio")
    disk.run(os.path.join(SCRIPTS, "mkinitrd"), "-o", initrd, made)
    return initrd


def write(path, text):
    with open(path, "w") as file:
        file.write(text)
    return path


class Penumbra:
    name = "Penumbra"

    def __init__(self, build):
        self.build = build

    def image(self, folder, initrd, emulator):
        made = os.path.join(folder, "penumbra.img")
        files = {
            "EFI/BOOT/BOOTX64.EFI": os.path.join(self.build, "BOOTX64.EFI"),
            "penumbra/kernel.elf": os.path.join(self.build, "kernel.elf"),
            "penumbra/cmdline.txt": write(os.path.join(folder, "cmdline"), PENUMBRA_WORDS + "\n"),
            INITRD: initrd,
        }
        disk.make(made, files)
        return made


class Linux:
    def __init__(self, kernel):
        self.kernel = kernel
        self.name = "Linux " + os.path.basename(kernel).removeprefix("vmlinuz-")

    def image(self, folder, initrd, emulator):
        """The firmware finds no EFI/BOOT, and so starts its shell, which runs startup.nsh."""
        words = LINUX_WORDS + CPU_LACKS[emulator]
        made = os.path.join(folder, "linux.img")
        text = NSH.format(initrd=INITRD.replace("/", "\\"), words=words)
        files = {
            "startup.nsh": write(os.path.join(folder, "startup.nsh"), text),
            "vmlinuz.efi": self.kernel,
            INITRD: initrd,
        }
        disk.make(made, files)
        return made


def run(side, image, emulator, options):
    """Boot the image, and return what Ran there; or raise Trouble."""
    emulate = os.path.join(SCRIPTS, "emulate")
    done = subprocess.run(
        [sys.executable, emulate, "--" + emulator, *options, image],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    end = END.search(done.stdout)
    if done.returncode == 0 and end:
        return Ran(decoded(done.stdout), end.group(1).decode())
    said = done.stderr.decode(errors="replace").splitlines() or ["emulate said nothing"]
    shown = decoded(done.stdout).decode(errors="replace").splitlines()[-1:]
    last = f" (the program's last line: {shown[0]!r})" if shown else ""
    status = done.returncode if done.returncode > 2 else 125
    raise Trouble(status, f"{side.name}: {said[-1].removeprefix('emulate: ')}{last}")
