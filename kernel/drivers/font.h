/* SPDX-License-Identifier: MIT */
/* The console's font. scripts/font.py makes the tables from a PSF file when the kernel is built. */
#ifndef KERNEL_FONT_H
#define KERNEL_FONT_H

#include "base/types.h"

#define FONT_GLYPHS 512
#define FONT_WIDTH  8
#define FONT_HEIGHT 16

struct font_code {
    uint16_t code, glyph; /* a Unicode character, and its glyph's index */
};

extern const uint8_t font_glyphs[FONT_GLYPHS][FONT_HEIGHT]; /* the leftmost dot in bit 7 */
extern const struct font_code font_codes[];                 /* by ascending code */
extern const uint32_t font_code_count;

#endif
