#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves: CPUs are found with ACPI and without, up to 64 of them, in xAPIC and x2APIC mode;
maxcpus= limits their number; a CPU that does not answer is reported and left out, and the others go
on."""
import re

from boot import Boot, expect, path, run_tests, TEST_INITRD, TEST_KERNEL


def running(emulator, asked, line, words="", test_kernel=False):
    """The story runs on so many CPUs, and the log has this line about them."""

    def test(boots):
        files = (TEST_KERNEL, TEST_INITRD) if test_kernel else ()
        boot = Boot(
            emulator, boots.image("init=/sbin/init demo " + words, *files), "--smp", str(asked)
        )
        boot.expect_status(0)
        boot.expect_text(line)
        boot.expect_text(r"^shadowfork: \d+ of 17 steps as expected")

    return test


def stuck(boots):
    """A CPU that takes no tick is reported by its neighbour, with its place in the code; the others
    go on."""
    image = boots.image("init=/sbin/init defect=cpu_stuck", TEST_KERNEL, TEST_INITRD)
    typed = ("--input", path("tests/boot/poweroff.txt"), "--input-after", "cpu 1: pid 0")
    boot = Boot("qemu", image, "--smp", "3", *typed, timeout=90)
    boot.expect_status(0)
    boot.expect_text(r"^shadowfork: \d+ of 17 steps as expected")
    boot.expect_text(
        r"(?s)^watchdog: CPU 1 has taken no tick for 10 s$"
        r".*^cpu 1: pid 0 at [0-9a-f]+ (sched_idle|arch_pause)\+"
    )


def reset_values(test):
    """On the second CPU the test finds what a reset leaves there."""

    def run(boots):
        words = f"init=/tests/runner console=serial defect=reset_values -- qemu {test}"
        boot = Boot("qemu", boots.image(words, TEST_KERNEL, TEST_INITRD), "--smp", "2", timeout=60)
        boot.expect_text(rf"^not ok 1 - {test}$")

    return run


def clock(defect):
    """The TSCs of the CPUs are minutes apart, as after a reset that not all of them saw."""

    def test(boots):
        words = f"init=/tests/runner console=serial defect={defect} -- qemu the_clock_"
        boot = Boot("qemu", boots.image(words, TEST_KERNEL, TEST_INITRD), "--smp", "3", timeout=90)
        boot.expect_text(r"^time: CPU 1's TSC is \d+ ticks away from the first CPU's")
        good = re.search(r"^ok 1 - .*\nok 2 - the_clock_moves_on_every_cpu$", boot.text, re.M)
        expect(
            bool(good) == (defect == "tsc_apart"),
            "expect all CPUs to read one clock, unless tsc_trusted is planted",
            boot.text,
        )

    return test


run_tests(
    {
        "the_clock_moves_on_every_cpu where TSCs are apart": clock("tsc_apart"),
        "the_clock_moves_on_every_cpu notices tsc_trusted": clock("tsc_trusted"),
        "every_cpus_registers_hold_the_kernels_values notices reset_values": reset_values(
            "every_cpus_registers_hold_the_kernels_values"
        ),
        "no_cpu_has_an_ldt notices reset_values": reset_values("no_cpu_has_an_ldt"),
        "cpus_one_in_qemu": running("qemu", 1, r"^cpus: 1 running"),
        "cpus_four_in_qemu": running("qemu", 4, r"^cpus: 4 running, found by ACPI$"),
        "cpus_sixty_four_in_qemu": running("qemu", 64, r"^cpus: 64 running"),
        "cpus_maxcpus_in_qemu": running("qemu", 4, r"^cpus: 3 running", "maxcpus=3"),
        "cpus_silent_ones_are_left_out": running(
            "qemu",
            3,
            r"(?s)^cpus: the CPU with APIC id 1 does not answer, it is left out$.*^cpus: 1 running",
            "defect=cpu_silent",
            test_kernel=True,
        ),
        "cpus_stuck_ones_are_reported": stuck,
        "cpus_four_with_x2apic_in_bochs": running(
            "bochs", 4, r"^cpus: 3 running, found by asking all, x2APIC$", "x2apic maxcpus=3"
        ),
    }
)
