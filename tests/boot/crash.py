#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves: the kernel's own protections hold. The test kernel commits inside itself what each of
them must stop. The panic names the cause and shows the registers, a backtrace with function
names and, for a page fault, the page-table entries."""
from boot import Boot, run_tests, TEST_KERNEL


def ends_in(crime, panic, *more):
    def test(boots):
        boot = Boot(
            "qemu",
            boots.script_image(f"echo {crime} > /proc/crash\necho survived\n", TEST_KERNEL),
            timeout=60,
        )
        boot.expect_status(125)
        boot.expect_text(r"^panic: " + panic)
        for pattern in (r"^backtrace:$", r"^panic: end$") + more:
            boot.expect_text(pattern)

    return test


REGISTERS = r"^  rip [0-9a-f]{16} cs 10"
WALK = r"^  [0-9a-f]{16} load_from_nothing\+"
run_tests(
    {
        "crash_load_from_nothing": ends_in(
            "load_from_nothing",
            r"page fault in the kernel, error code 0,",
            REGISTERS,
            WALK,
            r"^page-table path of ffffc80000000000",
        ),
        "crash_store_to_text": ends_in(
            "store_to_text", r"page fault in the kernel, error code 0x3,", REGISTERS, r"^  pte "
        ),
        "crash_store_to_rodata": ends_in(
            "store_to_rodata", r"page fault in the kernel, error code 0x3,"
        ),
        "crash_execute_data": ends_in(
            "execute_data", r"page fault in the kernel, error code 0x11,"
        ),
        "crash_execute_user": ends_in(
            "execute_user", r"page fault in the kernel, error code 0x11,"
        ),
        "crash_load_from_user": ends_in(
            "load_from_user", r"page fault in the kernel, error code 0x1,"
        ),
        "crash_overflow": ends_in(
            "overflow", r"double fault in the kernel", r"^  [0-9a-f]{16} overflow_stack"
        ),
        "crash_smash_frame": ends_in("smash_frame", r"a kernel stack frame was overwritten"),
    }
)
