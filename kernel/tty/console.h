/* SPDX-License-Identifier: MIT */
/* The terminal that programs see, and the start of the devices behind it. */
#ifndef KERNEL_CONSOLE_H
#define KERNEL_CONSOLE_H

#include "base/types.h"

struct boot_framebuffer;
struct file_ops;

/* Serial port, debug port and this screen, before any memory management. console= on the command
 * line chooses among serial, fb, e9. */
void console_early_init(const struct boot_framebuffer *screen);
/* Keyboard, interrupts. */
void console_init(void);
/* /dev/console and /dev/tty. */
extern const struct file_ops console_ops;
/* A key arrived; interrupts off. */
void console_input(char c);

#endif
