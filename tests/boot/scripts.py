#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves: wrong input to the scripts gives one clear line and the right status, and make is idempotent and writes below build/ only.
No machine is booted."""
import os
import stat
import subprocess

from boot import expect, path, run_tests, ROOT


def run(*command, env=None):
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env=dict(os.environ, **(env or {})))
    return done.returncode, done.stdout


def says(command, status, words):
    def test(boots):
        saw, text = run(*command)
        expect(saw == status and words in text and "Traceback" not in text, f"expect status {status} and {words!r}, saw {saw}", text)
    return test


def old_emulator(name, words):
    """An emulator that is too old, by a stand-in of its name that comes first in PATH."""
    def test(boots):
        folder = boots.file("bin")
        os.mkdir(folder)
        fake = os.path.join(folder, name)
        with open(fake, "w") as file:
            file.write("#!/bin/sh\necho 'QEMU emulator version 2.0'; echo 'cpu models: pentium'\n")
        os.chmod(fake, stat.S_IRWXU)
        option = "--bochs" if name == "bochs" else "--qemu"
        saw, text = run("scripts/emulate", option, "build/demo.img", env={"PATH": folder + ":" + os.environ["PATH"]})
        expect(saw == 69 and words in text, f"expect status 69 and {words!r}, saw {saw}", text)
    return test


def second_make(boots):
    first, text = run("make", "images")
    second, again = run("make", "images")
    expect(first == second == 0 and (not again or "Nothing to be done" in again), "the second make does something", again)


def build_only(boots):
    if not os.path.exists(path(".git")):
        return
    saw, text = run("git", "status", "--porcelain", "--ignored")
    others = [line for line in text.splitlines() if line.startswith("!!") and line != "!! build/" and "__pycache__" not in line]
    expect(saw == 0 and not others, "files beside build/", "\n".join(others))


run_tests({
    "scripts_emulate_no_image": says(["scripts/emulate", "--qemu", "/no/such.img"], 2, "/no/such.img: no such image"),
    "scripts_emulate_bad_numbers": says(["scripts/emulate", "--qemu", "--smp", "65", "build/demo.img"], 2, "--smp takes up to 64"),
    "scripts_emulate_no_input": says(["scripts/emulate", "--qemu", "--input", "/no/such", "build/demo.img"], 2, "/no/such: No such file"),
    "scripts_emulate_no_place_for_a_log": says(["scripts/emulate", "--qemu", "--log", "/no/such/log", "build/demo.img"], 2, "/no/such/log: No such"),
    "scripts_emulate_old_bochs": old_emulator("bochs", "has no CPU model tigerlake"),
    "scripts_emulate_old_qemu": old_emulator("qemu-system-x86_64", "version 2.0) is too old"),
    "scripts_mkimage_no_kernel": says(["scripts/mkimage", "-o", "build/x.img", "-k", "/no/such"], 1, "/no/such"),
    "scripts_mkimage_no_folder": says(["scripts/mkimage", "-o", "/no/such/x.img"], 1, "its folder does not exist"),
    "scripts_usb_no_name": says(["scripts/usb", "build/penumbra.img", ""], 1, "name the stick"),
    "scripts_usb_no_disk": says(["scripts/usb", "build/penumbra.img", "/dev/null"], 1, "/dev/null is no disk"),
    "make_twice_does_nothing": second_make,
    "make_writes_below_build_only": build_only,
}, jobs=1)
