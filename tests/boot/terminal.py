#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves: input from the keyboard and the serial line arrives as termios(3) says; text that has
left the screen can be scrolled back; and where nothing can be typed the screen says so."""
import os
import re
import subprocess

from boot import BUSYBOX, expect, run_tests
from screen import Machine

HERE = os.path.dirname(os.path.abspath(__file__))


def typist(boots):
    program = boots.file("typist")
    subprocess.run(
        ["gcc", "-O2", "-Wall", "-static", "-o", program, os.path.join(HERE, "typist.c")],
        check=True,
    )
    return Machine(
        boots, boots.image("init=/bin/typist", initrd=boots.initrd({"bin/typist": program}))
    )


def long_lines(boots):
    """A line longer than the terminal's buffer is cut, and the terminal goes on."""
    with typist(boots) as machine:
        machine.wait_line(r"^type$")
        for typed, got in ((1100, 1101), (5000, 4096), (3, 4), (4095, 4096)):
            machine.type(b"a" * typed + b"\n")
            machine.wait_line(rf"^got {got}, {got - 1} alike, 0 waiting", 120)
            machine.output = b""
        machine.type(b"end\n")
        machine.wait_line(r"^init: exit status 7$")


def editing(boots):
    """Erase, kill, interrupt, and end of file within a line and at its beginning."""
    with typist(boots) as machine:
        machine.wait_line(r"^type$")
        for typed, answer in (
            (b"abc\x7f\x7f\x7f\x7faa\r", "got 3, 2 alike"),
            (b"wrong\x15aaaa\r", "got 5, 4 alike"),
            (b"aa\x03aaa\r", "got 4, 3 alike"),
            (b"aaaaaa\x04", "got 6, 6 alike"),
            (b"\x04", "end of file"),
        ):
            machine.type(typed)
            machine.wait_line("^(.*\\x08 )?(.*aa)?" + answer)
            machine.output = b""
        machine.type(b"end\n")
        machine.wait_line(r"^init: exit status 7$")


def raw_mode(boots):
    """VMIN and VTIME work, and typed input can be discarded."""
    with typist(boots) as machine:
        machine.wait_line(r"^type$")
        for request, typed, answer in (
            (b"raw 3 0\n", b"aaa", r"got 3, 3 alike, 0 waiting"),
            (b"raw 0 0\n", b"", r"got 0, 0 alike, 0 waiting, after 0 tenths"),
            (b"raw 0 5\n", b"", r"got 0, 0 alike, 0 waiting, after [5-9] tenths"),
            (b"raw 9 5\n", b"aa", r"got 2, 2 alike"),
        ):
            machine.type(request)
            machine.wait_line(r"^raw$")
            machine.type(typed)
            machine.wait_line("^" + answer)
            machine.output = b""
        machine.type(b"flush 7\n")
        machine.wait_line(r"^flush$")
        machine.type(b"one\ntwo\nthr\x04")
        machine.wait_line(r"got 0, 0 alike, 0 waiting")
        machine.type(b"\nend\n")
        machine.wait_line(r"^init: exit status 7$")


def keyboard(boots):
    """Letters, Shift, Backspace and ^C of a PS/2 keyboard; there is no serial line."""
    with Machine(boots, boots.image("init=/sbin/init"), serial=False) as machine:
        machine.wait_screen(r"^#$")
        machine.keys("nothinX\bg\n")
        machine.wait_screen(r"^# nothing\n(.*\n)*nothing: status 127$")
        machine.keys("abc")
        machine.press("ctrl-c")
        machine.keys("cat /proc/cmdline\n")
        machine.wait_screen(r"^# abc\^C\n(# )?cat /proc/cmdline\ninit=/sbin/init$")
        machine.keys("poweroff\n")
        machine.wait(lambda: machine.process.poll() is not None, 20, "the machine's end")


def scrolling_back(boots):
    """At the prompt the log and the first steps have left the screen; Shift+PageUp shows them."""
    with Machine(boots, boots.image("init=/sbin/init"), serial=False) as machine:
        machine.wait_screen(r"^#$")
        end = machine.screen()
        first = r"Penumbra .*: a small kernel with shadow stacks"
        expect(
            not re.search(first, "\n".join(end)),
            "the whole log fits on the screen: this test needs more text",
        )
        expect("PageUp" in "\n".join(end), "expect the prompt to say how to scroll", "\n".join(end))
        for wanted in (r"^ 1\. A shadow-stack page of the subject's own", first):
            machine.wait(
                lambda: machine.press("shift-pgup")
                or re.search(wanted, "\n".join(machine.screen()), re.M),
                60,
                wanted,
            )
        machine.wait(
            lambda: machine.press("shift-pgdn") or machine.screen() == end,
            60,
            "the end of the text, after scrolling down,",
        )
        machine.press("shift-pgup", "a")
        machine.wait_screen(r"^# a$")


def nothing_to_type_on(boots):
    with Machine(
        boots, boots.image("init=/sbin/init"), serial=False, machine="q35,i8042=off"
    ) as machine:
        machine.wait_screen(r"nothing can be typed here")


def escape_sequences(boots):
    """Text, cursor and colours come out as TERM=linux programs expect; the rest leaves no trace."""
    script = boots.file("script")
    with open(script, "w") as file:
        file.write(
            "printf '\\033[2J\\033[2;1Ha\\033[1;34mb\\033[0m\\033(B\\033]2;title\\ac\\td'\n"
            "printf '\\033[4;3H\\342\\224\\214\\342\\224\\200\\342\\224\\220\\033[K'\n"
            "printf '\\033[6;1H\\033[41m \\033[42m \\033[44m \\033[0;7m \\033[0m\\033[8;1Hend'\n"
            "exec /bin/busybox sleep 1000\n"
        )
    initrd = boots.initrd({"bin/busybox": BUSYBOX, "script": script})
    with Machine(
        boots, boots.image("init=/bin/busybox -- sh /script", initrd=initrd), serial=False
    ) as machine:
        machine.wait_screen(r"^end$")
        rows = machine.screen()
        expect(rows[1] == "abc     d", "expect 'abc     d'", rows[1])
        expect(rows[3] == "  \u250c\u2500\u2510", "expect a box's upper side", rows[3])
        papers = [machine.paper(6, column) for column in range(1, 6)]
        wanted = [(170, 0, 0), (0, 170, 0), (0, 0, 170), (170, 170, 170), (0, 0, 0)]
        expect(papers == wanted, f"expect the colours {wanted}", papers)


run_tests(
    {
        "terminal_long_lines": long_lines,
        "terminal_editing": editing,
        "terminal_raw_mode": raw_mode,
        "terminal_keyboard": keyboard,
        "terminal_scrolling_back": scrolling_back,
        "terminal_nothing_to_type_on": nothing_to_type_on,
        "terminal_escape_sequences": escape_sequences,
    }
)
