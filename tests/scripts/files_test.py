#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves: mkimage, mkinitrd and usb refuse wrong input with one clear line and leave nothing half
done, and take what only looks odd."""
import os
import re

from fakes import Fakes, expect, path, run, run_tests, says

CMDLINE_MAX = 4095


class Inputs:
    """Files that are just right enough for mkimage."""

    def __init__(self, fakes):
        self.image = fakes.file("out.img")
        self.loader = fakes.write("loader.efi", b"MZ" + bytes(64))
        self.kernel = fakes.write("kernel.elf", b"\x7fELF" + bytes(64))
        self.initrd = fakes.write("initrd.cpio", b"070701" + bytes(64))
        self.cmdline = "init=/sbin/init"

    def mkimage(self):
        words = ["-o", self.image, "-l", self.loader, "-k", self.kernel, "-i", self.initrd]
        return run("scripts/mkimage", *words, "-c", self.cmdline)


def image(status=1, *said, **changes):
    """mkimage with some inputs changed: to what a function of the folder makes, or to a text."""

    def test(fakes):
        inputs = Inputs(fakes)
        for name, value in changes.items():
            setattr(inputs, name, value(fakes) if callable(value) else value)
        says(inputs.mkimage(), status, *said)
        made = os.path.isfile(inputs.image)
        expect(made == (status == 0), f"expect {'an' if status == 0 else 'no'} image")

    return test


def holds_cmdline(fakes):
    """What was given arrives, byte for byte, even when it is no UTF-8."""
    inputs = Inputs(fakes)
    inputs.cmdline = os.fsdecode(b"init=/sbin/init -- \xff \xc3\xa4 $HOME")
    says(inputs.mkimage(), 0)
    at = f"{inputs.image}@@{1 << 20}"
    env = {"MTOOLS_SKIP_CHECK": "1"}
    out = fakes.file("cmdline.txt")
    run("mcopy", "-i", at, "::/penumbra/cmdline.txt", out, env=env)
    with open(out, "rb") as file:
        saw = file.read()
    expect(saw == os.fsencode(inputs.cmdline) + b"\n", f"saw {saw!r}")


def overwrites_its_input(fakes):
    inputs = Inputs(fakes)
    inputs.image = inputs.kernel
    says(inputs.mkimage(), 1, "would overwrite what goes into the image")
    expect(os.path.getsize(inputs.kernel) == 68, "the kernel is gone")


def limit_is_the_contracts(fakes):
    """mkimage's limit is the one that kernel and loader keep."""
    with open(path("scripts/mkimage")) as file:
        expect(f"CMDLINE_MAX = {CMDLINE_MAX}\n" in file.read().replace("  #", "\n"), "mkimage's")
    with open(path("include/boot_info.h")) as file:
        limit = re.search(r"^#define BOOT_CMDLINE_BYTES +(\d+)", file.read(), re.M)
    expect(int(limit.group(1)) == CMDLINE_MAX + 1, "the boot contract's is another")


def folder_with(make):
    def made(fakes):
        folder = fakes.file("folder")
        os.mkdir(folder)
        make(folder)
        return folder

    return made


def initrd(status, make, *said, names=(), inside=False):
    def test(fakes):
        root = folder_with(make)(fakes)
        out = os.path.join(root, "x.cpio") if inside else fakes.file("x.cpio")
        says(run("scripts/mkinitrd", "-o", out, root, *names), status, *said)
        expect(os.path.exists(out) == (status == 0), "expect an archive only of what is right")
        expect(not os.path.exists(out + ".tmp"), "a half-made archive is left")

    return test


def keeps_everything(fakes):
    """Odd names, an empty folder, and a link to nowhere are all packed."""
    root = fakes.file("root")
    os.makedirs(os.path.join(root, "empty"))
    names = [b"a b", b"\xff", b"new\nline", b"$(x)"]
    for name in names:
        with open(os.path.join(os.fsencode(root), name), "wb"):
            pass
    os.symlink("/nowhere", os.path.join(root, "link"))
    out = fakes.file("x.cpio")
    says(run("scripts/mkinitrd", "-o", out, root), 0)
    with open(out, "rb") as file:
        data = file.read()
    for name in names + [b"empty", b"link"]:
        expect(b"\0" + name + b"\0" in data.replace(b"00000000", b"\0"), f"{name} is not packed")
    expect(b"/nowhere" in data, "where the link leads is not packed")


def nothing(folder):
    pass


run_tests(
    {
        "mkimage_makes_an_image": image(0),
        "mkimage_no_kernel": image(1, "kernel /no/such does not exist", kernel="/no/such"),
        "mkimage_kernel_is_a_folder": image(1, "kernel / is not a file", kernel="/"),
        "mkimage_kernel_is_text": image(
            1, "is not an ELF file", kernel=lambda fakes: fakes.write("text", "hello")
        ),
        "mkimage_loader_is_text": image(
            1, "is not a UEFI program", loader=lambda fakes: fakes.write("text", "hello")
        ),
        "mkimage_initrd_is_compressed": image(
            1, "is not a newc cpio archive", initrd=lambda fakes: fakes.write("gz", b"\x1f\x8b")
        ),
        "mkimage_initrd_is_empty": image(
            1, "is not a newc cpio archive", initrd=lambda fakes: fakes.write("empty", "")
        ),
        "mkimage_initrd_may_be_a_folder": image(0, initrd=folder_with(nothing)),
        "mkimage_no_folder": image(1, "its folder does not exist", image="/no/such/x.img"),
        "mkimage_output_is_a_folder": image(1, "is a folder", image=folder_with(nothing)),
        "mkimage_two_lines": image(1, "must be one line", cmdline="init=/a\nb"),
        "mkimage_two_lines_of_a_mac": image(1, "must be one line", cmdline="init=/a\rb"),
        "mkimage_longest_cmdline": image(0, cmdline="x" * CMDLINE_MAX),
        "mkimage_cmdline_too_long": image(
            1,
            f"the command line has {CMDLINE_MAX + 1} bytes, the kernel takes {CMDLINE_MAX}",
            cmdline="x" * (CMDLINE_MAX + 1),
        ),
        "mkimage_cmdline_limit_is_the_contracts": limit_is_the_contracts,
        "mkimage_cmdline_is_kept": holds_cmdline,
        "mkimage_keeps_its_input": overwrites_its_input,
        "mkinitrd_keeps_everything": keeps_everything,
        "mkinitrd_no_such_name": initrd(1, nothing, "bin/x: No such file", names=["bin/x"]),
        "mkinitrd_name_outside": initrd(1, nothing, "does not lie below", names=["../x"]),
        "mkinitrd_fifo": initrd(
            1, lambda folder: os.mkfifo(os.path.join(folder, "fifo")), "is neither a file"
        ),
        "mkinitrd_into_itself": initrd(1, nothing, "lies in the folder", inside=True),
        "mkinitrd_no_folder": lambda fakes: says(
            run("scripts/mkinitrd", "-o", fakes.file("x"), "/no/such"),
            1,
            "/no/such is not a folder",
        ),
        "usb_no_name": lambda fakes: says(
            run("scripts/usb", fakes.image(), ""), 1, "name the stick"
        ),
        "usb_no_disk": lambda fakes: says(
            run("scripts/usb", fakes.image(), "/dev/null"), 1, "/dev/null is no disk"
        ),
    },
    folder=Fakes,
)
