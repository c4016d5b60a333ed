# SPDX-License-Identifier: MIT
"""Run the tests and sum them up: on this machine, in Bochs with CET, in QEMU without.

--quick (make check): what needs no emulator, in less than a minute. --long (make stress): the
stress alone, for minutes. --ways (make ways): user-space tests and stress with fork=leaves, and
with fork=tables. Every suite prints KTAP. A suite that ends short of its plan has failed.
The last line is "N passed, N failed, N skipped". The exercises of the book (docs/) run only when
they are asked for: -k exercise_NAME.
"""
import argparse
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor, as_completed

from run.case import path
from run.results import NOTHING, Totals
from run.suites import QUICK, SUITES, WAYS, Run, execute


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
    which.add_argument("--ways", action="store_true", help="what fork shares: both ways")
    which.add_argument("--long", action="store_true", help="the stress alone, with 1 to 4 CPUs")
    return parser.parse_args()


def build(totals, words):
    """True when make could build this, or when nothing is to be built."""
    if not words:
        return True
    print(f"building {words} ...", flush=True)
    result = execute(["make", "-s", f"-j{os.cpu_count()}", *words.split()])
    if result.returncode:
        totals.fail("build", words, result.stdout.splitlines())
    return result.returncode == 0


def run_jobs(totals, jobs, key, side_by_side):
    with ThreadPoolExecutor(side_by_side) as pool:
        futures = {pool.submit(job.run): job for job in jobs}
        for future in as_completed(futures):
            label, result = futures[future].label, future.result()
            if key and NOTHING.search(result.stdout):
                continue
            print(f"{label}  {result.seconds:5.1f} s", flush=True)
            ktap = re.sub(r"^.*?(?=^KTAP )", "", result.stdout, flags=re.S | re.M)
            totals.take(label, ktap, result.returncode, key)


def main():
    """The exit status."""
    args = arguments()
    setup = subprocess.run([path("scripts/setup")])
    if setup.returncode:
        return setup.returncode
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # nothing is written outside build/
    totals, forks = Totals(), ["leaves", "tables"] if args.ways else [args.fork]
    runs = [Run(args.k, args.quick, args.long, fork) for fork in forks]
    wanted = ["stress"] if args.long else [args.only] if args.only else list(SUITES)
    wanted = QUICK if args.quick else WAYS if args.ways else wanted
    jobs = [job for suite in wanted for run in runs for job in SUITES[suite](run)]
    built = {needs: build(totals, needs) for needs in dict.fromkeys(job.needs for job in jobs)}
    jobs = [job for job in jobs if built[job.needs]]
    if len(jobs) > 1 and not args.k:
        os.environ.setdefault("TESTS_AT_ONCE", "1")  # the jobs themselves run side by side
    run_jobs(totals, jobs, args.k, 1 if args.long else os.cpu_count())
    if args.k and not totals.seen():
        totals.fail("test", f"no test's name contains {args.k!r}")
    totals.summary()
    return int(totals.failed != 0)
