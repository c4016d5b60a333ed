#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves: the loader and the kernel cope with firmware as odd as on real machines. The memory map's
key goes stale; the map grows, is split, runs backwards, has empty and duplicate descriptors;
framebuffers have every format and size; tables are absent or wrong; 5-level paging is on. Whatever
cmdline.txt holds is read, or refused with a line. A kernel that cannot go on says so on the serial
line, even before memory is managed.

tests/boot/odd_firmware.c makes QEMU's firmware odd, and then starts the loader."""
import subprocess

from boot import BUSYBOX, ROOT, TEST_INITRD, TEST_KERNEL, Boot, expect, path, put, run_tests

SHIM = "build/test/odd_firmware.efi"
LIT_MIN = 1000  # pixels: more are text
STORY = r"^shadowfork: \d+ of 17 steps as expected"


def contents(name):
    with open(path(name), "rb") as file:
        return file.read()


def odd_image(boots, words, *image_arguments):
    """An image whose loader meets the firmware that these words describe."""
    image = boots.image(*image_arguments)
    put(image, "EFI/BOOT/REAL.EFI", contents("build/BOOTX64.EFI"))
    put(image, "EFI/BOOT/BOOTX64.EFI", contents(SHIM))
    put(image, "odd.txt", words.encode())
    return image


def boots_with(words, *lines, options=(), without=None, kernel=()):
    """The story runs on this firmware, and the log has these lines."""

    def test(boots):
        image = odd_image(boots, words, "init=/sbin/init demo", *kernel)
        boot = Boot("qemu", image, *options, timeout=60)
        boot.expect_status(0)
        boot.expect_text(rf"^odd firmware: {words}")
        for line in (STORY,) + lines:
            boot.expect_text(line)
        expect(not without or without not in boot.text, f"expect no {without!r}", boot.text)

    return test


def ends_with(words, line):
    """On this firmware the loader or the kernel gives up, with this line."""

    def test(boots):
        boot = Boot("qemu", odd_image(boots, words), timeout=60)
        boot.expect_status(125)
        boot.expect_text(line)

    return test


def lit_pixels(shot):
    """How many pixels at the top of the screen have the colour of the kernel's text."""
    crop = ["convert", shot, "-crop", "1280x160+0+0", "rgb:-"]
    top = subprocess.run(crop, check=True, stdout=subprocess.PIPE).stdout
    return [top[at : at + 3] for at in range(0, len(top), 3)].count(b"\xaa\xaa\xaa")


def panics_on_the_screen(words, line):
    """A panic before memory is managed reaches the serial line and the screen."""

    def test(boots):
        shot = boots.file("screen.png")
        options = ("--screenshot", shot, "--screenshot-at", "panic: end", "--linger", "6")
        boot = Boot("qemu", odd_image(boots, words), *options, timeout=60)
        boot.expect_status(125)
        boot.expect_text(line)
        lit = lit_pixels(shot)
        expect(lit > LIT_MIN, f"expect text at the top of the screen, saw {lit} of its pixels")

    return test


def notices_no_consoles(boots):
    """The same panic without a console: neither the line nor the picture may then be seen."""
    shot = boots.file("screen.png")
    options = ("--screenshot", shot, "--screenshot-at", "starting the kernel", "--linger", "6")
    image = odd_image(boots, "free=0", "init=/sbin/init demo console=e9")
    boot = Boot("qemu", image, *options, "--screenshot-delay", "5", timeout=20)
    boot.expect_status(124)
    expect("panic" not in boot.text, "expect nothing on the serial line", boot.text)
    lit = lit_pixels(shot)
    expect(lit <= LIT_MIN, f"expect no text at the top of the screen, saw {lit} of its pixels")


def test_kernel(*lines, words="attributes=9"):
    """The same with the test kernel, which overwrites what boot services leave behind."""
    return boots_with(words, *lines, kernel=(TEST_KERNEL, TEST_INITRD))


def cmdline(data, line, status=0):
    """A cmdline.txt of these bytes is read, or refused, as this line says."""

    def test(boots):
        image = boots.image()
        put(image, "penumbra/cmdline.txt", data)
        boot = Boot("qemu", image, timeout=60)
        boot.expect_status(status)
        boot.expect_text(line)

    return test


def all_words(boots):
    """init gets all 1,000 words that follow --."""
    words = " ".join(str(number) for number in range(1000))
    initrd = boots.initrd({"bin/busybox": BUSYBOX})
    boot = Boot(
        "qemu",
        boots.image("init=/bin/busybox -- echo " + words, "build/kernel.elf", initrd),
        timeout=60,
    )
    boot.expect_status(0)
    boot.expect_text(rf"^{words}$")


def initrd_too_large(boots):
    """Memory cannot hold the initrd and its files at once: the message names that as the cause, and
    does not blame the program."""
    huge = boots.file("huge")
    with open(huge, "wb") as file:
        file.write(contents("build/root/sbin/init"))
        file.truncate(95 << 20)
    image = boots.image("init=/bin/huge", "build/kernel.elf", boots.initrd({"bin/huge": huge}))
    boot = Boot("qemu", image, "--mem", "192", timeout=120)
    boot.expect_status(125)
    boot.expect_text(r"^initrd: \S*bin/huge: out of memory")
    boot.expect_text(
        r"^init: /bin/huge cannot be run \(error \d+.*\); the initrd was not unpacked to its end$"
    )


