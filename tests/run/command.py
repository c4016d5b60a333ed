# SPDX-License-Identifier: MIT
"""Run the tests and sum them up: on this machine, in Bochs with CET, in QEMU without.

--quick (make check): what needs no emulator, in less than a minute. --long (make stress): the
stress alone, for minutes. Every suite prints KTAP. A suite that ends short of its plan has failed.
The last line is "N passed, N failed, N skipped". The exercises of the book (docs/) run only when
they are asked for: -k exercise_NAME.
"""
import argparse
import os
import subprocess

from run.case import path
from run.results import Totals
from run.suites import IMAGES, QUICK, SUITES, Run


def arguments():
    parser = argparse.ArgumentParser(
        prog="test", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-k", metavar="NAME", default="", help="only tests whose name has this")
    parser.add_argument(
        "--fork",
        choices=["auto", "leaves", "tables"],
        default="auto",
        help="what fork shares, in the user-space tests and the stress",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--only", choices=SUITES, metavar="SUITE", help=", ".join(SUITES))
    which.add_argument("--quick", action="store_true", help="only what needs no emulator")
    which.add_argument("--long", action="store_true", help="the stress alone, with 1 to 4 CPUs")
    return parser.parse_args()


def main():
    """The exit status."""
    args = arguments()
    setup = subprocess.run([path("scripts/setup")])
    if setup.returncode:
        return setup.returncode
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # nothing is written outside build/
    run = Run(Totals(), args.k, args.quick, args.long, args.fork)
    wanted = ["stress"] if args.long else [args.only] if args.only else list(SUITES)
    wanted = QUICK if args.quick else wanted
    can_boot = not IMAGES.intersection(wanted) or run.build("images", "images")
    for suite in wanted:
        if can_boot or suite not in IMAGES:
            SUITES[suite](run)
    if args.k and not run.totals.seen():
        run.totals.fail("test", f"no test's name contains {args.k!r}")
    run.totals.summary()
    return int(run.totals.failed != 0)
