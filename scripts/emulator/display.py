# SPDX-License-Identifier: MIT
"""The X display that Bochs draws on: the user's where it can be opened, else one nobody sees."""
import os
import shutil
import subprocess
import sys

from emulator.report import MISSING, Finished, note

TRY_IT = "import ctypes, sys; sys.exit(not ctypes.CDLL('libX11.so.6').XOpenDisplay(None))"


def can_open(display):
    """Asks the X library itself, as Bochs will. In a process of its own: the library may exit, or
    hang."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", TRY_IT],
            env=dict(os.environ, DISPLAY=display),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=5,
        )
        return done.returncode == 0
    except subprocess.TimeoutExpired:
        return False


def provide(machine):
    """The name of a display that works. One of our own ends with the machine."""
    wanted = os.environ.get("DISPLAY")
    if wanted and can_open(wanted):
        return wanted
    if wanted:
        note(f"the display {wanted} of DISPLAY cannot be opened; going on without a window")
    if not shutil.which("Xvfb"):
        raise Finished(MISSING, "Xvfb is missing: install the Debian package xvfb, or set DISPLAY")
    read_end, write_end = os.pipe()
    screen = ["-screen", "0", "1280x1024x24", "-nolisten", "tcp"]
    xvfb = machine.spawn(
        ["Xvfb", "-displayfd", str(write_end)] + screen,
        pass_fds=[write_end],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    machine.helpers.append(xvfb)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        number = pipe.readline().strip()
    if not number:
        raise Finished(MISSING, "Xvfb did not start")
    return ":" + number
