/* SPDX-License-Identifier: MIT */
/* The terminal that programs see, and the start of the devices behind it. */
#ifndef KERNEL_CONSOLE_H
#define KERNEL_CONSOLE_H

#include "base/types.h"

struct boot_info;
struct file_ops;

/* Serial port and debug port, before any memory management. console= on the command line chooses
 * among serial, fb, e9. */
void console_early_init(void);
/* Framebuffer, keyboard, interrupts. */
void console_init(const struct boot_info *info);
/* /dev/console and /dev/tty. */
extern const struct file_ops console_ops;
/* A key arrived; interrupts off. */
void console_input(char c);

#endif
