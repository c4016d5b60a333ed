/* SPDX-License-Identifier: MIT */
/* Threads without a C library: their functions use raw system calls only. */
#ifndef USER_THREAD_H
#define USER_THREAD_H

#include "test.h"
#include "uapi/futex.h"
#include "uapi/sched.h"

#define CLONE_THREAD_FLAGS                                                            \
    (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM \
     | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)

#ifndef SYS_clone3
#define SYS_clone3 435
#endif

struct raw_thread {
    volatile int tid; /* 0 once it has ended */
    char stack[16384] __attribute__((aligned(16)));
};

/* clone or clone3 with these arguments; in the child, on its new stack, body(argument) and
 * exit(0). */
RAW long thread_call(long number, long a, long b, long c, long d, long e, void (*body)(void *),
                     void *argument)
{
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r12 __asm__("r12") = (long)body;
    register long r13 __asm__("r13") = (long)argument;
    __asm__ volatile(
        "syscall; test %%rax, %%rax; jnz 1f; xor %%ebp, %%ebp; mov %%r13, %%rdi; call *%%r12;"
        "xor %%edi, %%edi; mov $60, %%eax; syscall; 1:"
        : "=a"(result)
        : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r12), "r"(r13)
        : "rcx", "r11", "memory");
    return result;
}

RAW void thread_start(struct raw_thread *thread, void (*body)(void *), void *argument)
{
    long tid = thread_call(SYS_clone, CLONE_THREAD_FLAGS,
                           (long)(thread->stack + sizeof(thread->stack)), (long)&thread->tid,
                           (long)&thread->tid, 0, body, argument);
    CHECK(tid > 0);
}

RAW void thread_join(struct raw_thread *thread)
{
    for (int tid; (tid = thread->tid) != 0;)
        raw6(SYS_futex, (long)&thread->tid, FUTEX_WAIT, tid, 0, 0, 0);
}

#endif
