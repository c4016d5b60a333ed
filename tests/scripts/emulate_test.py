#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves: scripts/emulate works with every kind of emulator it says it works with, takes an image
from any path, and says in one clear line what is wrong or missing."""
import os

from fakes import STATUS, Fakes, expect, path, run, run_tests, says

ODD = "my course #1, 50 $HOME 100%"


def wrong(words, *said):
    return lambda fakes: says(run("scripts/emulate", *words), 2, *said)


def wrong_for(name, *said):
    """The same, with an image that exists."""

    def test(fakes):
        words = [word.replace("IMAGE", fakes.image()) for word in name]
        says(run("scripts/emulate", *words), 2, *said)

    return test


def bochs_of_kind(debugger):
    """One without the debugger does not know -rc; one with it goes on only when told to."""

    def test(fakes):
        folder = fakes.bochs(debugger)
        says(fakes.emulate("--bochs", fakes.image(), bin=folder), STATUS, "exit status 7")

    return test


def too_old(option, make, *said):
    return lambda fakes: says(
        fakes.emulate(option, fakes.image(), bin=make(fakes)), 69, "the Debian package", *said
    )


def odd_path(option):
    """A checkout and an image below a folder whose name is full of the emulators' own syntax."""

    def test(fakes):
        folder = os.path.join(fakes.file("odd"), ODD)
        os.makedirs(folder)
        run("cp", "-r", path("scripts"), folder)
        image = os.path.join(folder, "a, b#.img")
        with open(image, "w") as file:
            file.write("not looked at")
        bin = fakes.qemu(folder=fakes.bochs())
        env = {"PATH": bin + ":" + os.environ["PATH"]}
        command = [os.path.join(folder, "scripts", "emulate"), option]
        says(run(*command, image, env=env), STATUS)
        says(run(*command, "a, b#.img", env=env, cwd=folder), STATUS)

    return test


def stale_display(fakes):
    """DISPLAY names a server that is gone: Bochs gets one of its own, and its user is told."""
    bin = fakes.bochs()
    result = fakes.emulate("--bochs", fakes.image(), bin=bin, env={"DISPLAY": ":4711"})
    says(result, STATUS, "the display :4711 of DISPLAY cannot be opened")
    with open(os.path.join(bin, "display")) as file:
        used = file.read().strip()
    expect(used.startswith(":") and used != ":4711", f"Bochs was sent to display {used!r}")


def bochs_in_trouble(fakes):
    """A Bochs that panics and stays: its words are passed on, at once."""
    bin = fakes.bochs(boot="echo '00p[ABC ] >>PANIC<< no such thing' >log; exec sleep 100")
    result = fakes.emulate("--bochs", "--timeout", "30", fakes.image(), bin=bin)
    says(result, 125, "no verdict: the emulator failed: bochs: no such thing")


def qemu_in_trouble(fakes):
    """A QEMU that cannot start says so itself. It is not "reset or switched off"."""
    bin = fakes.qemu(boot='sys.exit("qemu: could not load PC BIOS")')
    result = fakes.emulate("--qemu", fakes.image(), bin=bin)
    says(result, 125, "the emulator failed", "could not load PC BIOS")
    expect("switched off" not in result[1], "expect no word of a reset", result[1])


def reset(fakes):
    """A machine that ends without a word was reset or switched off."""
    result = fakes.emulate("--qemu", fakes.image(), bin=fakes.qemu(boot="sys.exit(0)"))
    says(result, 125, "the machine was reset or switched off")


def split_firmware(fakes):
    """A firmware in two files is given as flash memory, with a copy of its variables."""
    names = ["usr/share/OVMF/OVMF_CODE_4M.fd", "usr/share/OVMF/OVMF_VARS_4M.fd"]
    bin = fakes.qemu()
    root = fakes.root({name: name for name in names})
    says(fakes.emulate("--qemu", fakes.image(), bin=bin, root=root), STATUS)
    with open(os.path.join(bin, "arguments")) as file:
        words = file.read()
    expect("if=pflash,format=raw,readonly=on,file=code.fd" in words, "expect flash", words)
    expect("-bios" not in words, "a part of a firmware is no BIOS", words)
    root = fakes.root({names[0]: ""})
    says(fakes.emulate("--qemu", fakes.image(), bin=bin, root=root), 69, "no OVMF firmware")


run_tests(
    {
        "emulate_no_image": wrong(["--qemu", "/no/such.img"], "/no/such.img: no such image"),
        "emulate_a_folder_is_no_image": wrong(["--qemu", "/"], "/: no such image"),
        "emulate_bad_numbers": wrong_for(["--smp", "65", "IMAGE"], "--smp takes up to 64"),
        "emulate_no_input": wrong_for(["--input", "/no/such", "IMAGE"], "/no/such: No such file"),
        "emulate_no_place_for_a_log": wrong_for(["--log", "/no/log", "IMAGE"], "/no/log: No such"),
        "emulate_gdb_is_qemus": wrong_for(["--bochs", "--gdb", "IMAGE"], "are QEMU's: add --qemu"),
        "emulate_words_for_qemu": wrong_for(["--bochs", "IMAGE", "--", "-d", "int"], "are QEMU's"),
        "emulate_bochs_with_a_debugger": bochs_of_kind(True),
        "emulate_bochs_without_a_debugger": bochs_of_kind(False),
        "emulate_old_bochs": too_old(
            "--bochs", lambda fakes: fakes.bochs(model="pentium"), "has no CPU model tigerlake"
        ),
        "emulate_old_qemu": too_old(
            "--qemu", lambda fakes: fakes.qemu(version="2.0.1"), "version 2.0) is too old"
        ),
        "emulate_odd_path_bochs": odd_path("--bochs"),
        "emulate_odd_path_qemu": odd_path("--qemu"),
        "emulate_stale_display": stale_display,
        "emulate_bochs_in_trouble": bochs_in_trouble,
        "emulate_qemu_in_trouble": qemu_in_trouble,
        "emulate_reset": reset,
        "emulate_split_firmware": split_firmware,
    },
    folder=Fakes,
)
