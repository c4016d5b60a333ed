/* SPDX-License-Identifier: MIT */
/* Processes against each other's shadow stacks: a child's and its parent's. */
#define _GNU_SOURCE
#include "attacks.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/uio.h>
#include <sys/wait.h>

static uint64_t word(uint64_t ssp) { return *(volatile uint64_t *)ssp; }

/* Run child(ssp of the parent) after a fork. The parent's word must not change. */
RAW void by_child(void (*child)(uint64_t ssp))
{
    uint64_t ssp = rdssp(), before = word(ssp);
    int status = 0;
    long pid = raw0(SYS_fork);
    if (pid == 0) {
        child(ssp);
        raw_exit(0);
    }
    broken_if(pid < 0 || raw6(SYS_wait4, pid, (long)&status, 0, 0, 0, 0) != pid);
    broken_if(!WIFEXITED(status) || WEXITSTATUS(status) == BROKEN_STATUS);
    win_if(WEXITSTATUS(status) == GADGET_STATUS || word(ssp) != before);
}

/* After fork both have the same pages, until one of them writes. */
static void write_shared(uint64_t ssp)
{
    broken_if(raw_arch_prctl(ARCH_SHSTK_ENABLE, ARCH_SHSTK_WRSS) != 0);
    wrss(ssp, (uint64_t)gadget);
    broken_if(word(ssp) != (uint64_t)gadget);
}

static void write_by_proc(uint64_t ssp)
{
    char path[32];
    uint64_t forged = (uint64_t)gadget;
    snprintf(path, sizeof(path), "/proc/%ld/mem", raw0(SYS_getppid));
    long fd = raw3(SYS_open, (long)path, O_RDWR, 0);
    win_if(fd >= 0 && raw6(SYS_pwrite64, fd, (long)&forged, 8, (long)ssp, 0, 0) > 0);
}

static void write_by_process_vm(uint64_t ssp)
{
    uint64_t forged = (uint64_t)gadget;
    struct iovec from = { &forged, 8 }, to = { (void *)ssp, 8 };
    long parent = raw0(SYS_getppid);
    win_if(raw6(SYS_process_vm_writev, parent, (long)&from, 1, (long)&to, 1, 0) > 0);
}

static void fork_write(void) { by_child(write_shared); }
static void fork_proc(void) { by_child(write_by_proc); }
static void fork_process_vm(void) { by_child(write_by_process_vm); }

/* vfork as C libraries have it: the return address waits in a register. The child, on the parent's
 * two stacks, returns and calls somebody else. */
long vfork_call(void);
__asm__(".text\nvfork_call: pop %rdi\n mov $58, %eax\n syscall\n push %rdi\n ret\n");

__attribute__((noinline)) static void child_goes_on(void) { raw_exit(0); }

static void vfork_return(void)
{
    if (vfork_call() == 0)
        child_goes_on();
    won();
}

/* Two processes that take turns on one CPU: each finds its own SSP again. */
static void take_turns(int from, int to, int rounds)
{
    uint64_t ssp = rdssp();
    char byte = 0;
    for (; rounds; rounds--) {
        raw_write(to, &byte, 1);
        raw_read(from, &byte, 1);
        win_if(rdssp() != ssp);
    }
}

static void switches(void)
{
    int to[2], back[2], status = 0;
    uint64_t first_cpu = 1;
    raw3(SYS_sched_setaffinity, 0, sizeof(first_cpu), (long)&first_cpu);
    broken_if(raw1(SYS_pipe, (long)to) != 0 || raw1(SYS_pipe, (long)back) != 0);
    long pid = raw0(SYS_fork);
    if (pid == 0) {
        rstorssp(shadow_stack_make(1) + 4096 - 8);
        saveprevssp();
        take_turns(to[0], back[1], 50);
        raw_exit(0);
    }
    take_turns(back[0], to[1], 50);
    broken_if(raw6(SYS_wait4, pid, (long)&status, 0, 0, 0, 0) != pid);
    win_if(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
    held();
}

#define NOTHING "there is nothing to write to"
const struct attack families_attacks[] = {
    { "fork-write", "a child writes, by WRSS, what it shares with its parent", REFUSED, fork_write,
      NOTHING },
    { "fork-proc", "a child writes its parent's /proc/PID/mem", REFUSED, fork_proc, NOTHING },
    { "fork-process-vm", "a child calls process_vm_writev(2)", REFUSED, fork_process_vm, NOTHING },
    { "vfork-return", "a child returns on the stacks that vfork(2) lends it", CPERR, vfork_return,
      "the parent returns as if nothing had happened, on a stack that the child has changed" },
    { "switches", "find another process's SSP after a task switch", HELD, switches,
      "there is no SSP" },
    { 0 },
};
