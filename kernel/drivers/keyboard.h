/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_KEYBOARD_H
#define KERNEL_KEYBOARD_H

#include "base/types.h"

/* From now on what is typed on the PS/2 keyboard goes to console_input(), and Shift+PageUp and
 * Shift+PageDown to fbcon_page(). False, with a log line: there is none. */
bool keyboard_init(void);

#endif
