/* SPDX-License-Identifier: MIT */
/* Printable ASCII, drawn for this kernel: seven rows of five dots, the leftmost in bit 4. */
#ifndef KERNEL_FONT_H
#define KERNEL_FONT_H

#include <stdint.h>

#define FONT_FIRST  0x20
#define FONT_GLYPHS 95
#define FONT_ROWS   7

extern const uint8_t font[FONT_GLYPHS][FONT_ROWS];

#endif
