#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves: scripts/compare tells what a program does on two kernels from all else that is on their
consoles, says whether it is the same, and says in one clear line what is wrong or missing. The
emulators, make, apt and dpkg-deb are stand-ins."""
import os
import sys

from fakes import Fakes, expect, run, run_tests, says

DRIVER = """
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, "scripts")
from comparison.command import main
sys.exit(main(sys.argv[2:], root=sys.argv[1]))
"""
ENDED = "compare: exit status 0\\n"
OFF = "init: exit status 0\\npower: off\\n"
ON_LINUX = 'b"vmlinuz.efi initrd=" in open(disk, "rb").read()'


def elf(*segments, machine=62):
    """A program with segments of these types."""
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\0" + machine.to_bytes(2, "little")
    header = header.ljust(32, b"\0") + (64).to_bytes(8, "little")
    header = header.ljust(54, b"\0") + (56).to_bytes(2, "little")
    header += len(segments).to_bytes(2, "little")
    return header.ljust(64, b"\0") + b"".join(
        segment.to_bytes(4, "little").ljust(56, b"\0") for segment in segments
    )


class Comparison:
    """A built tree, a static program, a Linux kernel, and stand-ins in a folder for PATH."""

    def __init__(self, fakes, penumbra=ENDED + OFF, linux=ENDED + OFF):
        self.fakes = fakes
        names = ["kernel.elf", "BOOTX64.EFI", "compare/init"]
        files = {"build/" + name: name for name in names}
        self.root = fakes.root({**files, "vmlinuz-6.12.1-fake": "a kernel"})
        self.program = fakes.write("tiny", elf(1), mode=0o755)
        self.linux = os.path.join(self.root, "vmlinuz-6.12.1-fake")
        boot = f'os.write(serial, b"{linux}" if {ON_LINUX} else b"{penumbra}")'
        self.bin = fakes.program(fakes.qemu(boot), "make", "#!/bin/sh\n")

    def compare(self, *words, linux=True):
        env = {"PATH": self.bin + ":" + os.environ["PATH"]}
        given = ["--linux", self.linux] if linux else []
        return run(sys.executable, "-c", DRIVER, self.root, *given, *words, env=env)

    def run(self, *words):
        return self.compare(self.program, *words)


def agree(fakes):
    """Shown once; what stands beside the marked lines is not looked at, and may differ."""
    lines = "compare> one\\ncompare> two\\n" + ENDED
    same = Comparison(fakes, "a log\\n" + lines + OFF, lines + "a rumour\\n" + OFF)
    result = same.run()
    says(result, 0, "one\ntwo\n[exit status 0]\n", "Penumbra and Linux 6.12.1-fake: exit status 0")
    expect(result[1].count("two") == 1 and "rumour" not in result[1], "the output once", result[1])


def differ(fakes):
    other = Comparison(fakes, "compare> a\\ncompare> b\\n" + ENDED + OFF, "compare> a\\n" + OFF)
    says(other.run(), 125, "Linux 6.12.1-fake: init ended with exit status 0")
    other = Comparison(
        fakes, "compare> a\\ncompare> b\\n" + ENDED + OFF, "compare> a\\n" + ENDED + OFF
    )
    says(other.run(), 1, "--- Penumbra\n+++ Linux 6.12.1-fake\n", " a\n-b\n [exit", "they differ")


def end_differs(fakes):
    killed = "compare: killed by signal 11\\n"
    says(
        Comparison(fakes, killed + OFF).run(),
        1,
        "-[killed by signal 11]\n+[exit status 0]\n",
        "Penumbra killed by signal 11, Linux 6.12.1-fake exit status 0",
    )


def escapes(fakes):
    """Any byte arrives; a backslash ends a part of a line."""
    text = "compare> \\\\x1b[1m\\\\x5c \\\\\\ncompare> rest\\ncompare> last\\\\\\n" + ENDED + OFF
    says(Comparison(fakes, text, text).run(), 0, "\x1b[1m\\ rest\nlast\\ no newline at the end\n")


def troubles(fakes):
    """The side is named that came to no end; nothing is compared then."""
    says(
        Comparison(fakes, penumbra="compare> a\\npanic: end\\n").run(),
        125,
        "compare: Penumbra: no verdict: the kernel panicked (the program's last line: 'a')",
    )
    slow = Comparison(fakes)
    fakes.qemu(
        f'if {ON_LINUX}: time.sleep(100)\nos.write(serial, b"{ENDED + OFF}")', folder=slow.bin
    )
    says(
        slow.compare("--timeout", "2", slow.program), 124, "Linux 6.12.1-fake: timed out after 2 s"
    )


def one_side(fakes):
    """No Linux is looked for when none is asked for."""
    alone = Comparison(fakes, "compare> x\\n" + ENDED + OFF)
    says(
        alone.compare("--only", "penumbra", alone.program, linux=False), 0, "x\n", "Penumbra: exit"
    )


def words_arrive(fakes):
    """argv is the same on both sides, blanks and all; a program in the root folder stays there."""
    sought = Comparison(fakes)
    boot = f'found = %r in open(disk, "rb").read()\nos.write(serial, b"{ENDED + OFF}" * found)'
    name = os.path.basename(sought.program)
    fakes.qemu(boot % b"".join([b"/bin/", name.encode(), b"\0a b\0\0$x\0"]), folder=sought.bin)
    says(sought.run("a b", "", "$x"), 0)
    top = fakes.file("top")
    os.makedirs(os.path.join(top, "tests"))
    inside = os.path.join(top, "tests", "tiny")
    os.rename(sought.program, inside)
    fakes.qemu(boot % b"/tests/tiny\0--help\0", folder=sought.bin)
    says(sought.compare("--root", top, inside, "--help"), 0)


def in_bochs(fakes):
    """--shstk is Bochs, in which Linux must do without some features of the CPU."""
    boot = (
        'if grep -q "vmlinuz.efi initrd" "$disk"; then grep -q clearcpuid=avx512f,pku "$disk"'
        f" || exit; fi; printf '{ENDED + OFF}' >\"$serial\"; exit 1"
    )
    tried = Comparison(fakes)
    os.remove(os.path.join(tried.bin, "qemu-system-x86_64"))
    fakes.bochs(boot=boot, folder=tried.bin)
    says(tried.compare("--shstk", tried.program), 0)


def wrong(said, program=None, options=lambda fakes: []):
    """Refused, before anything is built or booted."""

    def test(fakes):
        refused = Comparison(fakes)
        os.remove(os.path.join(refused.bin, "make"))
        refused.program = program(fakes) if program else refused.program
        says(refused.compare(*options(fakes), refused.program), 2, said)

    return test


APT = """#!/bin/sh
case "$*" in
*indextargets*) printf 'mirror:/x bookworm-security\\nmirror:/debian bookworm\\n' ;;
*update*) grep -qx 'deb .*mirror:/debian bookworm-backports main' sources.list ;;
*download*) for name; do :; done; touch "${name}_1_amd64.deb" ;;
*pkgnames*) printf 'linux-image-6.12.%s-cloud-amd64\\n' 9 86 10; echo linux-image-6.13.1-amd64 ;;
esac
"""
DPKG = """#!/bin/sh
name=$(basename "$2")
mkdir -p "$3/boot" && echo "$name" >"$3/boot/vmlinuz-6.12.86-cloud-amd64"
"""


def package(fakes):
    """The newest kernel of the machine's own mirror, fetched once."""
    from_debian = Comparison(fakes)
    for name, text in {"apt-get": APT, "apt-cache": APT, "dpkg-deb": DPKG}.items():
        fakes.program(from_debian.bin, name, text)
    says(from_debian.compare(from_debian.program, linux=False), 0, "Linux 6.12.86-cloud-amd64")
    image = os.path.join(from_debian.root, "build/linux/image/boot/vmlinuz-6.12.86-cloud-amd64")
    with open(image) as file:
        saw = file.read()
    expect(saw == "linux-image-6.12.86-cloud-amd64_1_amd64.deb\n", f"expect 86, saw {saw}")
    fakes.program(from_debian.bin, "apt-get", "#!/bin/sh\nexit 1\n")
    says(from_debian.compare(from_debian.program, linux=False), 0, "Linux 6.12.86-cloud-amd64")


