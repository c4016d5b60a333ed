#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Exercises of docs/book/01-boot.md and docs/running.md that need images or scripts of their own.
They fail until a reader has solved them."""
import os
import re
import subprocess

from boot import Boot, expect, path, put, run_tests


def extra_cpio(boots):
    """An optional file \\penumbra\\extra.cpio is unpacked over the initrd."""
    root = boots.file("extra")
    os.makedirs(os.path.join(root, "etc"))
    with open(os.path.join(root, "etc", "motd"), "w") as file:
        file.write("from the second archive\n")
    archive, image = boots.file("extra.cpio"), boots.image("init=/sbin/init")
    subprocess.run([path("scripts/mkinitrd"), "-o", archive, root], check=True)
    with open(archive, "rb") as file:
        put(image, "penumbra/extra.cpio", file.read())
    commands = boots.file("commands")
    with open(commands, "w") as file:
        file.write("cat /etc/motd\npoweroff\n")
    boot = Boot("qemu", image, "--input", commands, "--input-after", "\n# ", timeout=60)
    expect(
        boot.status == 0,
        f"expect the image with an extra.cpio to boot, saw status {boot.status}",
        boot.text,
    )
    expect(
        re.search(r"^from the second archive$", boot.text, re.M),
        "expect /etc/motd to come from \\penumbra\\extra.cpio, which lies beside initrd.cpio",
    )


# What /proc/trace prints (kernel/proc/procfs.c:show_trace): two pages of process 3, one of process
# 4, and a refusal.
TRACE = """\
1000 0 3 0x7ffff7ffd000 4K 0x0000000000000000 0x800000001ffdf065 demand-zero
1100 0 3 0x418000 4K 0x0000000000000000 0x800000001ffcc067 demand-zero
1200 0 3 0x7ffff7ffd000 4K 0x800000001ffdf065 0x840000001ffdf025 share
1200 0 4 0x7ffff7ffd000 4K 0x0000000000000000 0x840000001ffdf025 share
1300 0 4 refusal signal 11 code 2 addr 0x7ffff7ffdfe0 error 0x7 rip 0x402988
1400 0 3 0x7ffff7ffd000 4K 0x840000001ffdf025 0x800000001ffdf065 shstk-reuse
"""
HISTORY = """\
3 0x418000 demand-zero
3 0x7ffff7ffd000 demand-zero share shstk-reuse
4 0x7ffff7ffd000 share
"""


def trace_history(boots):
    """scripts/trace reads a log that holds what /proc/trace printed, and prints for each page what
    happened to it, in order."""
    log, tool = boots.file("log"), path("scripts/trace")
    with open(log, "w") as file:
        file.write("some line of the console\n# trace\n" + TRACE + "# poweroff\n")
    expect(
        os.access(tool, os.X_OK),
        "expect a program scripts/trace: it takes a log,"
        ' and prints "PID ADDRESS REASON..." for each page',
    )
    run = subprocess.run([tool, log], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    expect(
        run.returncode == 0 and run.stdout == HISTORY,
        "expect, sorted by process and address:\n" + HISTORY + "saw:",
        run.stdout,
    )


run_tests({"exercise_extra_cpio": extra_cpio, "exercise_trace_history": trace_history})
