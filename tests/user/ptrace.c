/* SPDX-License-Identifier: MIT */
/* Proves: a tracer stops its tracee at signals, system calls and steps, and reads and changes what
 * it is about to do. */
#include <stddef.h>

#include "tracing.h"

static volatile long word = 1234;
static volatile int handled;

static void nothing(void) {}
static void exit_7(void) { _exit(7); }
static void forever(void)
{
    for (;;)
        pause();
}

/* ---- Signals ------------------------------------------------------------ */

static void on_signal(int signal) { handled = signal; }
static void two_signals(void)
{
    signal(SIGUSR1, on_signal);
    signal(SIGUSR2, on_signal);
    raise(SIGUSR1);
    _exit(handled);
}

TEST(a_tracer_sees_a_signal_first_and_may_change_it, "")
{
    siginfo_t info;
    int child = traced(two_signals);
    CHECK_EQ(after(PTRACE_CONT, child, 0), STOP(SIGUSR1));
    CHECK_EQ(trace(PTRACE_GETSIGINFO, child, 0, &info), 0);
    CHECK(info.si_signo == SIGUSR1 && info.si_code == SI_TKILL && info.si_pid == child);
    CHECK_EQ(after(PTRACE_CONT, child, SIGUSR2), SIGUSR2 << 8);
    child = traced(two_signals);
    CHECK_EQ(after(PTRACE_CONT, child, 0), STOP(SIGUSR1));
    CHECK_EQ(after(PTRACE_CONT, child, 0), 0); /* none: nothing was handled */
    child = traced(forever);
    FAILS(trace(PTRACE_CONT, child, 0, (void *)65), EIO);
    CHECK_EQ(after(PTRACE_CONT, child, SIGTERM), SIGTERM);
}

static void ignored(void)
{
    signal(SIGUSR1, SIG_IGN);
    raise(SIGUSR1);
    _exit(9);
}

TEST(a_tracer_sees_ignored_signals_but_no_blocked_ones, "")
{
    unsigned long mask = 1ul << (SIGUSR1 - 1) | 1ul << (SIGKILL - 1), now = 0;
    int child = traced(ignored);
    CHECK_EQ(after(PTRACE_CONT, child, 0), STOP(SIGUSR1));
    CHECK_EQ(after(PTRACE_CONT, child, SIGUSR1), 9 << 8);
    child = traced(two_signals);
    FAILS(trace(PTRACE_SETSIGMASK, child, 4, &mask), EINVAL);
    CHECK_EQ(trace(PTRACE_SETSIGMASK, child, 8, &mask), 0);
    CHECK_EQ(trace(PTRACE_GETSIGMASK, child, 8, &now), 0);
    CHECK_EQ(now, 1ul << (SIGUSR1 - 1));
    CHECK_EQ(after(PTRACE_CONT, child, 0), 0);
}

TEST(sigkill_ends_a_tracee_that_is_stopped, "")
{
    int child = traced(forever);
    finish(child);
    child = traced(forever);
    CHECK_EQ(after(PTRACE_KILL, child, 0), SIGKILL);
}

/* ---- System calls ------------------------------------------------------- */

static void ask_pids(void)
{
    long pid = syscall(SYS_getpid);
    _exit(pid == -ENOSYS || pid == -1 ? 1 : syscall(SYS_getppid) == 77 ? 2 : 3);
}

