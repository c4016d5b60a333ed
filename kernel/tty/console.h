/* SPDX-License-Identifier: MIT */
/* Consoles: output devices, the terminal the programs see, and the keyboards that feed it. */
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

/* serial.c, e9.c, fbcon.c, keyboard.c */
void serial_init(void);
void serial_input_init(void);
void e9_init(void);
void fbcon_init(const struct boot_info *info);
void keyboard_init(void);

#endif
