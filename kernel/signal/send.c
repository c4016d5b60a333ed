/* SPDX-License-Identifier: MIT */
/*
 * Sending signals. Entries are made before a lock is taken and freed after it: the allocator's
 * locks stand above tasks_lock. In interrupts no entry is made.
 */
#include "base/string.h"
#include "kernel/ptrace/tracee.h"
#include "kernel/sched/sched.h"
#include "kernel/signal/signal.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/process.h"
#include "uapi/errno.h"

/* Is the signal thrown away when sent? A signal that task blocks is kept even if it is ignored: it
 * may no longer be once it is unblocked. A tracer hears of all. init keeps only what it has a
 * handler for. */
static bool is_discarded(const struct process *process, const struct task *task, int signal)
{
    if (__atomic_load_n(&task->signals.mask, __ATOMIC_SEQ_CST) & signal_bit(signal)
        || (task_traced(task) && signal != SIGKILL))
        return false;
    return signal_ignored(process, signal)
           || (process->unkillable && signal_action(process, signal)->handler == SIG_DFL);
}

bool process_hears(const struct process *process, int signal)
{
    return signal != 0 && !list_empty(&process->threads)
           && !is_discarded(process, process_task(process), signal);
}

/* Must the task look at a signal that has just become pending? */
static void task_tell(struct task *task, int signal)
{
    uint64_t deaf = __atomic_load_n(&task->signals.mask, __ATOMIC_SEQ_CST)
                    & ~__atomic_load_n(&task->signals.waits, __ATOMIC_SEQ_CST);
    if (!(deaf & signal_bit(signal)))
        sched_interrupt(task);
}

void signal_post(struct process *process, struct task *thread, const struct siginfo *info,
                 struct signal_entry **entry)
{
    if (list_empty(&process->threads))
        return;
    if (signal_bit(info->signo) & (SIGNALS_STOP | signal_bit(SIGCONT)))
        signal_counter(process, info->signo);
    spin_lock(&process->lock);
    bool kept = !is_discarded(process, thread ? thread : process_task(process), info->signo);
    if (kept)
        pending_add(thread ? &thread->signals.pending : &process->pending, info, entry);
    spin_unlock(&process->lock);
    if (kept && thread)
        task_tell(thread, info->signo);
    else if (kept)
        list_for_each (link, &process->threads)
            task_tell(list_entry(link, struct task, thread_link), info->signo);
}

/* A signal that may not lose its info is refused without an entry. */
static bool is_refused(const struct siginfo *info, const struct signal_entry *entry)
{
    return !entry && info->signo >= SIGRTMIN && info->code != SI_USER;
}

void signal_post_kernel(struct process *process, struct task *thread, int signal)
{
    const struct siginfo info = { .signo = signal, .code = SI_KERNEL };
    struct signal_entry *none = NULL;
    signal_post(process, thread, &info, &none);
}

int process_signal_info(struct process *process, const struct siginfo *info)
{
    struct signal_entry *entry = entry_create(info);
    if (is_refused(info, entry))
        return -EAGAIN;
    uint64_t irq = spin_lock_irq(&tasks_lock);
    signal_post(process, NULL, info, &entry);
    spin_unlock_irq(&tasks_lock, irq);
    entry_free(entry);
    return 0;
}

void process_signal(struct process *process, int signal)
{
    struct siginfo info = { .signo = signal, .code = SI_KERNEL };
    (void)process_signal_info(process, &info);
}

int thread_signal(int pid, int tid, const struct siginfo *info)
{
    struct signal_entry *entry = info->signo ? entry_create(info) : NULL;
    uint64_t irq = spin_lock_irq(&tasks_lock);
    struct task *task = tid ? task_find_locked(tid) : NULL;
    struct process *process = task ? task->process : tid ? NULL : process_find_locked(pid);
    int err = process && (!task || !pid || process->pid == pid) ? 0 : -ESRCH;
    if (!err && info->signo && is_refused(info, entry))
        err = -EAGAIN;
    if (!err && info->signo)
        signal_post(process, task, info, &entry);
    spin_unlock_irq(&tasks_lock, irq);
    entry_free(entry);
    return err;
}

/* ---- To many ------------------------------------------------------------ */

/* Whom a signal goes to: a group, or, for 0, all but init and one more. */
struct crowd {
    int group;
    const struct process *except;
};

static bool in_crowd(const struct crowd *crowd, const struct process *process)
{
    return crowd->group ? process->group == crowd->group
                        : process->pid != 1 && process != crowd->except;
}

/* Send, with entries from stock as long as there are some. Returns how many processes there are.
 * tasks_lock is held. */
static unsigned crowd_post(const struct crowd *crowd, const struct siginfo *info,
                           struct list *stock)
{
    unsigned count = 0;
    list_for_each (link, &all_processes) {
        struct process *process = list_entry(link, struct process, all_link);
        if (!in_crowd(crowd, process))
            continue;
        count++;
        struct signal_entry *entry = NULL;
        if (stock && !list_empty(stock)) {
            entry = list_entry(stock->next, struct signal_entry, link);
            list_remove(&entry->link);
        }
        if (info->signo)
            signal_post(process, NULL, info, &entry);
        if (entry)
            list_append(&entry->link, stock);
    }
    return count;
}