TEST(a_tracer_stops_at_both_ends_of_a_call_and_changes_it, "")
{
    struct user_regs_struct regs;
    struct __ptrace_syscall_info {
        uint8_t op, pad[3];
        uint32_t arch;
        uint64_t ip, sp, nr, args[6];
    } info;
    int child = traced(ask_pids);
    CHECK_EQ(trace(PTRACE_SETOPTIONS, child, 0, (void *)PTRACE_O_TRACESYSGOOD), 0);
    FAILS(trace(PTRACE_SETOPTIONS, child, 0, (void *)0x10000), EINVAL);
    do {
        CHECK_EQ(after(PTRACE_SYSCALL, child, 0), STOP(SIGTRAP | 0x80));
        CHECK_EQ(trace(PTRACE_GETREGS, child, 0, &regs), 0);
    } while (regs.orig_rax != SYS_getpid);
    CHECK_EQ((long)regs.rax, -ENOSYS);
    CHECK_EQ(trace(PTRACE_GET_SYSCALL_INFO, child, sizeof(info), &info), 80);
    CHECK(info.op == 1 && info.arch == 0xc000003e && info.nr == SYS_getpid && info.ip == regs.rip);
    CHECK_EQ(after(PTRACE_SYSCALL, child, 0), STOP(SIGTRAP | 0x80));
    CHECK_EQ(trace(PTRACE_GET_SYSCALL_INFO, child, sizeof(info), &info), 33);
    CHECK(info.op == 2 && (long)info.nr == child);
    CHECK_EQ(after(PTRACE_SYSCALL, child, 0), STOP(SIGTRAP | 0x80));
    CHECK_EQ(trace(PTRACE_GETREGS, child, 0, &regs), 0);
    CHECK_EQ(regs.orig_rax, SYS_getppid);
    regs.orig_rax = (unsigned long)-1; /* no call */
    CHECK_EQ(trace(PTRACE_SETREGS, child, 0, &regs), 0);
    CHECK_EQ(after(PTRACE_SYSCALL, child, 0), STOP(SIGTRAP | 0x80));
    CHECK_EQ(trace(PTRACE_GETREGS, child, 0, &regs), 0);
    CHECK_EQ((long)regs.rax, -ENOSYS);
    regs.rax = 77;
    CHECK_EQ(trace(PTRACE_SETREGS, child, 0, &regs), 0);
    CHECK_EQ(after(PTRACE_CONT, child, 0), 2 << 8);
}

/* ---- Steps -------------------------------------------------------------- */

static void steps(void)
{
    __asm__ volatile("int3; nop; nop; mov $39, %%eax; syscall; nop; ud2" : : : "rax", "rcx", "r11");
}

TEST(a_tracers_step_is_one_instruction_also_over_a_system_call, "")
{
    struct user_regs_struct regs;
    static const int lengths[] = { 1, 1, 5, 2, 1 };
    int child = traced(steps);
    CHECK_EQ(after(PTRACE_CONT, child, 0), STOP(SIGTRAP));
    CHECK_EQ(trace(PTRACE_GETREGS, child, 0, &regs), 0);
    for (int i = 0; i < 5; i++) {
        unsigned long then = regs.rip;
        CHECK_EQ(after(PTRACE_SINGLESTEP, child, 0), STOP(SIGTRAP));
        CHECK_EQ(trace(PTRACE_GETREGS, child, 0, &regs), 0);
        CHECK_EQ(regs.rip - then, lengths[i]);
        CHECK_EQ(regs.eflags & 0x100, 0);
    }
    CHECK_EQ(regs.rax, child);
    CHECK_EQ(after(PTRACE_SINGLESTEP, child, 0), STOP(SIGILL));
    CHECK_EQ(after(PTRACE_CONT, child, SIGILL), SIGILL);
}

TEST(a_tracers_step_into_a_handler_stops_at_its_first_instruction, "")
{
    struct user_regs_struct regs;
    int child = traced(two_signals);
    CHECK_EQ(after(PTRACE_CONT, child, 0), STOP(SIGUSR1));
    CHECK_EQ(after(PTRACE_SINGLESTEP, child, SIGUSR1), STOP(SIGTRAP));
    CHECK_EQ(trace(PTRACE_GETREGS, child, 0, &regs), 0);
    CHECK_EQ(regs.rip, (unsigned long)on_signal);
    CHECK_EQ(regs.rdi, SIGUSR1);
    CHECK_EQ(after(PTRACE_CONT, child, 0), SIGUSR1 << 8); /* and no flag is left behind */
}

