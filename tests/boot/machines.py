#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves: one image boots unchanged in machines of several sizes and kinds; 1 GiB leaves work where
memory has room for them; the shell takes commands on the serial line; and a panic names its cause
and ends the run."""
import os
import re
import shutil
import sys

from boot import Boot, expect, path, run, run_tests, TEST_INITRD, TEST_KERNEL

ODD = "my course #1, 50 $HOME 100%"
ONLY_4_MIB = ["usr/share/OVMF/OVMF_CODE_4M.fd", "usr/share/OVMF/OVMF_VARS_4M.fd"]
DRIVER = """
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, "scripts")
from emulator.command import main
sys.exit(main(sys.argv[2:], root=sys.argv[1]))
"""


def story(*options):
    def test(boots):
        boot = Boot("qemu", boots.image(), *options)
        boot.expect_status(0)
        boot.expect_text(r"^shadowfork: \d+ of 17 steps as expected")

    return test


def gigabyte_leaves(boots):
    image = boots.image(
        "init=/tests/runner console=serial -- qemu huge_1g", TEST_KERNEL, TEST_INITRD
    )
    boot = Boot("qemu", image, "--mem", "4096", "--cpu", "max")
    boot.expect_status(0)
    boot.expect_text(r"^ok 1 - huge_1g_leaf_splits_and_copies_2m$")


def lock_order(boots):
    """The test kernel's checker needs no deadlock: taking two locks in the wrong order is
    enough."""
    boot = Boot(
        "qemu",
        boots.image("init=/sbin/init demo defect=lock_order", TEST_KERNEL, TEST_INITRD),
        "--smp",
        "2",
    )
    boot.expect_status(125)
    boot.expect_text(
        r"^panic: .*lock of rank \d+: taken while one of a later rank is held \(rank \d+\)$"
    )
    boot.expect_text(r"planted_order|process_end")
    boot.expect_text(r"^panic: end$")


def nmi_between_syscall_and_swapgs(boots):
    """No flag masks an NMI. A handler that concludes from the saved CS whose GS is loaded takes the
    program's GS for the kernel's: its CPU panics, or never answers again."""
    words = "init=/tests/runner console=serial defect=ist_by_cs -- qemu nmis_strike_anywhere"
    boot = Boot("qemu", boots.image(words, TEST_KERNEL, TEST_INITRD), "--smp", "2", timeout=25)
    boot.expect_status(125 if "panic: " in boot.text else 124)
    boot.expect_text(r"panic: |expect write\(fd, \"50\", 2\) = 2")


def return_not_mended(boots):
    """An IRETQ that cannot return to user mode faults in ring 0 while the program's GS is loaded.
    With the planted defect the handler goes on with that GS."""
    words = "init=/tests/runner console=serial defect=return_not_mended"
    words += " -- qemu a_bad_return_frame"
    boot = Boot("qemu", boots.image(words, TEST_KERNEL, TEST_INITRD), timeout=25)
    expect(boot.status in (124, 125), f"expect a panic or a hang, saw {boot.status}", boot.text)


def nmi_does_work(boots):
    words = "init=/tests/runner console=serial defect=nmi_does_work -- qemu nmis_strike_anywhere"
    boot = Boot("qemu", boots.image(words, TEST_KERNEL, TEST_INITRD), "--smp", "2", timeout=60)
    boot.expect_status(125)
    boot.expect_text(r"^panic: .*x86_user_work: assertion failed: frame->vector != VECTOR_NMI")


def no_nx(boots):
    """On a CPU without NX, or with firmware that hides NX, the loader prints one line."""
    boot = Boot("qemu", boots.image(), "--cpu", "max,-nx", timeout=60)
    boot.expect_status(125)
    boot.expect_text(r"^penumbra: loader: this CPU.*has no NX")


def odd_path(emulator):
    """The scripts and the image lie in a folder whose name holds characters of emulators'
    syntax."""

    def test(boots):
        folder = os.path.join(boots.file("odd"), ODD)
        shutil.copytree(path("scripts"), os.path.join(folder, "scripts"))
        image = shutil.copy(boots.image(), os.path.join(folder, "a, b#.img"))
        emulate = os.path.join(folder, "scripts", "emulate")
        status, text = run(emulate, f"--{emulator}", "--timeout", "150", image)
        expect(status == 0, f"expect status 0, saw {status}", text)

    return test


def only_4_mib_firmware(boots):
    """Only the firmware of 4 MiB, in two files, is installed: QEMU gets it as flash memory."""
    root = boots.file("root")
    for name in ONLY_4_MIB:
        os.makedirs(os.path.dirname(os.path.join(root, name)), exist_ok=True)
        shutil.copy("/" + name, os.path.join(root, name))
    words = ["--qemu", "--timeout", "60", boots.image()]
    status, text = run(sys.executable, "-c", DRIVER, root, *words)
    expect(status == 0, f"expect status 0, saw {status}", text)


def shell(emulator):
    def test(boots):
        boot = Boot(
            emulator,
            boots.image("init=/sbin/init"),
            "--input",
            path("tests/boot/shell.txt"),
            "--input-after",
            "\n# ",
        )
        boot.expect_status(0)
        for pattern in (
            r"^reboot, poweroff, help",
            r"^ +PID.*",
            r"^0x[0-9a-f]+ 4K 0x[0-9a-f]{16} [01] [01] [01] [a-z] 0x[0-9a-f]+ \d+ \d \d+$",
            r"\[stack\]",
            r"^total \d+",
            r"^nothing: status 127$",
            r"^  the attacker's code runs$",
        ):
            boot.expect_text(pattern)
        zombies = re.findall(r"^ +\d+ +\d+ Z .*$", boot.text, re.M)
        expect(not zombies, "ps shows what the story left behind", "\n".join(zombies))

    return test


run_tests(
    {
        "machines_qemu_128_mib": story("--mem", "128"),
        "machines_qemu_3072_mib": story("--mem", "3072"),
        "machines_qemu_pc": story("--machine", "pc"),
        "huge_1g_leaf_splits_and_copies_2m_in_4_gib": gigabyte_leaves,
        "a_wrong_lock_order_panics": lock_order,
        "nmis_strike_anywhere notices ist_by_cs": nmi_between_syscall_and_swapgs,
        "a_bad_return_frame notices return_not_mended": return_not_mended,
        "nmis_strike_anywhere notices nmi_does_work": nmi_does_work,
        "a_cpu_without_nx_is_refused_with_a_line": no_nx,
        "machines_qemu_odd_path": odd_path("qemu"),
        "machines_bochs_odd_path": odd_path("bochs"),
        "machines_qemu_only_4_mib_firmware": only_4_mib_firmware,
        "shell_in_qemu": shell("qemu"),
        "shell_in_bochs": shell("bochs"),
    }
)
