#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves: however scripts/emulate is ended from outside, no emulator, X server or temporary folder
stays behind."""
import os
import pty
import signal
import subprocess
import time

from fakes import QEMU_RUNS_ON, Fakes, expect, path, run_tests

PATIENCE = 20


def wait_for(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def relatives(mark):
    """The processes that have mark in their environment, as {pid: command}."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                ours = mark.encode() in file.read()
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                command = file.read().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if ours and command:
            found[int(pid)] = command
    return found


class Started:
    """scripts/emulate on a terminal of its own, with a folder of its own for temporary files."""

    def __init__(self, fakes, emulator):
        self.temporary = fakes.file("tmp")
        os.mkdir(self.temporary)
        bin = fakes.bochs(boot='echo running >"$serial"; exec sleep 100')
        if emulator == "qemu":
            bin = fakes.qemu(boot=QEMU_RUNS_ON)
        env = dict(os.environ, TMPDIR=self.temporary, PATH=bin + ":" + os.environ["PATH"])
        env.pop("DISPLAY", None)
        keys = ["--input", "-"] if emulator == "qemu" else []
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            words = [path("scripts/emulate"), f"--{emulator}", *keys, fakes.image()]
            os.execve(words[0], words, env)
        self.saw = b""
        while b"running" not in self.saw:
            self.saw += os.read(self.terminal, 65536)

    def expect_nothing_left(self, folders=True):
        left = wait_for(lambda: not relatives(self.temporary))
        expect(left, f"these live on: {relatives(self.temporary)}")
        if folders:
            expect(not os.listdir(self.temporary), f"left: {os.listdir(self.temporary)}")

    def status(self):
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def closed(emulator):
    """The terminal's window is closed."""

    def test(fakes):
        started = Started(fakes, emulator)
        os.close(started.terminal)
        started.status()
        started.expect_nothing_left()

    return test


def signalled(emulator, number, twice=False):
    def test(fakes):
        started = Started(fakes, emulator)
        os.kill(started.pid, number)
        if twice:
            time.sleep(0.02)
            os.kill(started.pid, number)
        status = started.status()
        expect(status == 128 + number, f"expect status {128 + number}, saw {status}")
        started.expect_nothing_left()

    return test


def two_at_once(first, second):
    """As when a shell that dies of SIGQUIT takes its terminal away: the second must not cut short
    the cleaning that the first began. Stopped meanwhile, the script finds both."""

    def test(fakes):
        started = Started(fakes, "bochs")
        for number in (signal.SIGSTOP, first, second, signal.SIGCONT):
            os.kill(started.pid, number)
        status = started.status()
        expect(status in (128 + first, 128 + second), f"saw status {status}")
        started.expect_nothing_left()

    return test


def killed(fakes):
    """SIGKILL leaves no time to tidy up; the processes end all the same."""
    started = Started(fakes, "bochs")
    os.kill(started.pid, signal.SIGKILL)
    started.status()
    started.expect_nothing_left(folders=False)


def reader_gone(fakes):
    """emulate | head"""
    boot = 'while True:\n    os.write(serial, b"line\\n" * 100)\n    time.sleep(0.01)'
    temporary = fakes.file("tmp")
    os.mkdir(temporary)
    env = dict(os.environ, TMPDIR=temporary, PATH=fakes.qemu(boot) + ":" + os.environ["PATH"])
    command = [path("scripts/emulate"), "--qemu", fakes.image()]
    with subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read().decode()
    expect(process.returncode == 141 and "Traceback" not in said, "expect status 141", said)
    expect(not os.listdir(temporary), f"left behind: {os.listdir(temporary)}")


run_tests(
    {
        "ends_terminal_closed_qemu": closed("qemu"),
        "ends_terminal_closed_bochs": closed("bochs"),
        "ends_interrupted": signalled("bochs", signal.SIGINT),
        "ends_interrupted_twice": signalled("bochs", signal.SIGINT, twice=True),
        "ends_terminated": signalled("qemu", signal.SIGTERM),
        "ends_quit": signalled("qemu", signal.SIGQUIT),
        "ends_quit_and_hung_up": two_at_once(signal.SIGQUIT, signal.SIGHUP),
        "ends_interrupted_and_terminated": two_at_once(signal.SIGINT, signal.SIGTERM),
        "ends_killed": killed,
        "ends_reader_gone": reader_gone,
    },
    folder=Fakes,
)
