#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves: Linux programs that were not built for this kernel run on it in both emulators, and their
exit status reaches the caller of scripts/emulate."""
import hashlib
import os
import subprocess

from boot import Boot, BUSYBOX, expect, run_tests

HERE = os.path.dirname(os.path.abspath(__file__))


def busybox_image(boots, words):
    return boots.image(
        f"init=/bin/busybox -- {words}", initrd=boots.initrd({"bin/busybox": BUSYBOX})
    )


def busybox(emulator):
    def test(boots):
        with open(BUSYBOX, "rb") as file:
            expected = hashlib.sha256(file.read()).hexdigest()
        boot = Boot(emulator, busybox_image(boots, "sha256sum /bin/busybox"))
        boot.expect_status(0)
        boot.expect_text(rf"^{expected}  /bin/busybox$")

    return test


def glibc(emulator, source, cpus=1):
    """A position-independent glibc program prints here what it prints on Linux. glibc.c uses stdio,
    malloc and fork, threads.c threads."""

    def test(boots):
        program = boots.file("glibc")
        subprocess.run(
            [
                "gcc",
                "-O2",
                "-pthread",
                "-static-pie",
                "-fPIE",
                "-o",
                program,
                os.path.join(HERE, source),
            ],
            check=True,
        )
        here = subprocess.run([program, "one", "two"], stdout=subprocess.PIPE, text=True)
        expect(here.returncode == 42, "the program fails on the build machine", here.stdout)
        image = boots.image(
            "init=/bin/glibc -- one two", initrd=boots.initrd({"bin/glibc": program})
        )
        boot = Boot(emulator, image, "--smp", str(cpus))
        boot.expect_status(42)
        for line in here.stdout.splitlines():
            boot.expect_text("^" + line + "$")

    return test


SCRIPT = """b=/bin/busybox
cd /tmp
echo one two three > f
$b wc -w < f
for i in 1 2 3; do echo $((i * i)); done | $b tail -n 1
$b ls / | $b grep -c bin
exit 9
"""


def shell_script(boots):
    """A real shell: pipes, redirection, exit status."""
    boot = Boot("qemu", boots.script_image(SCRIPT))
    boot.expect_status(9)
    boot.expect_text(r"^3$")
    boot.expect_text(r"^9$")


def init_is_spared(boots):
    """No signal ends init but one that it handles, or causes by itself."""
    boot = Boot("qemu", boots.script_image("kill -9 $$\nkill -TERM $$\nexit 8\n"))
    boot.expect_status(8)


def status_signal(boots):
    program = boots.file("crash")
    subprocess.run(
        ["musl-gcc", "-static", "-o", program, "-x", "c", "-"],
        input="int main(void) { *(volatile char *)8 = 1; }",
        text=True,
        check=True,
    )
    image = boots.image("init=/bin/crash", initrd=boots.initrd({"bin/crash": program}))
    boot = Boot("qemu", image)
    boot.expect_status(128 + 11)
    boot.expect_text(r"^init: killed by signal 11$")


def status_timeout(boots):
    boot = Boot("qemu", busybox_image(boots, "sleep 1000"), timeout=15)
    boot.expect_status(124)


run_tests(
    {
        "programs_busybox_in_bochs": busybox("bochs"),
        "programs_busybox_in_qemu": busybox("qemu"),
        "programs_glibc_in_bochs": glibc("bochs", "glibc.c"),
        "programs_glibc_in_qemu": glibc("qemu", "glibc.c"),
        "programs_threads_in_bochs_2_cpus": glibc("bochs", "threads.c", 2),
        "programs_threads_in_qemu_4_cpus": glibc("qemu", "threads.c", 4),
        "programs_shell_script": shell_script,
        "init_is_spared_by_signals": init_is_spared,
        "status_of_a_signal": status_signal,
        "status_of_a_timeout": status_timeout,
    }
)
