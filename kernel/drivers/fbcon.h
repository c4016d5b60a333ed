/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_FBCON_H
#define KERNEL_FBCON_H

#include "base/types.h"

struct boot_framebuffer;

/* Make the screen a console, where there is a framebuffer: the firmware's, or the emulator's when
 * the firmware's base is 0. Called before any memory management. */
void fbcon_init(const struct boot_framebuffer *firmwares);
/* Map the framebuffer for good. The early map has just gone, and nothing has been logged since. */
void fbcon_remap(void);
/* The size of the screen in characters; false: there is no screen. */
bool fbcon_size(unsigned *rows, unsigned *columns);
/* Scroll by half a screen, |pages| times: back through the text (pages > 0) or forward again (pages
 * < 0). The next output shows the end again. Safe in interrupt context. */
void fbcon_page(int pages);

#endif
