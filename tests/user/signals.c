/* SPDX-License-Identifier: MIT */
/* Proves: handlers run with what they were promised, and masks, queues and stacks of signals do
 * what Linux's do. */
#define _GNU_SOURCE
#include <sched.h>
#include <time.h>
#include <ucontext.h>

#include "signals.h"

/* ---- Handlers ----------------------------------------------------------- */

TEST(a_handler_runs_and_the_program_goes_on, "")
{
    signal(SIGUSR1, note);
    for (int i = 1; i <= 3; i++) {
        CHECK_EQ(kill(getpid(), SIGUSR1), 0);
        CHECK_EQ(calls, i);
    }
}

TEST(a_handler_learns_who_sent_the_signal, "")
{
    handle(SIGUSR1, note_info, 0);
    kill(getpid(), SIGUSR1);
    CHECK_EQ(last.si_signo, SIGUSR1);
    CHECK_EQ(last.si_code, SI_USER);
    CHECK_EQ(last.si_pid, getpid());
    raise(SIGUSR1);
    CHECK_EQ(last.si_code, SI_TKILL);
    union sigval value = { .sival_ptr = (void *)0x123456789abc };
    CHECK_EQ(sigqueue(getpid(), SIGUSR1, value), 0);
    CHECK_EQ(last.si_code, SI_QUEUE);
    CHECK(last.si_value.sival_ptr == value.sival_ptr && last.si_pid == getpid());
}

/* Every register but RIP holds what it did, whatever the handler does with them. */
static void scribble(int signal)
{
    __asm__ volatile("xor %%ebx, %%ebx; mov $1, %%r12d; mov $2, %%r15d; std; cld;"
                     "pxor %%xmm0, %%xmm0; pxor %%xmm15, %%xmm15; fld1; fldpi"
                     :
                     :
                     : "rbx", "r12", "r15", "memory", "cc", "xmm0", "xmm15");
    note(signal);
}

TEST(registers_survive_a_handler, "")
{
    uint64_t low, high, rbx, r12, r15, count = 100000;
    signal(SIGALRM, scribble);
    int parent = getpid(), child = fork(), status;
    if (child == 0) {
        for (int i = 0; i < 20; i++) {
            kill(parent, SIGALRM);
            sched_yield();
        }
        _exit(0);
    }
    while (waitpid(child, &status, WNOHANG) == 0) {
        __asm__ volatile("mov $0x1234, %%ebx; movq %%rbx, %%xmm0; movq %%rbx, %%xmm15;"
                         "mov $77, %%r12d; mov $78, %%r15d; 1: dec %5; jnz 1b;"
                         "movq %%xmm0, %0; movq %%xmm15, %1; mov %%rbx, %2; mov %%r12, %3;"
                         "mov %%r15, %4"
                         : "=&r"(low), "=&r"(high), "=&r"(rbx), "=&r"(r12), "=&r"(r15), "+r"(count)
                         :
                         : "rbx", "r12", "r15", "xmm0", "xmm15", "cc");
        CHECK(low == 0x1234 && high == 0x1234 && rbx == 0x1234 && r12 == 77 && r15 == 78);
        count = 100000;
    }
    CHECK(calls > 0);
}

static void look_at_frame(int signal, siginfo_t *info, void *context)
{
    ucontext_t *at = context;
    uint64_t frame = (uint64_t)__builtin_frame_address(0) + 8;
    CHECK_EQ(frame % 16, 8); /* as after a CALL: the return address is at 8 mod 16 */
    CHECK((uint64_t)context == frame + 8);
    CHECK((uint64_t)info == frame + 8 + 304);
    CHECK_EQ(at->uc_mcontext.gregs[REG_CSGSFS] & 0xffff, 0x33);
    CHECK_EQ(at->uc_mcontext.gregs[REG_CSGSFS] >> 48, 0x2b);
    uint64_t fpu = (uint64_t)at->uc_mcontext.fpregs;
    CHECK(fpu % 64 == 0 && fpu > (uint64_t)info);
    if (at->uc_flags & 1) { /* UC_FP_XSTATE */
        uint32_t *words = (uint32_t *)(fpu + 464);
        CHECK_EQ(words[0], 0x46505853);
        CHECK_EQ(words[1], words[4] + 4);
        CHECK_EQ(*(uint32_t *)(fpu + words[4]), 0x46505845);
    }
    CHECK((uint64_t)at->uc_mcontext.gregs[REG_RSP] - 128 >= fpu + 512);
    note(signal);
}

