# SPDX-License-Identifier: MIT
"""Boot an image in Bochs, QEMU or KVM; its serial line goes to standard output, init's status
becomes the exit status.

Exit status: init's; 128+N when signal N ended it; 124 time-out; 125 no verdict (panic, reset,
loader error, init not found); 69 emulator missing; 129 to 143 interrupted by a signal. The last
line on standard error tells them apart.
"""
import argparse
import os
import signal
import sys

from emulator.choose import candidates
from emulator.report import WRONG_USE, Finished, Interrupted, note
from emulator.watch import Watch, judge

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def parser():
    made = argparse.ArgumentParser(
        prog="emulate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = made.add_argument
    which = made.add_mutually_exclusive_group()
    for name in ("bochs", "qemu", "kvm"):
        which.add_argument("--" + name, action="store_true")
    add("--smp", type=int, default=1, metavar="N")
    add("--mem", type=int, default=512, metavar="MIB")
    add("--timeout", type=float, default=0, metavar="S", help="0: none")
    add("--cpu", metavar="MODEL", help="another CPU model of the emulator's")
    add("--machine", default="q35", help="QEMU's machine type: q35 or pc")
    add("--gdb", action="store_true", help="QEMU: wait for gdb on port 1234")
    add("--log", metavar="FILE", help="keep the serial output")
    add("--input", metavar="FILE", help="what to type on the serial line; - is standard input")
    add("--input-after", metavar="TEXT", help="type each line only once this was printed (again)")
    add(
        "--screenshot",
        metavar="FILE.png",
        help="of an image that stays on: build/penumbra.img, not the demo's",
    )
    add(
        "--screenshot-at",
        metavar="TEXT",
        default="steps as expected",
        help="once this was printed ...",
    )
    add(
        "--screenshot-delay",
        type=float,
        default=1.0,
        metavar="S",
        help="... and so much time has passed",
    )
    add(
        "--linger",
        type=float,
        default=2.0,
        metavar="S",
        help="how long the machine may take to switch off",
    )
    add("image", help="what follows it behind a -- goes to QEMU")
    return made


def check(args):
    """Refuses wrong input; returns the open log file, or None."""
    if not os.path.isfile(args.image):
        raise Finished(WRONG_USE, f"{args.image}: no such image (run make)")
    if args.smp < 1 or args.mem < 64:
        raise Finished(WRONG_USE, "--smp needs at least 1, --mem at least 64")
    if args.smp > 64 or args.mem > 65536:
        raise Finished(WRONG_USE, "--smp takes up to 64, --mem up to 65536")
    try:
        if args.input and args.input != "-":
            open(args.input, "rb").close()
        return open(args.log, "wb") if args.log else None
    except OSError as error:
        raise Finished(WRONG_USE, f"{error.filename}: {error.strerror}") from error


class Signals:
    """One raises Interrupted where signals are heard ("with signals:"). Elsewhere it waits, and
    after the first none is heard any more: none may cut the cleaning short."""

    def __init__(self):
        self.heard, self.first = False, None
        for number in SIGNALS:
            signal.signal(number, self.take)

    def take(self, number, _):
        self.first = self.first or number
        if self.heard:
            self.heard = False
            raise Interrupted(self.first)

    def __enter__(self):
        self.heard = True
        if self.first:
            self.take(self.first, None)

    def __exit__(self, *_):
        self.heard = False


def run_in(kind, args, log, signals):
    """Boot the image once; returns the Outcome. Nothing of the machine is left behind."""
    machine, watch = kind(args), None
    try:
        with signals:
            machine.check()
            note(f"{kind.name}: starting the firmware ({kind.patience} to the loader)")
            machine.boot()
            watch = Watch(machine, args)
            return watch.run()
    finally:
        if watch:
            watch.close(log)
        machine.close()


def run(args, signals):
    """Returns the Finished of the first machine that can run the guest."""
    with signals:
        log = check(args)
        kinds = candidates(args)
    for at, (kind, why) in enumerate(kinds):
        if (args.gdb or args.for_qemu) and kind.name == "bochs":
            raise Finished(WRONG_USE, "--gdb and what follows -- are QEMU's: add --qemu")
        if why:
            note(why)
        outcome = run_in(kind, args, log, signals)
        if not (outcome.trouble and kind.name == "kvm" and at + 1 < len(kinds)):
            return judge(outcome, args.timeout)
        note(f"KVM cannot run this guest ({outcome.trouble}); trying the next emulator")
    raise AssertionError("no candidates")


def split(words):
    """The script's own words, and QEMU's behind a "--"."""
    at = words.index("--") if "--" in words else len(words)
    return words[:at], words[at + 1 :]


def main(words=None, root="/"):
    """The exit status. root: where /proc, /sys, /dev and the firmware are looked for."""
    words, for_qemu = split(sys.argv[1:] if words is None else list(words))
    args = parser().parse_args(words)
    args.root, args.for_qemu = root, for_qemu
    try:
        end = run(args, Signals())
    except Finished as finished:
        end = finished
    except Interrupted as signalled:
        name = signal.Signals(signalled.number).name
        end = Finished(128 + signalled.number, f"interrupted by {name}")
    note(end.text)
    return end.status