static unsigned crowd_count(const struct crowd *crowd)
{
    unsigned count = 0;
    list_for_each (link, &all_processes)
        count += in_crowd(crowd, list_entry(link, struct process, all_link));
    return count;
}

/* Fill stock up to count entries; false: memory is out. */
static bool stock_fill(struct list *stock, unsigned *have, unsigned count,
                       const struct siginfo *info)
{
    while (*have < count) {
        struct signal_entry *entry = entry_create(info);
        if (!entry)
            return false;
        list_append(&entry->link, stock);
        ++*have;
    }
    return true;
}

/* Send to all that there are at one moment. Returns 0, or -ESRCH: nobody. */
static COLD int crowd_signal(const struct crowd *crowd, const struct siginfo *info)
{
    struct list stock;
    unsigned have = 0, count = 0;
    bool memory = info->signo != 0;
    list_init(&stock);
    for (;;) {
        uint64_t irq = spin_lock_irq(&tasks_lock);
        count = crowd_count(crowd);
        if (count <= have || !memory) {
            crowd_post(crowd, info, &stock);
            spin_unlock_irq(&tasks_lock, irq);
            break;
        }
        spin_unlock_irq(&tasks_lock, irq);
        memory = stock_fill(&stock, &have, count, info);
    }
    entries_free(&stock);
    return count ? 0 : -ESRCH;
}

void group_signal(int group, int signal)
{
    struct siginfo info = { .signo = signal, .code = SI_KERNEL };
    struct crowd crowd = { group, NULL };
    crowd_post(&crowd, &info, NULL);
}

bool processes_signal(const struct process *except, int signal)
{
    struct siginfo info = { .signo = signal, .code = SI_KERNEL };
    struct crowd crowd = { 0, except };
    uint64_t irq = spin_lock_irq(&tasks_lock);
    unsigned count = crowd_post(&crowd, &info, NULL);
    spin_unlock_irq(&tasks_lock, irq);
    return count != 0;
}

/* ---- System calls ------------------------------------------------------- */

static struct siginfo info_of_caller(int signal, int code)
{
    return (struct siginfo){ .signo = signal, .code = code, .pid = process_current()->pid };
}

void signal_send_self(int signal)
{
    struct siginfo info = info_of_caller(signal, SI_USER);
    (void)!thread_signal(0, task_current()->tid, &info);
}

/* A signal that the current task sends itself, and has a handler for, is handled before it does
 * anything else: it needs no entry and no lock. False: this is no such signal, or one that takes
 * others back. */
static bool signal_self(int pid, int tid, const struct siginfo *info)
{
    struct task *self = task_current();
    struct task_signals *own = &self->signals;
    const struct process *process = self->process;
    bool alone = process->threads.next == process->threads.prev; /* then it stays so */
    if ((tid ? tid != self->tid : !alone) || (pid ? pid != process->pid : !tid) || own->forced.signo
        || (own->mask | SIGNALS_STOP | signal_bit(SIGCONT)) & signal_bit(info->signo)
        || signal_action(process, info->signo)->handler <= SIG_IGN)
        return false;
    own->forced = *info;
    arch_request_user_return();
    return true;
}

static long signal_one(int pid, int tid, const struct siginfo *info)
{
    return info->signo && signal_self(pid, tid, info) ? 0 : thread_signal(pid, tid, info);
}

static bool is_sendable(int signal) { return signal == 0 || signal_valid(signal); }

long sys_kill(int pid, int signal)
{
    struct siginfo info = info_of_caller(signal, SI_USER);
    if (!is_sendable(signal))
        return -EINVAL;
    if (pid > 0)
        return signal_one(pid, 0, &info);
    if (pid == INT32_MIN)
        return -ESRCH;
    struct crowd crowd = { pid == -1 ? 0 : pid ? -pid : (int)sys_getpgid(0), process_current() };
    return crowd_signal(&crowd, &info);
}

long sys_tkill(int tid, int signal)
{
    struct siginfo info = info_of_caller(signal, SI_TKILL);
    return tid <= 0 || !is_sendable(signal) ? -EINVAL : signal_one(0, tid, &info);
}

long sys_tgkill(int pid, int tid, int signal)
{
    struct siginfo info = info_of_caller(signal, SI_TKILL);
    return pid <= 0 || tid <= 0 || !is_sendable(signal) ? -EINVAL : signal_one(pid, tid, &info);
}

/* Nobody speaks for the kernel, or as another process's kill(), except to himself. */
static int info_in(int pid, int signal, uaddr_t from, struct siginfo *info)
{
    if (arch_copy_from_user(info, from, sizeof(*info)))
        return -EFAULT;
    info->signo = signal;
    if (!is_sendable(signal))
        return -EINVAL;
    return (info->code >= 0 || info->code == SI_TKILL) && pid != process_current()->pid ? -EPERM
                                                                                        : 0;
}

long sys_rt_sigqueueinfo(int pid, int signal, uaddr_t from)
{
    struct siginfo info;
    int err = info_in(pid, signal, from, &info);
    return err ? err : thread_signal(pid, 0, &info);
}

long sys_rt_tgsigqueueinfo(int pid, int tid, int signal, uaddr_t from)
{
    struct siginfo info;
    if (pid <= 0 || tid <= 0)
        return -EINVAL;
    int err = info_in(pid, signal, from, &info);
    return err ? err : thread_signal(pid, tid, &info);
}
