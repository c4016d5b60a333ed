/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_SERIAL_H
#define KERNEL_SERIAL_H

#include "base/types.h"

/* Make COM1 a console, where there is one. Needs no memory management and no interrupts. */
void serial_init(void);
/* From now on received characters go to console_input(). False: there is no COM1. */
bool serial_input_init(void);

#endif
