#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves: what KVM lacks for a guest with CET is named exactly, and a KVM that cannot run the
guest gives way to the next emulator, and says so."""
import os

from fakes import CET_HOST, QEMU_BOOTS, STATUS, Fakes, expect, run_tests, says

from emulator import kvm

AMD = "AuthenticAMD"
GOOD = kvm.Host(
    vendor="GenuineIntel",
    flags=frozenset(["user_shstk"]),
    release=(6, 18),
    device="",
    parameters={"ept": True, "unrestricted_guest": True, "allow_smaller_maxphyaddr": False},
    qemu=(11, 0),
    models=frozenset(["cet-ss", "cet-ibt"]),
)
# What differs from GOOD, and the words that name it; none: nothing is lacking.
TABLE = [
    ({}, []),
    ({"release": (7, 0)}, []),
    ({"release": (6, 17)}, ["Linux 6.17 is older than 6.18"]),
    ({"release": (5, 30)}, ["Linux 5.30 is older than 6.18"]),
    ({"device": "there is no /dev/kvm"}, ["there is no /dev/kvm"]),
    ({"flags": frozenset(["shstk"])}, ["no user_shstk"]),
    ({"qemu": (10, 2), "models": frozenset()}, ["QEMU 10.2 is older than 11.0"]),
    ({"qemu": (10, 2)}, []),  # built from a newer source: it knows the flag
    ({"qemu": (11, 1), "models": frozenset()}, ["QEMU 11.1 knows no cet-ss"]),
    ({"qemu": None, "models": frozenset()}, ["there is no qemu-system-x86_64"]),
    ({"parameters": {"ept": False}}, ["ept=N"]),
    ({"parameters": {"unrestricted_guest": False}}, ["unrestricted_guest=N"]),
    ({"parameters": {"allow_smaller_maxphyaddr": True}}, ["allow_smaller_maxphyaddr=Y"]),
    ({"parameters": {"npt": False}}, []),  # not Intel's
    ({"parameters": {}}, []),
    ({"vendor": AMD, "parameters": {"npt": True}}, []),
    ({"vendor": AMD, "parameters": {"npt": False}}, ["npt=N"]),
    ({"vendor": AMD, "parameters": {"ept": False}}, []),
    (
        {"release": (6, 1), "qemu": (7, 2), "models": frozenset(), "flags": frozenset()},
        ["no user_shstk", "Linux 6.1 is", "QEMU 7.2 is"],
    ),
]


def table(fakes):
    for change, words in TABLE:
        saw = kvm.lacks(GOOD._replace(**change))
        expect(len(saw) == len(words), f"{change}: expect {words}, saw {saw}")
        for said, part in zip(saw, words):
            expect(part in said, f"{change}: expect {part!r}, saw {said!r}")


def cpu_options(fakes):
    for change, want in [
        ({}, "host,cet-ss=on,cet-ibt=on"),
        ({"vendor": AMD}, "host,cet-ss=on"),
        ({"models": frozenset()}, "host"),
    ]:
        saw = kvm.cpu_option(GOOD._replace(**change))
        expect(saw == want, f"{change}: expect {want}, saw {saw}")


def looks(fakes):
    """What look() finds below another root is what decides."""
    folder = fakes.qemu()
    before, os.environ["PATH"] = os.environ["PATH"], folder + ":" + os.environ["PATH"]
    try:
        saw = kvm.look(fakes.root(CET_HOST))
        expect(kvm.lacks(saw) == [], f"expect nothing to lack, saw {saw}")
        saw = kvm.lacks(kvm.look(fakes.root({"proc/sys/kernel/osrelease": "6.1.0-13\n"})))
    finally:
        os.environ["PATH"] = before
    expect(len(saw) == 3 and "/dev/kvm" in saw[0], f"expect three reasons, saw {saw}")


def starts_kvm(fakes):
    """With all there is, KVM is chosen, and asked for the guest's CET."""
    folder = fakes.qemu()
    result = fakes.emulate(fakes.image(), bin=folder, root=fakes.root(CET_HOST))
    says(result, STATUS, "KVM: host CPU, host kernel and QEMU give the guest CET")
    with open(os.path.join(folder, "arguments")) as file:
        words = file.read()
    expect("\nkvm\n" in words and "host,cet-ss=on,cet-ibt=on" in words, "expect CET", words)


def falls_back(ends):
    """The KVM that was chosen cannot run the guest after all: Bochs does."""

    def test(fakes):
        said = 'sys.stderr.write("KVM: failed to set MSR 0x6a0\\n"); sys.stderr.flush()'
        boot = f"if kvm:\n    {said}; {ends}\n{QEMU_BOOTS}"
        folder = fakes.bochs(folder=fakes.qemu(boot=boot))
        result = fakes.emulate(fakes.image(), bin=folder, root=fakes.root(CET_HOST))
        why = "KVM cannot run this guest (KVM: failed to set MSR 0x6a0); trying the next emulator"
        says(result, STATUS, why, "Bochs: enforces CET for real", "bochs: starting")

    return test


def forced(fakes):
    """Who asks for KVM gets KVM, and its failure."""
    boot = 'sys.exit("error: failed to set MSR 0x6a0")'
    words = ["--kvm", fakes.image()]
    result = fakes.emulate(*words, bin=fakes.qemu(boot=boot), root=fakes.root(CET_HOST))
    says(result, 125, "the emulator failed: error: failed to set MSR 0x6a0")


def says_why_not(fakes):
    """Where KVM will not do, the choice says what it lacks."""
    host = CET_HOST | {"proc/sys/kernel/osrelease": "6.1.0\n"}
    folder = fakes.bochs(folder=fakes.qemu(version="7.2.0", models="shstk"))
    result = fakes.emulate(fakes.image(), bin=folder, root=fakes.root(host))
    why = "the host's Linux 6.1 is older than 6.18; QEMU 7.2 is older than 11.0"
    says(result, STATUS, "Bochs: enforces CET for real. KVM cannot give the guest CET: " + why)


run_tests(
    {
        "kvm_lacks_are_named": table,
        "kvm_cpu_options": cpu_options,
        "kvm_looks_at_the_host": looks,
        "kvm_with_cet_is_chosen": starts_kvm,
        "kvm_that_ends_falls_back": falls_back("sys.exit(1)"),
        "kvm_that_stays_falls_back": falls_back("time.sleep(100)"),
        "kvm_asked_for_fails": forced,
        "kvm_choice_says_why_not": says_why_not,
    },
    jobs=1,
    folder=Fakes,
)
