/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_E9_H
#define KERNEL_E9_H

/* Make the emulators' debug port a console, where there is one. */
void e9_init(void);

#endif