def no_package(said, apt):
    def test(fakes):
        offline = Comparison(fakes)
        fakes.program(offline.bin, "apt-get", apt)
        says(offline.compare(offline.program, linux=False), 69, "cannot be had", said)

    return test


OFFLINE = APT.replace("grep -qx", "echo 'E: Could not resolve the mirror' >&2; exit 100; : ")

run_tests(
    {
        "compare_the_same_output_is_shown_once": agree,
        "compare_a_difference_is_a_diff": differ,
        "compare_ends_are_compared_too": end_differs,
        "compare_every_byte_arrives": escapes,
        "compare_names_the_side_without_a_result": troubles,
        "compare_one_side_alone": one_side,
        "compare_gives_both_the_same_words": words_arrive,
        "compare_in_bochs": in_bochs,
        "compare_no_program": wrong("/no/such: No such file", lambda fakes: "/no/such"),
        "compare_no_elf": wrong("not an x86-64 program", lambda f: f.write("x", "#!/bin/sh\n")),
        "compare_another_machine": wrong(
            "not an x86-64 program", lambda f: f.write("x", elf(1, machine=183))
        ),
        "compare_a_dynamic_program": wrong(
            "needs a dynamic linker; link it with -static", lambda f: f.write("x", elf(1, 3))
        ),
        "compare_no_kernel": wrong("/no/k: no such kernel", options=lambda f: ["--linux", "/no/k"]),
        "compare_no_root": wrong("/no/r: not a folder", options=lambda f: ["--root", "/no/r"]),
        "compare_takes_the_newest_linux": package,
        "compare_offline": no_package("apt-get: Could not resolve the mirror", OFFLINE),
        "compare_not_on_debian_12": no_package("apt has no source of Debian", "#!/bin/sh\n"),
    },
    folder=Fakes,
)
