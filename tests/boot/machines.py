#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves: one image boots unchanged in machines of other sizes and kinds; 1 GiB leaves work where there is room for them; the
shell obeys on the serial line; and a panic names its cause and ends the run."""
from boot import Boot, expect, path, run_tests, TEST_INITRD, TEST_KERNEL


def story(emulator, *options):
    def test(boots):
        boot = Boot(emulator, boots.image(), *options)
        boot.expect_status(0)
        boot.expect_text(r"^shadowfork: \d+ of 12 steps as expected")
    return test


def gigabyte_leaves(boots):
    image = boots.image("init=/tests/runner console=serial -- qemu huge_1g", TEST_KERNEL, TEST_INITRD)
    boot = Boot("qemu", image, "--mem", "4096", "--cpu", "max")
    boot.expect_status(0)
    boot.expect_text(r"^ok 1 - huge_1g_leaf_splits_and_copies_2m$")


def lock_order(boots):
    """The test kernel's checker needs no deadlock: one wrong order is enough, whoever else runs."""
    boot = Boot("qemu", boots.image("init=/sbin/init demo defect=lock_order", TEST_KERNEL, TEST_INITRD), "--smp", "2")
    boot.expect_status(125)
    boot.expect_text(r"^panic: .*lock of rank \d+: taken while one of a later rank is held \(rank \d+\)$")
    boot.expect_text(r"planted_disorder|process_signal")
    boot.expect_text(r"^panic: end$")


def nmi_between_syscall_and_swapgs(boots):
    """Nothing holds an NMI off: one that tells by the saved CS whose GS is loaded takes the program's for the kernel's, and its CPU is
    lost: it panics, or never answers again."""
    words = "init=/tests/runner console=serial defect=ist_by_cs -- qemu nmis_strike_anywhere"
    boot = Boot("qemu", boots.image(words, TEST_KERNEL, TEST_INITRD), "--smp", "2", timeout=25)
    boot.expect_status(125 if "panic: " in boot.text else 124)
    boot.expect_text(r"panic: |expect write\(fd, \"50\", 2\) = 2")


def shell(emulator):
    def test(boots):
        boot = Boot(emulator, boots.image("init=/sbin/init"), "--input", path("tests/boot/shell.txt"), "--input-after", "\n# ")
        boot.expect_status(0)
        for pattern in (r"^reboot, poweroff, help", r"^ +PID.*", r"^0x[0-9a-f]+ 4K 0x[0-9a-f]{16} [01] [01] [01] [a-z] 0x[0-9a-f]+ \d+$", r"\[stack\]",
                        r"^total \d+", r"^nothing: status 127$",
                        r"^  the attacker's code runs$"):
            boot.expect_text(pattern)
    return test


run_tests({
    "machines_qemu_128_mib": story("qemu", "--mem", "128"),
    "machines_qemu_3072_mib": story("qemu", "--mem", "3072"),
    "machines_qemu_pc": story("qemu", "--machine", "pc"),
    "machines_bochs_128_mib": story("bochs", "--mem", "128"),
    "machines_bochs_2048_mib": story("bochs", "--mem", "2048"),
    "huge_1g_leaf_splits_and_copies_2m_in_4_gib": gigabyte_leaves,
    "a_wrong_lock_order_panics": lock_order,
    "nmis_strike_anywhere notices ist_by_cs": nmi_between_syscall_and_swapgs,
    "shell_in_qemu": shell("qemu"),
    "shell_in_bochs": shell("bochs"),
})