/* ---- Memory ------------------------------------------------------------- */

static void tell_word(void) { _exit((int)word); }

TEST(a_poke_reaches_text_and_the_tracees_copy_alone, "")
{
    long text = 0, old = 0;
    int child = traced(tell_word);
    CHECK_EQ(trace(PTRACE_PEEKDATA, child, (unsigned long)&word, &old), 0);
    CHECK_EQ(old, 1234);
    CHECK_EQ(trace(PTRACE_POKEDATA, child, (unsigned long)&word, (void *)55), 0);
    CHECK_EQ(word, 1234);
    CHECK_EQ(trace(PTRACE_PEEKTEXT, child, (unsigned long)nothing, &text), 0);
    CHECK_EQ(text, *(long *)nothing);
    CHECK_EQ(trace(PTRACE_POKETEXT, child, (unsigned long)nothing, (void *)0xcccc), 0);
    CHECK_EQ(text, *(long *)nothing);
    FAILS(trace(PTRACE_POKEDATA, child, 8, NULL), EIO);
    FAILS(trace(PTRACE_PEEKDATA, child, 1ul << 63, &old), EIO);
    CHECK_EQ(after(PTRACE_CONT, child, 0), 55 << 8);
}

/* ---- Registers ---------------------------------------------------------- */

TEST(a_tracer_gives_no_more_rights, "")
{
    struct user_regs_struct regs, now;
    int child = traced(exit_7);
    CHECK_EQ(trace(PTRACE_GETREGS, child, 0, &regs), 0);
    now = regs;
    now.fs_base = 0xffff800000000000;
    FAILS(trace(PTRACE_SETREGS, child, 0, &now), EIO);
    now = regs;
    now.gs_base = 0xffff800000000000;
    FAILS(trace(PTRACE_SETREGS, child, 0, &now), EIO);
    now = regs;
    now.cs = 0x10;
    FAILS(trace(PTRACE_SETREGS, child, 0, &now), EIO);
    now = regs;
    now.eflags |= 0x3000 | 0x100000; /* IOPL and VIP */
    now.eflags &= ~0x200ul;
    CHECK_EQ(trace(PTRACE_SETREGS, child, 0, &now), 0);
    CHECK_EQ(trace(PTRACE_GETREGS, child, 0, &now), 0);
    CHECK_EQ(now.eflags, regs.eflags);
    FAILS(trace(PTRACE_POKEUSER, child, 4, NULL), EIO);
    FAILS(trace(PTRACE_POKEUSER, child, 928, NULL), EIO);
    long rip = 0;
    CHECK_EQ(trace(PTRACE_PEEKUSER, child, offsetof(struct user, regs.rip), &rip), 0);
    CHECK_EQ(rip, regs.rip);
    CHECK_EQ(after(PTRACE_CONT, child, 0), 7 << 8);
}

TEST(a_tracee_sent_into_the_kernel_gets_a_signal, "")
{
    static const unsigned long places[] = { 0xffffffff80000000, 1ul << 47, 0x8000000000000000 };
    struct user_regs_struct regs;
    for (int i = 0; i < 3; i++) {
        int child = traced(exit_7);
        CHECK_EQ(trace(PTRACE_GETREGS, child, 0, &regs), 0);
        regs.rip = regs.rcx = places[i];
        CHECK_EQ(trace(PTRACE_SETREGS, child, 0, &regs), 0);
        CHECK_EQ(after(PTRACE_CONT, child, 0), STOP(SIGSEGV));
        CHECK_EQ(after(PTRACE_CONT, child, SIGSEGV) & 0x7f, SIGSEGV);
    }
}

static void use_fpu(void)
{
    double one = 1.0, sum;
    __asm__ volatile("movsd %1, %%xmm7; int3; movsd %%xmm7, %0" : "=m"(sum) : "m"(one) : "xmm7");
    _exit(sum == 42.0 ? 4 : 5);
}