TEST(the_frame_is_linuxs, "")
{
    handle(SIGUSR1, look_at_frame, 0);
    raise(SIGUSR1);
    CHECK_EQ(calls, 1);
}

static void change_rax(int signal, siginfo_t *info, void *context)
{
    (void)info;
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_RAX] = 4711;
    note(signal);
}

TEST(a_handler_may_change_the_registers, "")
{
    handle(SIGUSR1, change_rax, 0);
    CHECK_EQ(raw2(SYS_kill, getpid(), SIGUSR1), 4711);
}

static void raise_again(int signal)
{
    note(signal);
    if (calls < 3)
        raise(signal);
    note(-signal);
}

/* Without SA_NODEFER the second waits for the first to end. */
TEST(a_handler_is_interrupted_by_its_own_signal_only_on_request, "")
{
    struct sigaction action = { .sa_handler = raise_again };
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    CHECK_EQ(calls, 4);
    CHECK(order[1] == -SIGUSR1 && order[2] == SIGUSR1 && order[3] == -SIGUSR1);
    calls = 0;
    action.sa_flags = SA_NODEFER;
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    CHECK_EQ(calls, 6);
    CHECK(order[2] == SIGUSR1 && order[3] == -SIGUSR1 && order[5] == -SIGUSR1);
}

static void raise_other(int signal)
{
    note(signal);
    raise(SIGUSR2);
    CHECK_EQ(is_pending(SIGUSR2), 1);
    note(-signal);
}

TEST(a_handlers_mask_holds_while_it_runs, "")
{
    struct sigaction action = { .sa_handler = raise_other };
    sigaddset(&action.sa_mask, SIGUSR2);
    sigaction(SIGUSR1, &action, NULL);
    signal(SIGUSR2, note);
    raise(SIGUSR1);
    CHECK(calls == 3 && order[1] == -SIGUSR1 && order[2] == SIGUSR2);
    CHECK_EQ(is_pending(SIGUSR2), 0);
}

static void once_then_die(void)
{
    struct sigaction action = { .sa_handler = note, .sa_flags = SA_RESETHAND };
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    if (calls == 1)
        raise(SIGUSR1);
}

TEST(a_handler_for_once_is_reset, "")
{
    CHECK_EQ(WTERMSIG(in_child(once_then_die, NULL)), SIGUSR1);
}

TEST(an_action_keeps_only_flags_that_mean_something, "")
{
    struct {
        uint64_t handler, flags, restorer, mask;
    } action = { 1, ~0ul, 0, ~0ul }, old;
    CHECK_EQ(raw6(SYS_rt_sigaction, SIGUSR1, (long)&action, 0, 8, 0, 0), 0);
    CHECK_EQ(raw6(SYS_rt_sigaction, SIGUSR1, 0, (long)&old, 8, 0, 0), 0);
    CHECK_EQ(old.flags, 0xdc000007);
    CHECK_EQ(old.mask, ~(1ul << 8 | 1ul << 18));
    CHECK_EQ(raw6(SYS_rt_sigaction, SIGKILL, (long)&action, 0, 8, 0, 0), -EINVAL);
    CHECK_EQ(raw6(SYS_rt_sigaction, SIGUSR1, 0, (long)&old, 4, 0, 0), -EINVAL);
}

/* ---- Pending signals ---------------------------------------------------- */

TEST(standard_signals_coalesce_and_real_time_signals_queue, "")
{
    handle(SIGUSR1, note_info, 0);
    handle(SIGRTMIN, note_info, 0);
    block(SIG_BLOCK, SIGUSR1);
    block(SIG_BLOCK, SIGRTMIN);
    for (int i = 0; i < 5; i++) {
        raise(SIGUSR1);
        CHECK_EQ(sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = i }), 0);
    }
    CHECK_EQ(calls, 0);
    block(SIG_UNBLOCK, SIGUSR1);
    CHECK_EQ(calls, 1);
    for (int i = 0; i < 5; i++) {
        siginfo_t info;
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGRTMIN);
        CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN);
        CHECK_EQ(info.si_value.sival_int, i);
    }
    CHECK_EQ(is_pending(SIGRTMIN), 0);
}

TEST(the_queue_of_real_time_signals_is_bounded, "")
{
    uint64_t limit[2];
    int count = 0;
    block(SIG_BLOCK, SIGRTMIN);
    CHECK_EQ(raw6(SYS_prlimit64, 0, 11, 0, (long)limit, 0, 0), 0); /* RLIMIT_SIGPENDING */
    while (sigqueue(getpid(), SIGRTMIN, (union sigval){ 0 }) == 0)
        CHECK((uint64_t)++count <= limit[0]);
    CHECK_EQ(errno, EAGAIN);
    CHECK((uint64_t)count > limit[0] / 2);
    signal(SIGUSR2, note); /* the limit is not for kill() */
    CHECK(kill(getpid(), SIGUSR2) == 0 && calls == 1);
}

