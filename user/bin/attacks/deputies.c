/* SPDX-License-Identifier: MIT */
/* The kernel as a confused deputy: it stores where the program could not, on request. */
#define _GNU_SOURCE
#include "attacks.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/uio.h>
#include <sys/wait.h>

static const uint64_t forged = (uint64_t)gadget;

/* A pipe from which the address of gadget() can be read. */
static int forged_pipe(void)
{
    int ends[2];
    broken_if(raw1(SYS_pipe, (long)ends) != 0 || raw_write(ends[1], &forged, 8) != 8);
    return ends[0];
}

static uint64_t word(uint64_t ssp) { return *(volatile uint64_t *)ssp; }

/* The word that the RET of the caller's caller would take. Calls of this file leave it alone. */
static void read_into(void)
{
    uint64_t ssp = rdssp(), before = word(ssp);
    long got = raw_read(forged_pipe(), (void *)ssp, 8);
    win_if(got > 0 || word(ssp) != before);
}

static void readv_into(void)
{
    uint64_t ssp = rdssp(), before = word(ssp);
    struct iovec part = { (void *)ssp, 8 };
    long got = raw3(SYS_readv, forged_pipe(), (long)&part, 1);
    win_if(got > 0 || word(ssp) != before);
}

static void process_vm_into(void)
{
    uint64_t ssp = rdssp(), before = word(ssp);
    struct iovec from = { (void *)&forged, 8 }, to = { (void *)ssp, 8 };
    long got = raw6(SYS_process_vm_writev, raw0(SYS_getpid), (long)&from, 1, (long)&to, 1, 0);
    win_if(got > 0 || word(ssp) != before);
}

/* What calls answer with is not the attacker's choice, but a wrong word would do for a start. */
static void answers_into(void)
{
    uint64_t ssp = rdssp(), before = word(ssp);
    static const long calls[][4] = {
        { SYS_getrandom, 0, 8, 0 },
        { SYS_clock_gettime, 1, 0, 0 },
        { SYS_pipe, 0, 0, 0 },
        { SYS_getrlimit, 3, 0, 0 },
        { SYS_rt_sigpending, 0, 8, 0 },
        { SYS_rt_sigprocmask, 0, 0, 0 },
        { SYS_gettimeofday, 0, 0, 0 },
        { SYS_time, 0, 0, 0 },
        { SYS_times, 0, 0, 0 },
        { SYS_sigaltstack, 0, 0, 0 },
        { SYS_sched_getaffinity, 0, 8, 0 },
    };
    static const char at[] = { 1, 2, 1, 2, 1, 3, 1, 1, 1, 2, 3 }; /* which argument is SSP */
    for (unsigned i = 0; i < sizeof(at); i++) {
        long a[3] = { calls[i][1], calls[i][2], calls[i][3] };
        a[at[i] - 1] = (long)ssp;
        raw6(calls[i][0], a[0], a[1], a[2], 8, 0, 0);
        win_if(word(ssp) != before);
    }
}

/* The kernel stores a new process's number where the parent says. */
static void tid_into(void)
{
    uint64_t ssp = rdssp(), before = word(ssp);
    int status = 0;
    long pid = raw6(SYS_clone, CLONE_CHILD_SETTID | CLONE_PARENT_SETTID | SIGCHLD, 0, (long)ssp,
                    (long)ssp, 0, 0);
    if (pid == 0)
        raw_exit(word(ssp) == before ? 0 : GADGET_STATUS);
    win_if(word(ssp) != before);
    raw6(SYS_wait4, pid, (long)&status, 0, 0, 0, 0);
    win_if(WIFEXITED(status) && WEXITSTATUS(status) == GADGET_STATUS);
}

static void not_called(int signal) { (void)signal; }

/* A signal's frame goes to the alternate stack, wherever that is. */
static void frame_into(void)
{
    uint64_t stack = shadow_stack_make(4);
    stack_t alternate = { .ss_sp = (void *)stack, .ss_size = 4 * 4096 };
    struct sigaction action = { .sa_handler = not_called, .sa_flags = SA_ONSTACK };
    broken_if(sigaction(SIGUSR1, &action, 0) != 0);
    if (raw2(SYS_sigaltstack, (long)&alternate, 0) == 0)
        raw2(SYS_kill, raw0(SYS_getpid), SIGUSR1);
    won();
}

#define NOTHING "there is nothing to write to"
const struct attack deputies_attacks[] = {
    { "read", "read(2) into the shadow stack", REFUSED, read_into, NOTHING },
    { "readv", "readv(2) into it", REFUSED, readv_into, NOTHING },
    { "process-vm-write", "process_vm_writev(2) into it", REFUSED, process_vm_into, NOTHING },
    { "answers", "have eleven other calls answer there", REFUSED, answers_into, NOTHING },
    { "tid", "have clone(2) store numbers of processes there", REFUSED, tid_into, NOTHING },
    { "signal-stack", "name a shadow stack as the alternate signal stack", GENERAL, frame_into,
      NOTHING },
    { 0 },
};
