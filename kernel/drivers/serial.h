/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_SERIAL_H
#define KERNEL_SERIAL_H

#include "base/types.h"

/* Make COM1 a console, where there is one. Needs no memory management and no interrupts. */
void serial_init(void);
/* From now on what it receives goes to console_input(). False: there is none. */
bool serial_input_init(void);

#endif