TEST(a_blocked_signal_stays_pending_even_if_ignored, "")
{
    int status, child;
    block(SIG_BLOCK, SIGCHLD);
    block(SIG_BLOCK, SIGURG);
    if ((child = fork()) == 0)
        _exit(0);
    CHECK_EQ(waitpid(child, &status, 0), child);
    raise(SIGURG);
    CHECK_EQ(is_pending(SIGCHLD), 1);
    CHECK_EQ(is_pending(SIGURG), 1);
    signal(SIGURG, SIG_IGN);
    CHECK_EQ(is_pending(SIGURG), 0);
}

TEST(fork_inherits_handlers_but_nothing_pending, "")
{
    int status, child;
    handle(SIGUSR1, note_info, 0);
    block(SIG_BLOCK, SIGUSR1);
    raise(SIGUSR1);
    if ((child = fork()) == 0) {
        CHECK_EQ(is_pending(SIGUSR1), 0);
        block(SIG_UNBLOCK, SIGUSR1);
        CHECK_EQ(calls, 0);
        raise(SIGUSR1);
        _exit(calls == 1 ? 0 : 1);
    }
    waitpid(child, &status, 0);
    CHECK_EQ(status, 0);
    block(SIG_UNBLOCK, SIGUSR1);
    CHECK_EQ(calls, 1);
}

TEST(a_child_that_ends_says_how, "")
{
    int child;
    handle(SIGCHLD, note_info, 0);
    if ((child = fork()) == 0)
        _exit(42);
    while (!calls)
        sched_yield();
    CHECK_EQ(last.si_code, CLD_EXITED);
    CHECK_EQ(last.si_status, 42);
    CHECK_EQ(last.si_pid, child);
    CHECK_EQ(waitpid(child, NULL, 0), child);
    if ((child = fork()) == 0)
        raise(SIGTERM);
    while (calls < 2)
        sched_yield();
    CHECK_EQ(last.si_code, CLD_KILLED);
    CHECK_EQ(last.si_status, SIGTERM);
    waitpid(child, NULL, 0);
}

/* ---- Waiting ------------------------------------------------------------ */

TEST(sigsuspend_lets_a_blocked_signal_in_and_blocks_it_again, "")
{
    sigset_t none;
    sigemptyset(&none);
    signal(SIGUSR1, note);
    block(SIG_BLOCK, SIGUSR1);
    raise(SIGUSR1);
    CHECK_EQ(calls, 0);
    FAILS(sigsuspend(&none), EINTR);
    CHECK_EQ(calls, 1);
    raise(SIGUSR1);
    CHECK_EQ(calls, 1);
}

TEST(sigtimedwait_takes_a_signal_or_times_out, "")
{
    struct timespec none = { 0, 0 }, little = { 0, 20000000 };
    siginfo_t info;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    block(SIG_BLOCK, SIGUSR1);
    FAILS(sigtimedwait(&set, &info, &none), EAGAIN);
    FAILS(sigtimedwait(&set, &info, &little), EAGAIN);
    int parent = getpid(), child = fork();
    if (child == 0) {
        nanosleep(&little, NULL);
        kill(parent, SIGUSR1);
        _exit(0);
    }
    CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
    CHECK_EQ(info.si_pid, child);
    signal(SIGUSR2, note);
    if (fork() == 0) {
        nanosleep(&little, NULL);
        kill(parent, SIGUSR2);
        _exit(0);
    }
    CHECK_EQ(raw6(SYS_rt_sigtimedwait, (long)&set, (long)&info, 0, 8, 0, 0), -EINTR);
    while (wait(NULL) > 0) {}
}

TEST(nobody_speaks_as_somebody_else, "")
{
    siginfo_t info = { .si_code = SI_USER };
    int child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    CHECK_EQ(raw3(SYS_rt_sigqueueinfo, child, SIGTERM, (long)&info), -EPERM);
    info.si_code = SI_TKILL;
    CHECK_EQ(raw3(SYS_rt_sigqueueinfo, child, SIGTERM, (long)&info), -EPERM);
    info.si_code = SI_QUEUE;
    CHECK_EQ(raw3(SYS_rt_sigqueueinfo, child, SIGTERM, (long)&info), 0);
    int status;
    waitpid(child, &status, 0);
    CHECK_EQ(WTERMSIG(status), SIGTERM);
}
