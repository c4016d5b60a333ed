/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_FBCON_H
#define KERNEL_FBCON_H

#include "base/types.h"

struct boot_framebuffer;

/* Make the screen a console, where there is a framebuffer: the firmware's, or the emulator's when
 * that one's base is 0. Before any memory management. */
void fbcon_init(const struct boot_framebuffer *firmwares);
/* The early map has just gone, and nothing has been logged since: map the framebuffer for good. */
void fbcon_remap(void);
/* Its size in characters; false: there is none. */
bool fbcon_size(unsigned *rows, unsigned *columns);
/* Scroll half a screen back through what was printed (pages > 0) or forth again (pages < 0), as
 * often as pages says. What is printed next brings the end back. Safe in interrupt context. */
void fbcon_page(int pages);

#endif
