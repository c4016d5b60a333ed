# SPDX-License-Identifier: MIT
"""What scripts/emulate says on standard error, and the exit statuses that are its own."""
import sys

WRONG_USE, MISSING, TIMED_OUT, NO_VERDICT = 2, 69, 124, 125


class Finished(Exception):
    """The end: what the last line says, and the exit status."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status, self.text = status, text


class Interrupted(BaseException):
    """A signal from outside, which must not be caught as an error."""

    def __init__(self, number):
        super().__init__(number)
        self.number = number


def note(text):
    """A line on standard error. A terminal that is gone is no reason to stop cleaning up."""
    try:
        print(f"emulate: {text}", file=sys.stderr, flush=True)
    except OSError:
        pass
