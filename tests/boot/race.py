#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves: when one CPU clears Write while another stores to the page, the kernel's way leaves no
W=0,D=1, loses no D and lets no store come late; the detector sees every W=0,D=1 that an old page
walker, played in software, leaves behind; and the probe notices planted defects. QEMU's CPUs run at
the same time. Those of Bochs run in turn, and cannot show the race: there only the detector is
tested, with CET on."""
import re

from boot import Boot, expect, run_tests, TEST_INITRD, TEST_KERNEL

ONE_CPU = 4


def results(boot):
    """{"WAY WALKER": {what: number}}, from the lines that the program prints."""
    found = {}
    for way, walker, text in re.findall(
        r"^(\w+), page walker: (\w+)\n((?:.+\n)+)", boot.text, re.M
    ):
        numbers = re.findall(r"^ {4}(\S.*?) {2,}(\d+)", text, re.M)
        found[f"{way} {walker}"] = {what: int(number) for what, number in numbers}
    return found


def whole(emulator, rounds, *options):
    def test(boots):
        boot = Boot(
            emulator, boots.image(f"init=/sbin/init probe=dirtyrace,{rounds},all"), *options
        )
        boot.expect_status(0)
        found = results(boot)
        expect(len(found) == 5, "expect five results", boot.text)
        for name, result in found.items():
            expect(
                result["rounds"] == rounds
                and result["stores seen"] > rounds // 20
                and result["late stores"] == 0,
                name,
                boot.text,
            )
        measured = found["cmpxchg cpu"]
        expect(
            measured["W=0,D=1 seen"] == 0 and measured["D lost"] == 0, "the kernel's way", boot.text
        )
        for name in ("cmpxchg software", "plain_store software"):
            expect(
                found[name]["W=0,D=1 made"] == found[name]["W=0,D=1 seen"] > 0,
                f"{name}: not every W=0,D=1 was seen",
                boot.text,
            )
        expect(
            found["cmpxchg software"]["D lost"] == 0 < found["plain_store software"]["D lost"],
            "D lost",
            boot.text,
        )
        expect(found["clear_and cpu"]["W=0,D=1 seen"] > 0, "clear_and", boot.text)
        boot.expect_text(r"^check: .* state \(e\), W=0 D=1 on ordinary memory$")

    return test


def needs_two_cpus(boots):
    boot = Boot("qemu", boots.image("init=/sbin/init probe=dirtyrace"))
    boot.expect_status(ONE_CPU)
    boot.expect_text(r"^dirtyrace: two CPUs are needed")


def only_with_the_option(boots):
    """Without probe= the kernel does not break its invariant for a program."""
    boot = Boot("qemu", boots.image("init=/bin/dirtyrace -- 100 clear_and"), "--smp", "2")
    boot.expect_text(r"^ +not run: .*boot with probe=dirtyrace")


def notices(defect, walker):
    def test(boots):
        words = f"init=/sbin/init probe=dirtyrace,1000,cmpxchg,{walker} defect={defect}"
        boot = Boot("qemu", boots.image(words, TEST_KERNEL, TEST_INITRD), "--smp", "2")
        boot.expect_status(1)
        boot.expect_text(r"^dirtyrace: NOT AS PROMISED$")

    return test


run_tests(
    {
        "race_in_bochs": whole("bochs", 500, "--smp", "2"),
        "race_in_qemu": whole("qemu", 3000, "--smp", "4"),
        "race_needs_two_cpus": needs_two_cpus,
        "race_twins_need_the_probe_option": only_with_the_option,
        "race notices plain_store": notices("plain_store", "software"),
        "race notices clean_no_flush": notices("clean_no_flush", "cpu"),
        "race notices no_shootdown": notices("no_shootdown", "cpu"),
    }
)
