/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_KEYBOARD_H
#define KERNEL_KEYBOARD_H

#include "base/types.h"

/* From now on characters typed on the PS/2 keyboard go to console_input(), and Shift+PageUp and
 * Shift+PageDown go to fbcon_page(). False, with a log line: there is no keyboard. */
bool keyboard_init(void);

#endif
