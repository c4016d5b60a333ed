#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves: with oracle=1 every call that changes page tables does what it promises and nothing else,
in all of the user-space tests; and the oracle stops the machine when a defect breaks a promise.

One CPU, for the oracle rests where others run, and fork=tables. The tests run without defects of
their own. Little memory, because tests that fill it take a call for every page."""
from boot import Boot, run_tests, TEST_INITRD, TEST_KERNEL


def boot(boots, emulator, words, key=""):
    words = f"init=/tests/runner console=serial shstk_huge=1 fork=tables oracle=1 {words}"
    image = boots.image(f"{words} -- --once {emulator} {key}", TEST_KERNEL, TEST_INITRD)
    return Boot(emulator, image, "--mem", "128" if emulator == "qemu" else "256", timeout=300)


def finds_nothing(emulator, key=""):
    def test(boots):
        done = boot(boots, emulator, "", key)
        done.expect_status(0)
        done.expect_text(r"^oracle: every call is held against its promise$")
        done.expect_text(r"^ok \d+ - frames_from_before_the_fork_child_first")

    return test


def notices(defect, key, panic):
    def test(boots):
        done = boot(boots, "qemu", f"defect={defect}", key)
        done.expect_status(125)
        done.expect_text(r"^panic: oracle: " + panic)

    return test


run_tests(
    {
        "oracle_finds_nothing_in_qemu": finds_nothing("qemu"),
        "oracle_finds_nothing_about_fork_in_bochs": finds_nothing("bochs", "fork"),
        "oracle notices skip_cow_copy": notices(
            "skip_cow_copy", "copy_on_write_keeps", r"fault .* its own .* has other contents"
        ),
        "oracle notices table_taken": notices(
            "table_taken",
            "copy_on_write_keeps",
            r"fault: a private page that can be written is mapped twice",
        ),
        "oracle notices table_stays_writable": notices(
            "table_stays_writable",
            "copy_on_write_keeps",
            r"(fork|fault): a private page that can be written is mapped twice",
        ),
    }
)
