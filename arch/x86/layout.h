/* SPDX-License-Identifier: MIT */
/* The kernel's address space (docs/book/01-boot.md). Included from C and, by its numbers, mirrored
 * in layout.inc. */
#ifndef ARCH_X86_LAYOUT_H
#define ARCH_X86_LAYOUT_H

#ifndef DIRECT_MAP_BASE                       /* tests on the build machine bring their own */
#define DIRECT_MAP_BASE 0xffff888000000000ull /* all RAM of the memory map, NX */
#endif
#define KSTACK_BASE 0xffffc90000000000ull /* kernel stacks, each with a guard page below */
#define DEVICE_BASE 0xffffd00000000000ull /* device registers and the framebuffer */
#define KERNEL_BASE 0xffffffff80000000ull /* the kernel image as linked */

#define KSTACK_BYTES 0x4000ull /* one kernel stack: 16 KiB ... */
#define KSTACK_SLOT  0x8000ull /* ... in a slot of 32 KiB; the rest is guard */

#endif
