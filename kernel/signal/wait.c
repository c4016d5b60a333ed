/* SPDX-License-Identifier: MIT */
/* Waiting for signals. */
#include "kernel/sched/wait.h"

#include "kernel/signal/restart.h"
#include "kernel/signal/signal.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/task.h"
#include "kernel/time/time.h"
#include "uapi/errno.h"

/* Sleep until a signal is due, or, with a set, until one of it can be taken, or until the deadline.
 * Nobody wakes this queue: signals find the task itself. */
static int signal_sleep(uint64_t set, struct siginfo *info, uint64_t deadline_ns)
{
    struct wait_queue nobody;
    wait_queue_init(&nobody);
    return wait_until(&nobody, set && signal_take(set, info), deadline_ns);
}

long sys_pause(void)
{
    (void)signal_sleep(0, NULL, 0);
    return -ERESTARTNOHAND;
}

long sys_rt_sigsuspend(uaddr_t from, size_t set_bytes)
{
    struct task_signals *own = &task_current()->signals;
    uint64_t mask;
    if (set_bytes != 8)
        return -EINVAL;
    if (arch_copy_from_user(&mask, from, sizeof(mask)))
        return -EFAULT;
    own->saved_mask = own->mask;
    own->restore_mask = true;
    signal_mask_set(mask);
    return sys_pause();
}

static int info_out(const struct siginfo *info, uaddr_t to)
{
    return arch_copy_to_user(to, info, sizeof(*info))
                   || arch_clear_user(uaddr(to.v + sizeof(*info)), SIGINFO_BYTES - sizeof(*info))
               ? -EFAULT
               : 0;
}

/* Wait until one of the signals in set can be taken, blocked or not. */
static int set_wait(uint64_t set, struct siginfo *info, uint64_t deadline_ns)
{
    struct task_signals *own = &task_current()->signals;
    __atomic_store_n(&own->waits, set, __ATOMIC_SEQ_CST);
    int err = signal_sleep(set, info, deadline_ns);
    __atomic_store_n(&own->waits, 0, __ATOMIC_SEQ_CST);
    return err == -ERESTARTSYS ? -EINTR : err == -ETIMEDOUT ? -EAGAIN : err;
}

long sys_rt_sigtimedwait(uaddr_t from, uaddr_t to, uaddr_t timeout, size_t set_bytes)
{
    struct siginfo info;
    uint64_t set, ns, deadline = 0;
    if (set_bytes != 8)
        return -EINVAL;
    if (arch_copy_from_user(&set, from, sizeof(set)))
        return -EFAULT;
    if (timeout.v) {
        int err = time_in(timeout, &ns);
        if (err)
            return err;
        deadline = arch_clock_ns() + ns;
    }
    int err = set_wait(set & ~SIGNALS_UNBLOCKABLE, &info, deadline);
    if (err)
        return err;
    return to.v && info_out(&info, to) ? -EFAULT : info.signo;
}
