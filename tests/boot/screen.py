# SPDX-License-Identifier: MIT
"""A machine with a screen, a keyboard and a serial line. Keys are sent through QEMU's monitor,
bytes through the serial line; text on the screen is read by means of the kernel's own font."""
import os
import re
import socket
import subprocess
import time

from boot import Failed, path

FIRMWARE = (
    "/usr/share/ovmf/OVMF.fd",
    "/usr/share/qemu/OVMF.fd",
    "/usr/share/OVMF/OVMF_CODE.fd",
    "/usr/share/OVMF/OVMF_CODE_4M.fd",
)
CELL_WIDTH, CELL_HEIGHT = 8, 16
KEYS = {
    " ": "spc",
    "\n": "ret",
    "/": "slash",
    "-": "minus",
    ".": "dot",
    "\b": "backspace",
    "|": "shift-backslash",
}


def font():
    """{the 8 by 16 dots of a cell, one byte per dot: the character}"""
    with open(path("build/font.c")) as file:
        source = file.read()
    glyphs = [
        bytes(int(line, 16) >> 7 - x & 1 for line in row.split(", ") for x in range(CELL_WIDTH))
        for row in re.findall(r"\{ ((?:0x.., ){15}0x..) \}", source)
    ]
    codes = re.findall(r"\{ (0x....), (\d+) \}", source)
    # several characters may share a glyph: the first in Unicode wins, that is ASCII
    return {glyphs[int(glyph)]: chr(int(code, 16)) for code, glyph in reversed(codes)}


class Machine:
    """QEMU with a monitor and, unless serial is false, a serial line."""

    def __init__(self, boots, image, *options, serial=True, machine="q35"):
        self.folder = boots.file("machine")
        os.mkdir(self.folder)
        self.monitor_path, self.output = os.path.join(self.folder, "monitor"), b""
        ours, theirs = socket.socketpair()
        self.line = ours
        firmware = next(name for name in FIRMWARE if os.path.exists(name))
        lines = (
            ["-chardev", f"socket,id=line,fd={theirs.fileno()}", "-serial", "chardev:line"]
            if serial
            else ["-serial", "none"]
        )
        self.process = subprocess.Popen(
            [
                "qemu-system-x86_64",
                "-machine",
                machine,
                "-accel",
                "tcg",
                "-cpu",
                "max",
                "-m",
                "512",
                "-bios",
                firmware,
            ]
            + ["-vga", "std", "-display", "none", "-no-reboot", "-net", "none", *lines, *options]
            + ["-drive", f"file={image},format=raw,if=ide,snapshot=on"]
            + ["-monitor", f"unix:{self.monitor_path},server=on,wait=off"],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=open(os.path.join(self.folder, "errors"), "w"),
        )
        theirs.close()
        while not os.path.exists(self.monitor_path) and self.process.poll() is None:
            time.sleep(0.05)
        self.glyphs = font()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.line.close()

    def monitor(self, *commands):
        """Run commands of QEMU's monitor; each is done when this returns."""
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.settimeout(20)
            monitor.connect(self.monitor_path)
            for command in ("", *commands):
                monitor.sendall(command.encode() + (b"\n" if command else b""))
                answer = b""
                while not answer.endswith(b"(qemu) "):
                    answer += monitor.recv(65536)

    def keys(self, text):
        plain = "abcdefghijklmnopqrstuvwxyz0123456789"
        names = (KEYS.get(c, c if c in plain else "shift-" + c.lower()) for c in text)
        self.press(*names)

    def press(self, *names):
        self.monitor(*(f"sendkey {name} 20" for name in names))

    def type(self, data):
        self.line.sendall(data)

    def dump(self):
        """(width, height, the colours of all dots: three bytes each)"""
        shot = os.path.join(self.folder, "screen.ppm")
        self.monitor(f"screendump {shot}")
        with open(shot, "rb") as file:
            data = file.read()
        header = re.match(rb"P6\s+(\d+)\s+(\d+)\s+255\s", data)
        return int(header.group(1)), int(header.group(2)), data[header.end() :]

    def paper(self, row, column):
        """(red, green, blue) at the top left of a cell; both count from 1, as for programs."""
        width, _, data = self.dump()
        at = ((row - 1) * CELL_HEIGHT * width + (column - 1) * CELL_WIDTH) * 3
        return tuple(data[at : at + 3])

    def screen(self):
        """The text on the screen: a list of rows, without blanks at their ends."""
        width, height, data = self.dump()
        lit = data.translate(bytes(int(level > 64) for level in range(256)))
        red, green, blue = (int.from_bytes(lit[channel::3], "little") for channel in range(3))
        dots = (red | green | blue).to_bytes(width * height, "little")
        lines = [dots[y * width : (y + 1) * width] for y in range(height)]
        return [
            self.row(lines[y : y + CELL_HEIGHT], width)
            for y in range(0, height - CELL_HEIGHT + 1, CELL_HEIGHT)
        ]

    def row(self, lines, width):
        cells = (
            b"".join(line[x : x + CELL_WIDTH] for line in lines)
            for x in range(0, width - CELL_WIDTH + 1, CELL_WIDTH)
        )
        return "".join(map(self.character, cells)).rstrip()

    def character(self, cell):
        """The character of a cell; under the cursor its dots are the dark ones, so that a cell
        which is lit as a whole is a blank."""
        dark = self.glyphs.get(cell.translate(bytes((1, 0)) + bytes(254)), "\0")
        return dark if dark == " " else self.glyphs.get(cell, dark)

    def wait(self, look, seconds, what):
        """Call look() until its result is true; return that."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            seen = look()
            if seen:
                return seen
            if self.process.poll() is not None:
                break
            time.sleep(0.2)
        shown = (
            "\n".join(row for row in self.screen() if row)
            if self.process.poll() is None
            else "(the machine is off)"
        )
        raise Failed(
            f"{what} was not seen in {seconds} s; the screen shows\n{shown}\n"
            f"the serial line\n{self.text()[-1500:]}"
        )

    def wait_screen(self, pattern, seconds=90):
        return self.wait(
            lambda: re.search(pattern, "\n".join(self.screen()), re.M),
            seconds,
            f"{pattern!r} on the screen",
        )

    def text(self):
        """All that has arrived on the serial line so far."""
        self.line.setblocking(False)
        try:
            while data := self.line.recv(65536):
                self.output += data
        except BlockingIOError:
            pass
        finally:
            self.line.setblocking(True)
        return self.output.replace(b"\r\n", b"\n").decode(errors="replace")

    def wait_line(self, pattern, seconds=60):
        return self.wait(
            lambda: re.search(pattern, self.text(), re.M),
            seconds,
            f"{pattern!r} on the serial line",
        )
