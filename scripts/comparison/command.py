# SPDX-License-Identifier: MIT
"""Run a static x86-64 program on Penumbra and on Debian's Linux 6.12, in the same emulator, and
compare what it writes (standard output and error together) and how it ends.

On both sides it is a child of the same process 1, with the same words, environment and root folder:
/proc, /dev, /tmp, and itself in /bin. QEMU, or with --shstk Bochs, whose CPU has shadow stacks;
they are off until the program asks for one. Linux comes from Debian's backports, once, into
build/linux/.

Exit status: 0 they agree, and the output is printed; 1 they differ, and a unified diff is printed;
2 wrong use; 69 something is missing; 124 time-out; 125 no result. The last line on standard error
says which.
"""
import argparse
import difflib
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import disk

from comparison import debian
from comparison.side import Linux, Penumbra, Trouble, pack, run

SECONDS = {"qemu": 120, "bochs": 900}
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NEEDS = ("kernel.elf", "BOOTX64.EFI", "compare/init")
WRONG_USE, MISSING, NO_RESULT = 2, 69, 125
ELF_START = b"\x7fELF\x02\x01"
X86_64 = 62
INTERPRETER = 3  # p_type of a program that needs a dynamic linker


def note(text):
    print(f"compare: {text}", file=sys.stderr, flush=True)


def parser():
    made = argparse.ArgumentParser(
        prog="compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = made.add_argument
    add("--shstk", action="store_true", help="in Bochs, whose CPU has shadow stacks")
    add("--smp", type=int, default=1, metavar="N", help="CPUs")
    add("--mem", type=int, default=512, metavar="MIB")
    add("--cpu", metavar="MODEL", help="another CPU model of the emulator's")
    add("--timeout", type=float, metavar="S", help="of each side: 120 s, in Bochs 900 s")
    add("--root", metavar="FOLDER", help="what else is in /; a program in it keeps its place")
    add("--linux", metavar="VMLINUZ", help="another Linux kernel")
    add("--only", choices=["penumbra", "linux"], help="run one side, and compare nothing")
    add("program", help="a static x86-64 program")
    add("words", nargs=argparse.REMAINDER, help="its arguments")
    return made


def number(data, at, size):
    return int.from_bytes(data[at : at + size], "little")


def check_program(path):
    """Refuses what is no static x86-64 program."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise Trouble(WRONG_USE, f"{path}: {error.strerror}") from error
    if data[:6] != ELF_START or number(data, 18, 2) != X86_64:
        raise Trouble(WRONG_USE, f"{path}: not an x86-64 program")
    start, size, count = number(data, 32, 8), number(data, 54, 2), number(data, 56, 2)
    if any(number(data, start + i * size, 4) == INTERPRETER for i in range(count)):
        raise Trouble(WRONG_USE, f"{path}: needs a dynamic linker; link it with -static")


def check(args):
    check_program(args.program)
    if args.root and not os.path.isdir(args.root):
        raise Trouble(WRONG_USE, f"{args.root}: not a folder")
    if args.linux and not os.path.isfile(args.linux):
        raise Trouble(WRONG_USE, f"{args.linux}: no such kernel")


def build(root):
    """The folder in which everything is, up to date."""
    folder = os.path.join(root, "build")
    names = [f"build/{name}" for name in NEEDS]
    done = subprocess.run(["make", "-s", "-C", root, *names], stdout=sys.stderr)
    if done.returncode:
        raise Trouble(NO_RESULT, "make failed")
    return folder


def sides(args, folder):
    made = []
    if args.only != "linux":
        made.append(Penumbra(folder))
    if args.only != "penumbra":
        made.append(Linux(args.linux or debian.image(folder)))
    return made


def options(args, emulator):
    given = ["--smp", str(args.smp), "--mem", str(args.mem)]
    given += ["--timeout", f"{args.timeout or SECONDS[emulator]:g}"]
    return given + (["--cpu", args.cpu] if args.cpu else [])


def run_all(args, kernels, built):
    """What each side Ran, side by side. All come to their end; then the first Trouble is raised."""
    emulator = "bochs" if args.shstk else "qemu"
    with tempfile.TemporaryDirectory(prefix="penumbra-") as folder:
        init = os.path.join(built, "compare", "init")
        initrd = pack(folder, init, args.program, args.words, args.root)
        images = [side.image(folder, initrd, emulator) for side in kernels]
        with ThreadPoolExecutor() as pool:
            running = [
                pool.submit(run, side, image, emulator, options(args, emulator))
                for side, image in zip(kernels, images)
            ]
        return [future.result() for future in running]


def lines(ran):
    text = ran.output.decode(errors="backslashreplace")
    found = text.split("\n")
    last = found.pop()
    return found + ([last + "\\ no newline at the end"] if last else []) + [f"[{ran.end}]"]


def report(kernels, ran):
    """Print what there is to see; the exit status."""
    all_lines = [lines(one) for one in ran]
    if len({tuple(each) for each in all_lines}) == 1:
        print("\n".join(all_lines[0]), flush=True)
        note(" and ".join(side.name for side in kernels) + f": {ran[0].end}")
        return 0
    names = (side.name for side in kernels)
    print("\n".join(difflib.unified_diff(*all_lines, *names, lineterm="", n=3)), flush=True)
    note("they differ: " + ", ".join(f"{s.name} {r.end}" for s, r in zip(kernels, ran)))
    return 1


def main(words=None, root=ROOT):
    """The exit status. root: where build/ is, and make builds."""
    args = parser().parse_args(words)
    try:
        check(args)
        built = build(root)
        kernels = sides(args, built)
        return report(kernels, run_all(args, kernels, built))
    except Trouble as trouble:
        status, text = trouble.status, str(trouble)
    except debian.Unavailable as why:
        status, text = MISSING, f"Linux {debian.LINUX} cannot be had from Debian's backports: {why}"
    except (disk.Failed, OSError) as error:
        status, text = NO_RESULT, str(error)
    note(text)
    return status
