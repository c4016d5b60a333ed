#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves: the text screen shows what another terminal emulator shows, pyte (Debian's python3-pyte,
which Debian's own Python has). Both get the same random text and control sequences."""
import os
import random
import re
import subprocess
import sys
import tempfile

DEBIANS_PYTHON = "/usr/bin/python3"
try:
    import pyte
except ImportError:
    if sys.executable == DEBIANS_PYTHON:
        raise
    os.execv(DEBIANS_PYTHON, [DEBIANS_PYTHON, *sys.argv])

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COLOURS = ["black", "red", "green", "brown", "blue", "magenta", "cyan", "white"]
ROWS, COLUMNS, SCREENS = 12, 30, 100
# Characters that the font has: of one, two and three bytes in UTF-8.
TEXT = "The quick brown fox #~ äöüß éñ λπ ─│┌┐└┘├┤ █░→"


def font():
    """{character: its glyph}, from the tables that the kernel gets."""
    with open(os.path.join(TOP, "build/font.c")) as file:
        codes = re.findall(r"\{ (0x....), (\d+) \}", file.read())
    return {chr(int(code, 16)): int(glyph) for code, glyph in codes}


def screen_program(folder):
    program = os.path.join(folder, "screen")
    files = ["tests/scripts/vt_screen.c", "kernel/tty/vt.c", "kernel/tty/vt_cells.c"]
    subprocess.run(["make", "-s", "build/font.c"], cwd=TOP, check=True)
    subprocess.run(
        ["gcc", "-std=gnu11", "-O1", "-I.", "-Iinclude"] + [*files, "build/font.c", "-o", program],
        cwd=TOP,
        check=True,
    )
    return program


def sequences(rng, first, last):
    """Random output of a program, which stays in the rows from first to last. If only these scroll,
    the cursor moves to absolute places: terminals differ in whether it leaves them otherwise. They
    also differ in where the cursor is behind a full row; so it is moved before cells are."""
    n = rng.choice(["", "0", "1", "2", "3", "40"])
    row, column = rng.randint(first, last), rng.randint(0, COLUMNS + 3)
    colour = rng.choice([30, 40]) + rng.randrange(8)
    text = "".join(rng.choice(TEXT) for _ in range(rng.randint(1, 40)))
    choices = [text, text, "\r\n", "\r", "\b", "\t", f"\033[{row};{column}H", f"\033[{column}G"]
    choices += [f"\033[{row}d", f"\033[{column}G\033[{rng.choice('012')}{rng.choice('JK')}"]
    choices += [f"\033[{column}G\033[{n}{final}" for final in "@PX"]
    choices += [f"\033[{n}L\r", f"\033[{n}M\r"]
    choices += [f"\033[{colour}m", f"\033[1;{colour}m", "\033[7m", "\033[27m", "\033[22m"]
    choices += ["\033[0m", "\033[39m", "\033[49m", "\033D", "\033M", "\0337", "\0338\0337"]
    choices += ["\033]2;title\a", "\033(B", "\033[>1c"]
    if (first, last) == (1, ROWS):
        choices += [f"\033[{n}{final}" for final in "ABCDEF"]
    return rng.choice(choices)


def colours(char):
    """What pyte says of a character, as ink and paper."""
    ink = 7 if char.fg == "default" else COLOURS.index(char.fg)
    ink |= 8 if char.bold else 0
    paper = 0 if char.bg == "default" else COLOURS.index(char.bg)
    return (paper, ink & 7) if char.reverse else (ink, paper)


def differences(program, glyphs, output):
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.Stream(screen)
    for part in output:
        for row in range(ROWS):
            _ = screen.buffer[row]  # pyte moves the rows that it has: give it all of them
        stream.feed(part)
    data = "".join(output).encode()
    seen = subprocess.run(
        [program, str(ROWS), str(COLUMNS)], input=data, stdout=subprocess.PIPE, check=True
    ).stdout.decode()
    cursor, *cells = [[int(word) for word in line.split()] for line in seen.splitlines()]
    wanted = [screen.cursor.y, screen.cursor.x, int(not screen.cursor.hidden)]
    if cursor != wanted:
        yield f"cursor {cursor}, pyte's {wanted}"
    for at, (glyph, ink, paper) in enumerate(cells):
        char = screen.buffer[at // COLUMNS][at % COLUMNS]
        if glyph != glyphs[char.data]:
            yield f"cell {divmod(at, COLUMNS)}: glyph {glyph}, pyte's {char.data!r}"
        elif char.data != " " and (ink, paper) != colours(char):
            yield f"cell {divmod(at, COLUMNS)}: colours {ink, paper}, pyte's {colours(char)}"


def compare(program, glyphs, first, last):
    for seed in range(SCREENS):
        rng = random.Random(seed)
        output = [f"\033[{first};{last}r\033[{first}H\0337"]
        output += [sequences(rng, first, last) for _ in range(rng.randint(1, 60))]
        found = list(differences(program, glyphs, output))
        if found:
            return [f"seed {seed}: {''.join(output)!r}", *found[:5]]
    return []


def main():
    tests = {
        "vt_agrees_with_pyte": (1, ROWS),
        "vt_agrees_with_pyte_where_a_part_scrolls": (3, 9),
    }
    print(f"KTAP version 1\n1..{len(tests)}")
    status = 0
    with tempfile.TemporaryDirectory() as folder:
        program, glyphs = screen_program(folder), font()
        for number, (name, rows) in enumerate(tests.items(), 1):
            found = compare(program, glyphs, *rows)
            for line in found:
                print(f"# {line}")
            print(f"{'not ok' if found else 'ok'} {number} - {name}")
            status |= bool(found)
    return status


sys.exit(main())
