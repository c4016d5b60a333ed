# SPDX-License-Identifier: MIT
"""Following one machine until there is a verdict, a dead end, the end of the emulator or of the
time."""
import subprocess
import sys
import time
from collections import namedtuple

from emulator.report import NO_VERDICT, TIMED_OUT, Finished, Interrupted, note
from emulator.serial import VERDICT, Keys, Text, dead_end, show

GRACE = 1.0  # seconds in which an emulator in trouble may end by itself

# verdict: a match of VERDICT.  trouble: why the emulator could not run the machine.
# dead_end: why there will be no verdict.  All None: time is up.
Outcome = namedtuple("Outcome", "verdict trouble dead_end text")


class Watch:
    def __init__(self, machine, args):
        self.machine, self.args = machine, args
        self.serial = Text()
        self.keys = Keys(args.input)
        self.prompt = args.input_after.encode() if args.input_after else None
        self.line_typed_at = 0
        self.shot = not args.screenshot
        self.over_at = self.trouble_at = None
        self.deadline = time.monotonic() + args.timeout if args.timeout else None

    def run(self):
        outcome = None
        while not outcome:
            running = self.machine.running()  # asked first: what is read after its end is its last
            data = self.machine.read()
            show(self.serial.add(data))
            self.screenshot()
            self.type()
            outcome = self.outcome(running, data)
        return outcome

    def outcome(self, running, data):
        """None while it goes on."""
        now, text = time.monotonic(), self.serial.clean
        verdict, end = VERDICT.search(text), dead_end(text)
        if (verdict or end) and self.over_at is None:
            self.over_at = now
        if self.over_at is not None:
            over = not self.machine.running() or now - self.over_at > self.args.linger
            return Outcome(verdict, None, end, text) if over else None
        trouble = None if data else self.machine.trouble()
        if not running and not data:
            end = "the machine was reset or switched off"
            return Outcome(None, trouble, None if trouble else end, text)
        if trouble:
            self.trouble_at = self.trouble_at or now
            if now - self.trouble_at > GRACE:
                return Outcome(None, trouble, None, text)
        if self.deadline and now > self.deadline:
            return Outcome(None, None, None, text)
        return None

    def screenshot(self):
        if self.shot or self.args.screenshot_at.encode() not in self.serial.clean:
            return
        time.sleep(self.args.screenshot_delay)
        try:
            self.machine.screenshot(self.args.screenshot)
        except (OSError, subprocess.CalledProcessError) as error:
            note(f"no screenshot: {error}")
        self.shot = True

    def type(self):
        text = self.serial.clean
        if self.prompt is not None and self.prompt not in text[self.line_typed_at :]:
            return
        typed = self.keys.take()
        if typed:
            self.machine.send(typed)
        if typed == b"\n":
            self.line_typed_at = len(text)

    def close(self, log):
        self.keys.close()
        if self.serial.clean[-1:] not in (b"", b"\n"):
            try:
                show(b"\n")  # the line that was never ended
            except (Finished, Interrupted):
                pass
        if log:
            log.seek(0)
            log.truncate()
            log.write(self.serial.clean)
            log.flush()


def judge(outcome, timeout):
    """The Finished that an outcome means."""
    if outcome.verdict:
        status, signal = outcome.verdict.groups()
        if status:
            return Finished(int(status), f"init ended with exit status {int(status)}")
        return Finished(128 + int(signal), f"init ended with signal {int(signal)}")
    if outcome.trouble:
        return Finished(NO_VERDICT, f"no verdict: the emulator failed: {outcome.trouble}")
    if outcome.dead_end:
        return Finished(NO_VERDICT, f"no verdict: {outcome.dead_end}")
    note("the last console lines were:")
    for line in outcome.text.decode(errors="replace").splitlines()[-12:]:
        print("  | " + line, file=sys.stderr)
    return Finished(TIMED_OUT, f"timed out after {timeout:g} s")
