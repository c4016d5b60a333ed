/* SPDX-License-Identifier: MIT */
/* This CPU's control registers and model-specific registers. Private to arch/x86/. */
#ifndef ARCH_X86_CONTROL_H
#define ARCH_X86_CONTROL_H

/* Set them all, and patch STAC and CLAC into the text: before the text becomes read-only. */
void control_init_early(void);
void control_init_this(void); /* all but the patching, on each CPU */
void control_log(void);

#endif
