# SPDX-License-Identifier: MIT
"""One running emulator: its folder, its processes, and the certainty that neither outlives
scripts/emulate."""
import ctypes
import os
import shutil
import signal
import subprocess
import tempfile

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


def output_of(*command):
    """What a command prints, both ways; "" when it does not run."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=20,
            text=True,
            errors="replace",
        )
        return done.stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def die_with_parent():
    """Runs in the child before exec: should scripts/emulate be killed, the kernel kills the
    child."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Machine:
    """What Bochs and QEMU have in common. Everything is named relative to the machine's own folder,
    in which it runs, so that no path of the user's meets the emulator's syntax."""

    name = None
    disk = "disk.img"

    def __init__(self, args):
        self.args = args
        self.process = None
        self.helpers = []
        self.folder = tempfile.mkdtemp(prefix="penumbra-")
        os.symlink(os.path.abspath(args.image), self.path(self.disk))

    def path(self, name):
        return os.path.join(self.folder, name)

    def spawn(self, command, **options):
        """A process of this machine's, out of the terminal's reach."""
        return subprocess.Popen(
            command,
            cwd=self.folder,
            start_new_session=True,
            preexec_fn=die_with_parent,
            stdin=subprocess.DEVNULL,
            **options,
        )

    def running(self):
        return self.process.poll() is None

    def lines(self, name):
        """The lines of a file in the folder; none when it is not there."""
        try:
            with open(self.path(name), errors="replace") as file:
                return [line.rstrip() for line in file]
        except OSError:
            return []

    def close(self):
        for process in [self.process] + self.helpers:
            if process and process.poll() is None:
                process.terminate()
                try:
                    process.wait(3)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
