#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves: a missing or damaged file on the boot partition gives one clear line that names the file,
and no reset loop; the loader then returns to the firmware; a missing command line means an empty
one."""
from boot import Boot, expect, path, put, run_tests


def kernel():
    with open(path("build/kernel.elf"), "rb") as file:
        return file.read()


def gives(name, data, line):
    """With this file changed the boot ends without a verdict, prints this line and does not
    loop."""

    def test(boots):
        image = boots.image()
        put(image, f"penumbra/{name}", data() if callable(data) else data)
        boot = Boot("qemu", image, timeout=60)
        boot.expect_status(125)
        boot.expect_text(line)
        expect(
            boot.text.count("penumbra: loader:") <= 2, "the loader ran more than once", boot.text
        )

    return test


def back_to_firmware(boots):
    image = boots.image()
    put(image, "penumbra/kernel.elf", None)
    boot = Boot("qemu", image, "--linger", "40", timeout=90)
    boot.expect_text(r"(?s)kernel\.elf: file not found.*UEFI Interactive Shell")


def no_cmdline(boots):
    """An empty command line starts the kernel's default init."""
    image = boots.image()
    put(image, "penumbra/cmdline.txt", None)
    boot = Boot(
        "qemu",
        image,
        "--input",
        path("tests/boot/poweroff.txt"),
        "--input-after",
        "\n# ",
        timeout=60,
    )
    boot.expect_status(0)
    boot.expect_text(r"^init: exit status 0")


def init_missing(boots):
    boot = Boot("qemu", boots.image("init=/bin/nowhere"), timeout=60)
    boot.expect_status(125)
    boot.expect_text(r"/bin/nowhere")


ELF_HEADER = 64
run_tests(
    {
        "damage_kernel_missing": gives("kernel.elf", None, r"kernel\.elf: file not found"),
        "damage_kernel_empty": gives(
            "kernel.elf", b"", r"kernel\.elf: truncated: shorter than an ELF header"
        ),
        "damage_kernel_is_text": gives(
            "kernel.elf", b"hello " * 100, r"kernel\.elf: not an ELF file"
        ),
        "damage_kernel_32_bit": gives(
            "kernel.elf",
            lambda: kernel()[:4] + b"\1" + kernel()[5:],
            r"kernel\.elf: wrong ELF class",
        ),
        "damage_kernel_other_machine": gives(
            "kernel.elf",
            lambda: kernel()[:18] + b"\xb7\0" + kernel()[20:],
            r"another machine than x86-64",
        ),
        "damage_kernel_cut": gives(
            "kernel.elf",
            lambda: kernel()[:20000],
            r"kernel\.elf: truncated: a segment lies beyond its end",
        ),
        "damage_initrd_missing": gives("initrd.cpio", None, r"initrd\.cpio: file not found"),
        "damage_initrd_cut": gives(
            "initrd.cpio",
            lambda: open(path("build/initrd.cpio"), "rb").read()[:3000],
            r"^initrd: damaged or cut off",
        ),
        "damage_initrd_is_text": gives(
            "initrd.cpio", b"hello " * 100, r"^initrd: .*not a newc cpio archive"
        ),
        "damage_cmdline_missing": no_cmdline,
        "damage_init_missing": init_missing,
        "damage_loader_goes_back_to_the_firmware": back_to_firmware,
    }
)
