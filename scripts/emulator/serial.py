# SPDX-License-Identifier: MIT
"""The serial line: what comes as text, what is typed, and what on it means that the run is over."""
import errno
import os
import re
import select
import signal
import sys
import termios
import tty

from emulator.report import NO_VERDICT, Finished, Interrupted

VERDICT = re.compile(
    rb"^init: (?:exit status (\d+)|killed by signal (\d+))\r?\npower: off\r?$", re.M
)
DEAD_ENDS = [
    (re.compile(rb"^panic: end\r?$", re.M), "the kernel panicked"),
    (re.compile(rb"^penumbra: loader: (?!starting)[^\n]*\n", re.M), "the loader gave up"),
    (
        re.compile(rb"^power: off\r?$", re.M),
        "the machine was switched off without a verdict of init's",
    ),
    (re.compile(rb"^power: reboot\r?$", re.M), "the machine was restarted"),
]
ESCAPE = re.compile(rb"\x1b\[[0-9;=?]*[A-Za-z]")
UNFINISHED = re.compile(rb"(\x1b(\[[0-9;=?]*)?|\r)$")


def dead_end(text):
    return next((words for pattern, words in DEAD_ENDS if pattern.search(text)), None)


def show(data):
    """To standard output, at once and unbuffered: nothing is left to flush when its reader is
    gone."""
    try:
        while data:
            data = data[os.write(1, data) :]
    except OSError as error:
        if error.errno in (errno.EPIPE, errno.EIO):
            raise Interrupted(signal.SIGPIPE) from error
        raise Finished(NO_VERDICT, f"standard output: {error.strerror}") from error


class Text:
    """The serial line as text: without the escape sequences the firmware draws its screen with,
    lines ended by LF."""

    def __init__(self):
        self.raw, self.clean = b"", b""

    def add(self, data):
        """Take data in; returns what of it can be shown now. An unfinished escape sequence or line
        end waits for its rest."""
        self.raw += data
        unfinished = UNFINISHED.search(self.raw)
        cut = unfinished.start() if unfinished else len(self.raw)
        ready, self.raw = self.raw[:cut], self.raw[cut:]
        ready = ESCAPE.sub(b"", ready).replace(b"\r\n", b"\n")
        self.clean += ready
        return ready


class Keys:
    """What goes to the guest's serial line: a file, or this terminal in raw mode."""

    def __init__(self, where):
        self.saved = None
        self.file = None
        if where == "-":
            self.file = sys.stdin.fileno()
            if os.isatty(self.file):
                self.saved = termios.tcgetattr(self.file)
                tty.setcbreak(self.file)
        elif where:
            self.file = os.open(where, os.O_RDONLY)

    def take(self):
        """One key, or none: an emulated UART holds 16, and loses the rest."""
        if self.file is None or not select.select([self.file], [], [], 0)[0]:
            return b""
        data = os.read(self.file, 1)
        if not data:
            self.file = None
        return data

    def close(self):
        if self.saved:
            try:
                termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, self.saved)
            except termios.error:
                pass  # the terminal is gone