DEMO = b"init=/sbin/init demo"
READ = r"^cmdline: init=/sbin/init demo$"
LONGEST = DEMO + b" -- " + b"x" * (4095 - len(DEMO) - 4)
subprocess.run(["make", "-s", SHIM], cwd=ROOT, check=True)
run_tests(
    {
        "firmware_stale_map_keys": boots_with("stale=7"),
        "firmware_always_stale_map_keys": ends_with(
            "stale=99", r"firmware: does not let go of the machine"
        ),
        "firmware_map_grows": boots_with("grow=10 stale=5"),
        "firmware_map_of_700_descriptors": boots_with("split=700"),
        "firmware_map_of_5000_descriptors": boots_with("split=5000"),
        "firmware_map_with_wide_descriptors": boots_with("split=400 step=96"),
        "firmware_map_backwards": boots_with("reverse=1 split=200"),
        "firmware_map_with_empty_descriptors": boots_with("empty=1 split=50"),
        "firmware_map_lists_pages_twice": boots_with("twice=300"),
        "firmware_map_backwards_and_twice": boots_with("twice=300 reverse=1"),
        "firmware_nothing_free_below_1_mib": boots_with(
            "low=0", r"^cpus: no free page below 640 KiB", options=("--smp", "2")
        ),
        "firmware_screen_red_first": boots_with("format=2", r"^screen: 1280x800"),
        "firmware_screen_with_masks": boots_with("format=3", r"^screen: 1280x800"),
        "firmware_screen_of_16_bits_is_not_used": boots_with(
            "format=4", without="screen: 1280x800"
        ),
        "firmware_screen_without_memory_is_not_used": boots_with(
            "format=1", without="screen: 1280x800"
        ),
        "firmware_screen_narrower_than_its_lines": boots_with("width=1000", r"^screen: 1000x800"),
        "firmware_screen_wider_than_its_lines_is_not_used": boots_with(
            "stride=600", without="screen: 1280x800"
        ),
        "firmware_screen_shorter_than_it_says": boots_with("room=2048000", r"^screen: 1280x400"),
        "firmware_screen_without_address": boots_with("screen=0", without="screen: 1280x800"),
        "firmware_screen_without_mode": boots_with("screen=1", without="screen: 1280x800"),
        "firmware_attributes_outlive_boot_services": test_kernel(
            r"^efi: (\d+) runtime pages, \1 of them with"
        ),
        "firmware_without_attributes": test_kernel(
            r"^efi: \d+ runtime pages, 0 of them with", words="attributes=0"
        ),
        "firmware_attributes_of_absurd_size": test_kernel(
            r"^efi: \d+ runtime pages, 0 of them", words="attributes=1"
        ),
        "firmware_damaged_rsdp": boots_with("rsdp=0", r"^acpi: the firmware has no usable tables"),
        "firmware_with_nothing_free": panics_on_the_screen(
            "free=0", r"^panic: no memory for the frame array: it needs \d+ KiB in one piece"
        ),
        "firmware_with_nothing_free notices a kernel without consoles": notices_no_consoles,
        "boot_information_of_another_version": panics_on_the_screen(
            "version=99", r"^panic: .* of version 99, this kernel needs version 2$"
        ),
        "boot_information_missing": ends_with("version=0", r"^panic: the loader has left no boot"),
        "firmware_without_pm_timer": boots_with("pmtimer=0", r"^time: TSC at \d+ kHz by the HPET$"),
        "firmware_without_pm_timer_and_hpet": boots_with(
            "pmtimer=0", r"^time: TSC at \d+ kHz by the PIT$", options=("--machine", "q35,hpet=off")
        ),
        "firmware_without_pm_timer_hpet_and_pit": boots_with(
            "pmtimer=0", r"^time: no clock answers", options=("--machine", "q35,hpet=off,pit=off")
        ),
        "firmware_with_5_level_paging": boots_with(
            "level5=1",
            r"^odd firmware: 5-level paging is on",
            r"^penumbra: loader: starting with 5-level paging",
        ),
        "cmdline_of_4095_characters": cmdline(LONGEST, r"^cmdline: init=/sbin/init demo -- xxx"),
        "cmdline_of_4096_characters": cmdline(
            LONGEST + b"x", r"cmdline\.txt: is longer than 4095 characters", 125
        ),
        "cmdline_with_a_byte_order_mark": cmdline(b"\xef\xbb\xbf" + DEMO + b"\r\n", READ),
        "cmdline_behind_a_blank_line": cmdline(b"\r\n  \r\n" + DEMO + b"\n", READ),
        "cmdline_behind_a_comment": cmdline(b"# the story\n" + DEMO + b"\n", READ),
        "cmdline_of_two_lines": cmdline(b"init=/sbin/init\n\tdemo \r\n\x1a", READ),
        "cmdline_of_1000_words": all_words,
        "initrd_too_large": initrd_too_large,
        "cmdline_in_utf_16": cmdline(
            DEMO.decode().encode("utf-16"), r"cmdline\.txt: is not text", 125
        ),
    }
)