TEST(the_fpus_registers_of_a_tracee_are_read_changed_and_checked, "")
{
    struct user_fpregs_struct fpu;
    double value;
    int child = traced(use_fpu);
    CHECK_EQ(after(PTRACE_CONT, child, 0), STOP(SIGTRAP));
    CHECK_EQ(trace(PTRACE_GETFPREGS, child, 0, &fpu), 0);
    memcpy(&value, (char *)&fpu + 160 + 7 * 16, sizeof(value));
    CHECK(value == 1.0);
    value = 42.0;
    memcpy((char *)&fpu + 160 + 7 * 16, &value, sizeof(value));
    fpu.mxcsr |= 1u << 31;
    FAILS(trace(PTRACE_SETFPREGS, child, 0, &fpu), EINVAL);
    fpu.mxcsr &= ~(1u << 31);
    CHECK_EQ(trace(PTRACE_SETFPREGS, child, 0, &fpu), 0);
    CHECK_EQ(after(PTRACE_CONT, child, 0), 4 << 8);
}

TEST(register_sets_of_a_tracee_have_sizes, "")
{
    struct user_regs_struct regs;
    static uint64_t state[512];
    struct iovec part = { &regs, sizeof(regs) };
    int child = traced(exit_7);
    CHECK_EQ(trace(PTRACE_GETREGSET, child, NT_PRSTATUS, &part), 0);
    CHECK_EQ(part.iov_len, sizeof(regs));
    part.iov_len = 12;
    FAILS(trace(PTRACE_GETREGSET, child, NT_PRSTATUS, &part), EINVAL);
    part = (struct iovec){ state, sizeof(state) };
    FAILS(trace(PTRACE_GETREGSET, child, 0x999, &part), EINVAL);
    if (trace(PTRACE_GETREGSET, child, 0x202, &part) == 0) { /* NT_X86_XSTATE */
        CHECK(part.iov_len > 576 && part.iov_len < sizeof(state));
        CHECK_EQ(trace(PTRACE_SETREGSET, child, 0x202, &part), 0);
        state[64] |= 1ul << 63; /* XSTATE_BV */
        FAILS(trace(PTRACE_SETREGSET, child, 0x202, &part), EINVAL);
        state[64] &= 7;
        state[65] = 1ul << 63; /* XCOMP_BV */
        FAILS(trace(PTRACE_SETREGSET, child, 0x202, &part), EINVAL);
    }
    CHECK_EQ(after(PTRACE_CONT, child, 0), 7 << 8);
}

/* ---- Who ---------------------------------------------------------------- */

TEST(only_the_tracer_makes_requests, "ptrace_anyone")
{
    struct user_regs_struct regs;
    int status, child = traced(forever), other = fork();
    if (other == 0) {
        FAILS(trace(PTRACE_GETREGS, child, 0, &regs), ESRCH);
        FAILS(trace(PTRACE_CONT, child, 0, NULL), ESRCH);
        _exit(6);
    }
    CHECK_EQ(waitpid(other, &status, 0), other);
    CHECK_EQ(status, 6 << 8);
    FAILS(trace(PTRACE_GETREGS, 999999, 0, &regs), ESRCH);
    FAILS(trace(PTRACE_ATTACH, child, 0, NULL), EPERM);
    FAILS(trace(PTRACE_ATTACH, getpid(), 0, NULL), EPERM);
    CHECK_EQ(trace(PTRACE_CONT, child, 0, NULL), 0);
    FAILS(trace(PTRACE_GETREGS, child, 0, &regs), ESRCH); /* it runs */
    kill(child, SIGSTOP);
    CHECK_EQ(next(child), STOP(SIGSTOP));
    FAILS(trace(12345, child, 0, NULL), EIO);
    finish(child);
}
