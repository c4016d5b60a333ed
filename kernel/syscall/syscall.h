/* SPDX-License-Identifier: MIT */
/* One prototype for each system call of list.h: sys_NAME(), defined in the room of its subject. */
#ifndef KERNEL_SYSCALL_SYSCALL_H
#define KERNEL_SYSCALL_SYSCALL_H

#include "base/types.h"

/* Each returns a value, or a negative errno. */
#define SYSCALL0(number, name)                         long sys_##name(void);
#define SYSCALL1(number, name, t1, a1)                 long sys_##name(t1 a1);
#define SYSCALL2(number, name, t1, a1, t2, a2)         long sys_##name(t1 a1, t2 a2);
#define SYSCALL3(number, name, t1, a1, t2, a2, t3, a3) long sys_##name(t1 a1, t2 a2, t3 a3);
#define SYSCALL4(number, name, t1, a1, t2, a2, t3, a3, t4, a4) \
    long sys_##name(t1 a1, t2 a2, t3 a3, t4 a4);
#define SYSCALL5(number, name, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5) \
    long sys_##name(t1 a1, t2 a2, t3 a3, t4 a4, t5 a5);
#define SYSCALL6(number, name, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5, t6, a6) \
    long sys_##name(t1 a1, t2 a2, t3 a3, t4 a4, t5 a5, t6 a6);
#include "kernel/syscall/list.h"
#undef SYSCALL0
#undef SYSCALL1
#undef SYSCALL2
#undef SYSCALL3
#undef SYSCALL4
#undef SYSCALL5
#undef SYSCALL6

/* The name of a system call, or NULL for a number that has none. */
const char *syscall_name(uint64_t number);

#endif
