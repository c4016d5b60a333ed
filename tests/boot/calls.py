#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves: the kernel survives 100,000 random system calls with arguments at the edges; they leave
no frame behind and break no page-table entry; and a planted leak is noticed."""
from boot import Boot, run_tests, TEST_INITRD, TEST_KERNEL


def calls(emulator, cpus, words, timeout):
    def test(boots):
        image = boots.image(f"init=/stress/calls -- {words}", TEST_KERNEL, TEST_INITRD)
        boot = Boot(emulator, image, "--smp", cpus, timeout=timeout)
        boot.expect_status(0)
        boot.expect_text(r"^ok 1 - random_calls")

    return test


run_tests(
    {
        "random_calls_in_qemu": calls("qemu", "4", "1 100000", 500),
        "random_calls_in_bochs": calls("bochs", "2", "2 100000", 900),
        "random_calls notices ref_leak": calls("qemu", "4", "3 100000 ref_leak", 200),
    }
)
