#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A console font (argument: a gzipped PSF 1 of 512 glyphs, 8 by 16 dots, with a Unicode table) -> C
source of the tables of kernel/drivers/font.h on stdout."""
import gzip
import struct
import sys

MAGIC, HAS_512, HAS_TABLE = b"\x36\x04", 1, 2
GLYPHS, HEIGHT = 512, 16
SEPARATOR, SEQUENCE = 0xFFFF, 0xFFFE


def read(name):
    """(glyphs, {code: glyph}) of a font file."""
    try:
        with gzip.open(name) as file:
            data = file.read()
    except OSError as error:
        sys.exit(f"font.py: {error}; Debian's console-setup-linux has it (scripts/setup)")
    if data[:2] != MAGIC or data[2] & 3 != HAS_512 | HAS_TABLE or data[3] != HEIGHT:
        sys.exit(f"font.py: {name} is no PSF 1 font of 512 glyphs, 16 rows and a Unicode table")
    table = 4 + GLYPHS * HEIGHT
    glyphs = [data[at : at + HEIGHT] for at in range(4, table, HEIGHT)]
    codes, glyph, single = {}, 0, True
    for (word,) in struct.iter_unpack("<H", data[table:]):
        if word == SEPARATOR:
            glyph, single = glyph + 1, True
        elif word == SEQUENCE:
            single = False  # several characters that make one glyph
        elif single:
            codes.setdefault(word, glyph)
    return glyphs, codes


def main():
    glyphs, codes = read(sys.argv[1])
    print('#include "kernel/drivers/font.h"')
    print("const uint8_t font_glyphs[FONT_GLYPHS][FONT_HEIGHT] = {")
    for glyph in glyphs:
        print("    { " + ", ".join(f"{row:#04x}" for row in glyph) + " },")
    print("};\nconst struct font_code font_codes[] = {")
    for code in sorted(codes):
        print(f"    {{ {code:#06x}, {codes[code]} }},")
    print(f"}};\nconst uint32_t font_code_count = {len(codes)};")


if __name__ == "__main__":
    main()
