#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves: the story runs to its end in Bochs with CET and in QEMU without; its frame numbers depend
on the memory's size; and each planted defect makes it exit with 1 and name the step that
failed."""
import re

from boot import Boot, expect, path, run_tests, TEST_INITRD, TEST_KERNEL

# {defect, and the step at which it is planted unless that is the first: the step that must notice
# it}. The first need shadow stacks, and so Bochs.
SHSTK_DEFECTS = {
    "fork_keeps_dirty": 2,
    "fork_parent_only": 2,
    "cow_not_moved": 2,
    "skip_copy": 4,
    "share_frame": 4,
    "refusals_off": 9,
    "no_guard": 11,
    "skip_copy,13": 14,
    "table_taken,14": 14,
}
TABLE_DEFECTS = {
    "table_stays_writable,13": 13,
    "sharer_kept,15": 15,
    "skip_cow_copy,16": 16,
    "table_taken,16": 16,
    "fork_owns_all,17": 17,
}


def frames(boot):
    return re.findall(r"frame (0x[0-9a-f]+)", boot.text)


def normal(line):
    """A line without its numbers, which differ from run to run."""
    return re.sub(r"0x[0-9a-f]+|\d+", "N", line).strip()


def as_in_the_readme(boot):
    """Every line of the README's transcript is printed, with other numbers."""
    with open(path("README.md")) as file:
        shown = re.search(r"^From a run in Bochs.*?(?=^\S.*\n\n|^## )", file.read(), re.M | re.S)
    lines = [line.strip() for line in re.findall(r"^    (.+)$", shown.group(0), re.M)]
    printed = {normal(line) for line in boot.text.splitlines()}
    missing = [line for line in lines if line != "..." and normal(line) not in printed]
    expect(len(lines) > 20 and not missing, "not printed:\n" + "\n".join(missing))


def story_in_bochs(boots):
    """With little and much memory, and with two CPUs."""
    image = boots.image()
    small, large = Boot("bochs", image, "--mem", "128"), Boot("bochs", image, "--mem", "2048")
    two_cpus = Boot("bochs", image, "--smp", "2")
    for boot in (small, large, two_cpus):
        boot.expect_status(0)
        boot.expect_text(r"^shadowfork: 17 of 17 steps as expected$")
    two_cpus.expect_text(r"^cpus: 2 running, found by asking all$")
    expect(
        frames(small) and frames(small) != frames(large),
        "expect other frame numbers with other memory",
        small.text,
    )
    as_in_the_readme(small)


def story_in_qemu(boots):
    boot = Boot("qemu", boots.image())
    boot.expect_status(0)
    boot.expect_text(
        r"^shadowfork: \d+ of 17 steps as expected, \d+ skipped: no shadow stacks here$"
    )


def story_shstk_off(boots):
    boot = Boot("bochs", boots.image("init=/sbin/init demo shstk=off"))
    boot.expect_status(0)
    expect("17 of 17" not in boot.text, "expect skipped steps with shstk=off", boot.text)


def story_with(emulator, defect, step):
    def test(boots):
        words = f"init=/sbin/init demo plant={defect}"
        boot = Boot(emulator, boots.image(words, TEST_KERNEL, TEST_INITRD))
        boot.expect_status(1)
        boot.expect_text(rf"^shadowfork: step {step} \(.*\) failed$")

    return test


run_tests(
    {
        "story_in_bochs": story_in_bochs,
        "story_in_qemu": story_in_qemu,
        "story_shstk_off": story_shstk_off,
    }
    | {
        f"story notices {defect}": story_with(emulator, defect, step)
        for emulator, defects in (("bochs", SHSTK_DEFECTS), ("qemu", TABLE_DEFECTS))
        for defect, step in defects.items()
    }
)
