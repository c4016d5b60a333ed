# SPDX-License-Identifier: MIT
"""QEMU, with its own CPU (TCG, which has no CET) or with the host's (KVM)."""
import os
import re
import select
import shutil
import socket
import subprocess
import time

from emulator import firmware, kvm
from emulator.process import Machine, output_of
from emulator.report import MISSING, Finished, note

PROGRAM = kvm.QEMU
OLDEST = (5, 0)  # 7.2 is what was tried
KVM_FAILED = re.compile(
    r"failed to set MSR|KVM internal error|kvm run failed|failed to initialize kvm"
)


class Qemu(Machine):
    name = "qemu"
    patience = "a few seconds"

    def check(self):
        if not shutil.which(PROGRAM):
            text = "install the Debian package qemu-system-x86 (or run scripts/setup)"
            raise Finished(MISSING, f"{PROGRAM} is missing: {text}")
        found = kvm.qemu_version(output_of(PROGRAM, "--version"))
        if not found or found < OLDEST:
            version = kvm.dotted(found) if found else "unknown"
            raise Finished(
                MISSING,
                f"the {PROGRAM} that is here (version {version}) is too old:"
                f" install the Debian package qemu-system-x86, {kvm.dotted(OLDEST)} or later",
            )
        self.firmware = firmware.for_qemu(self.args.root)
        if not self.firmware:
            raise Finished(MISSING, "no OVMF firmware: install the Debian package ovmf")

    def accelerator(self):
        return ["-accel", "tcg", "-cpu", self.args.cpu or "max"]

    def firmware_options(self):
        """A whole image goes in as the BIOS; a split one must be flash, its variables a copy."""
        os.symlink(self.firmware.code, self.path("code.fd"))
        if not self.firmware.variables:
            return ["-bios", "code.fd"]
        shutil.copyfile(self.firmware.variables, self.path("variables.fd"))
        return [
            *("-drive", "if=pflash,format=raw,readonly=on,file=code.fd"),
            *("-drive", "if=pflash,format=raw,file=variables.fd"),
        ]

    def boot(self):
        args = self.args
        ours, theirs = socket.socketpair()
        self.channel = ours
        command = [
            *(PROGRAM, "-machine", args.machine, *self.accelerator()),
            *("-m", str(args.mem), "-smp", str(args.smp), *self.firmware_options()),
            *("-vga", "std", "-display", "none", "-no-reboot", "-net", "none"),
            *("-drive", f"file={self.disk},format=raw,if=ide,snapshot=on"),
            *("-chardev", f"socket,id=serial,fd={theirs.fileno()}", "-serial", "chardev:serial"),
            *("-monitor", "unix:monitor,server=on,wait=off"),
        ]
        command += args.for_qemu
        if args.gdb:
            command += ["-s", "-S"]
            note("waiting for gdb: gdb build/kernel.debug -ex 'target remote :1234'")
        with open(self.path("out"), "w") as out:
            self.process = self.spawn(
                command, pass_fds=[theirs.fileno()], stdout=subprocess.DEVNULL, stderr=out
            )
        theirs.close()

    def read(self):
        ready, _, _ = select.select([self.channel], [], [], 0.1)
        return self.channel.recv(65536) if ready else b""

    def send(self, data):
        self.channel.sendall(data)

    def command(self, line):
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(self.path("monitor"))
            monitor.sendall(line.encode() + b"\n")
            time.sleep(0.5)
            monitor.recv(65536)

    def screenshot(self, path):
        raw = self.path("screen.ppm")
        self.command(f"screendump {raw}")
        subprocess.run(["convert", raw, path], check=True)

    def trouble(self):
        """What QEMU itself could not do; None when there is nothing. After some it goes on
        running."""
        said = self.lines("out")
        failed = [line for line in said if KVM_FAILED.search(line)]
        if failed:
            return failed[0]
        status = self.process.poll()
        if not status:
            return None
        how = f"status {status}" if status > 0 else f"signal {-status}"
        return f"{self.name} ended with {how}" + (f": {said[-1]}" if said else "")


class Kvm(Qemu):
    name = "kvm"

    def check(self):
        super().check()
        trouble = kvm.device_trouble(self.args.root)
        if trouble:
            raise Finished(MISSING, trouble)

    def accelerator(self):
        return ["-accel", "kvm", "-cpu", self.args.cpu or kvm.cpu_option(kvm.look(self.args.root))]
