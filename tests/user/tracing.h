/* SPDX-License-Identifier: MIT */
/* What tests of ptrace() share. */
#ifndef TESTS_TRACING_H
#define TESTS_TRACING_H

#include <elf.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>

#include "test.h"

/* ptrace() as the system call has it. */
static inline long trace(long request, int pid, unsigned long addr, void *data)
{
    return syscall(SYS_ptrace, request, pid, addr, data);
}

/* A child that is traced, and has stopped itself before it calls what. */
static inline int traced(void (*what)(void))
{
    int status, child = fork();
    if (child == 0) {
        CHECK_EQ(trace(PTRACE_TRACEME, 0, 0, NULL), 0);
        kill(getpid(), SIGSTOP);
        what();
        _exit(0);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, SIGSTOP << 8 | 0x7f);
    return child;
}

/* The wait status that comes next, of this tracee. */
static inline int next(int pid)
{
    int status;
    CHECK_EQ(waitpid(pid, &status, __WALL), pid);
    return status;
}

/* It goes on by request, with signal; what is heard of it next. */
static inline int after(long request, int pid, long signal)
{
    CHECK_EQ(trace(request, pid, 0, (void *)signal), 0);
    return next(pid);
}

static inline void finish(int pid)
{
    int status;
    kill(pid, SIGKILL);
    do
        status = next(pid);
    while (WIFSTOPPED(status)); /* a stop that was on its way */
    CHECK_EQ(status, SIGKILL);
}

#define STOP(code) ((code) << 8 | 0x7f)

#endif
