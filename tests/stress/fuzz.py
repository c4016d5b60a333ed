#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Random system calls by the million (make fuzz), in slices that each boot a machine of their own.

A slice's seed decides its calls and its machine, so `make fuzz ON=EMULATOR SEED=N CALLS=1` repeats
the slice of that seed alone.
"""
import argparse
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from run.case import path, run

SLICE = 200000  # calls
CALLS = {"qemu": 10000000, "bochs": 1000000}
# CPUs and words of the command line, by seed.
MACHINES = {
    "qemu": [(4, ""), (4, "fork=tables"), (4, "fork=leaves"), (1, "oracle=1")],
    "bochs": [(2, ""), (1, "oracle=1"), (2, "fork=tables"), (4, "")],
}
TIMEOUT = 3600  # seconds
FILES = ["-k", "build/test/kernel.elf", "-i", "build/test/initrd.cpio"]


def arguments():
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--on", choices=[*CALLS, ""], default="", help="one emulator only")
    parser.add_argument("--seed", type=lambda text: int(text, 0), default=1)
    parser.add_argument("--calls", type=int, default=0, help="in each emulator")
    return parser.parse_args()


def slice_run(emulator, seed):
    """True when all calls were made, and left nothing behind."""
    os.makedirs(path("build/fuzz"), exist_ok=True)
    image, log = f"build/fuzz/{emulator}.img", f"build/fuzz/{emulator}-{seed}.log"
    cpus, words = MACHINES[emulator][seed % len(MACHINES[emulator])]
    command = f"init=/stress/calls console=serial {words} -- {seed} {SLICE}"
    status, text = run("scripts/mkimage", "-o", image, *FILES, "-c", command)
    began = time.monotonic()
    if status == 0:
        options = ["--smp", str(cpus), "--timeout", str(TIMEOUT), "--log", log]
        status, text = run(
            "scripts/emulate", f"--{emulator}", *options, image, timeout=TIMEOUT + 60
        )
    seconds = time.monotonic() - began
    print(f"{emulator} seed {seed}, {cpus} CPUs {words}: {seconds:.0f} s", flush=True)
    if status:
        print(*text.splitlines()[-12:], sep="\n")
        print(f"failed; all it said is in {log}")
        print(f"to repeat: make fuzz ON={emulator} SEED={seed} CALLS=1", flush=True)
    return status == 0


def main():
    args = arguments()
    failed = 0
    for emulator in [args.on] if args.on else CALLS:
        slices = -(-(args.calls or CALLS[emulator]) // SLICE)
        failed += sum(not slice_run(emulator, args.seed + i) for i in range(slices))
    print(f"{failed} slices failed")
    return int(failed > 0)


sys.exit(main())
