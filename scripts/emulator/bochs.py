# SPDX-License-Identifier: MIT
"""Bochs: enforces CET. Any build from 2.7 on, with its internal debugger or without."""
import os
import re
import select
import shutil
import socket
import subprocess
import time

from emulator import display, firmware
from emulator.process import Machine, output_of
from emulator.report import MISSING, NO_VERDICT, Finished

MODEL = "tigerlake"
VGA_BIOS = [
    "/usr/share/vgabios/vgabios.bin",
    "/usr/share/bochs/VGABIOS-lgpl-latest",
    "/usr/share/bochs/VGABIOS-lgpl-latest.bin",
    "/usr/local/share/bochs/VGABIOS-lgpl-latest.bin",
]
CONFIG = """\
cpu: model={model}, count={smp}, ips=50000000, reset_on_triple_fault=0
memory: guest={mem}, host={host}
romimage: file={firmware}, address=0xffe00000
vgaromimage: file={vga_bios}
pci: enabled=1, chipset=i440fx
vga: extension=vbe, update_freq=2
plugin_ctrl: {usb}parallel=0, biosdev=0, speaker=0
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=disk, path={disk}, mode=volatile
com1: {com1}
port_e9_hack: enabled=0
display_library: x
clock: sync=none
log: log
panic: action=fatal
"""
# Bochs also panics when the guest asks it to end, and on a triple fault: that is the machine's
# doing.
GUEST_ENDED = re.compile(r"hutdown|power off|no resolution|triple fault")


def has_debugger():
    """Does this build stop for its debugger's commands? It then, and only then, knows -rc."""
    return bool(re.search(r"^\s+-rc\b", output_of("bochs", "--help"), re.M))


def usable(root):
    return bool(shutil.which("bochs") and firmware.for_bochs(root))


class Bochs(Machine):
    name = "bochs"
    patience = "about 15 s"
    options = ""  # more of the configuration file
    commands = "c\n"  # for the debugger

    def check(self):
        if not shutil.which("bochs"):
            text = "install the Debian packages bochs and bochs-x (or run scripts/setup)"
            raise Finished(MISSING, "bochs is missing: " + text)
        self.model = self.args.cpu or MODEL
        if not re.search(rf"\b{re.escape(self.model)}\b", output_of("bochs", "--help", "cpu")):
            found = re.search(r"Emulator (\S+)", output_of("bochs", "--help"))
            version = found.group(1) if found else "of unknown version"
            raise Finished(
                MISSING,
                f"the bochs that is here ({version}) has no CPU model {self.model}:"
                f" the Debian package bochs 2.7 or later has {MODEL}",
            )
        self.firmware = firmware.for_bochs(self.args.root)
        if not self.firmware:
            text = (
                "no OVMF firmware of 2 MiB, which Bochs needs: install the Debian 12 package ovmf"
            )
            raise Finished(MISSING, text)
        self.vga_bios = next(filter(os.path.exists, VGA_BIOS), None)
        if not self.vga_bios:
            raise Finished(MISSING, f"{VGA_BIOS[0]} is missing: install the Debian package vgabios")

    def boot(self):
        self.display = display.provide(self)
        port = free_port() if self.args.input else None
        if port:
            com1 = f"enabled=1, mode=socket-server, dev=localhost:{port}"
        else:
            open(self.path("serial"), "w").close()
            com1 = "enabled=1, mode=file, dev=serial"
        self.write("rc", self.config(com1) + self.options)
        command = ["bochs", "-q", "-f", "rc"]
        if has_debugger():
            self.write("commands", self.commands)
            command += ["-rc", "commands"]
        with open(self.path("out"), "w") as out:
            self.process = self.spawn(
                command, env=self.environment(), stdout=out, stderr=subprocess.STDOUT
            )
        self.file = None if port else open(self.path("serial"), "rb")
        self.channel = self.connect(port) if port else None

    def config(self, com1):
        return CONFIG.format(
            model=self.model,
            smp=self.args.smp,
            mem=self.args.mem,
            host=min(self.args.mem, 2048),
            firmware=self.firmware,
            vga_bios=self.vga_bios,
            disk=self.disk,
            com1=com1,
            usb="usb_uhci=0, " if "usb_uhci" in output_of("bochs", "--help", "features") else "",
        )

    def write(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)

    def environment(self):
        return dict(os.environ, DISPLAY=self.display)

    def connect(self, port):
        for _ in range(100):
            try:
                return socket.create_connection(("localhost", port))
            except OSError:
                if not self.running():
                    break
                time.sleep(0.1)
        raise Finished(NO_VERDICT, self.trouble() or "bochs does not offer its serial line")

    def read(self):
        if self.channel:
            ready, _, _ = select.select([self.channel], [], [], 0.1)
            return self.channel.recv(65536) if ready else b""
        data = self.file.read(65536)
        if not data:
            time.sleep(0.05)
        return data

    def send(self, data):
        self.channel.sendall(data)

    def screenshot(self, path):
        raw = self.path("screen.xwd")
        subprocess.run(["xwd", "-root", "-silent", "-out", raw], env=self.environment(), check=True)
        subprocess.run(["convert", "xwd:" + raw, path], check=True)

    def trouble(self):
        """What Bochs itself could not do; None when there is nothing. It may go on running."""
        for line in self.lines("log") + self.lines("out"):
            _, panic, text = line.partition(">>PANIC<<")
            if panic and not GUEST_ENDED.search(text):
                return "bochs:" + text
        return None


def free_port():
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        return listener.getsockname()[1]
