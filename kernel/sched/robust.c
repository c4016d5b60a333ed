/* SPDX-License-Identifier: MIT */
/* Robust futexes: the program keeps a list of the futexes that its thread holds. A task that waits
 * for one learns that the owner has died. */
#include "kernel/sched/robust.h"

#include "kernel/planted.h"
#include "kernel/sched/futex.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/task.h"
#include "uapi/errno.h"
#include "uapi/futex.h"

#define ENTRIES_MAX 2048

/*
 * The owner of the futex word is dying: say so in the word if the task is the owner, and wake a
 * waiter. pending: the task was about to take the lock or had just given it up. A word without an
 * owner then means that the task had stored 0 but not yet woken a waiter. No other task would do
 * so.
 */
static void robust_mark(struct task *task, uaddr_t word, bool pending)
{
    uint32_t old;
    int err = -EAGAIN;
    if (word.v % sizeof(old) || arch_copy_from_user(&old, word, sizeof(old)))
        return;
    while (err == -EAGAIN && (old & FUTEX_TID_MASK) == (uint32_t)task->tid)
        err = mm_cmpxchg(task->mm, word.v, &old, (old & FUTEX_WAITERS) | FUTEX_OWNER_DIED);
    bool due = (!err && old & FUTEX_WAITERS) || (pending && !(old & FUTEX_TID_MASK));
    if (planted_wake(due))
        futex_wake_word(word, 1);
}

/* The list is the program's own: every pointer of it may be wrong, and it may have no end. Bit 0
 * marks PI futexes, which this kernel does not have. */
void futex_robust_end(struct task *task)
{
    struct robust_list_head head;
    if (arch_copy_from_user(&head, task->robust_list, sizeof(head)))
        return;
    uint64_t entry = head.next;
    for (int i = 0; i < ENTRIES_MAX && (entry & ~1ull) != task->robust_list.v; i++) {
        uint64_t next;
        bool more = arch_copy_from_user(&next, uaddr(entry & ~1ull), sizeof(next)) == 0;
        if (entry != head.list_op_pending && !(entry & 1))
            robust_mark(task, uaddr(entry + (uint64_t)head.futex_offset), false);
        if (!more)
            break;
        entry = next;
    }
    if (head.list_op_pending && !(head.list_op_pending & 1))
        robust_mark(task, uaddr(head.list_op_pending + (uint64_t)head.futex_offset), true);
}

long sys_set_robust_list(uaddr_t head, size_t size)
{
    if (size != sizeof(struct robust_list_head))
        return -EINVAL;
    task_current()->robust_list = head;
    return 0;
}

/* get_robust_list(tid, &head, &size). It works for the caller alone: C libraries use it to find out
 * whether there are robust lists at all. */
long sys_get_robust_list(int tid, uaddr_t head, uaddr_t size_to)
{
    const struct task *task = task_current();
    uint64_t size = sizeof(struct robust_list_head);
    if (tid && tid != task->tid)
        return -EPERM;
    if (arch_copy_to_user(head, &task->robust_list, sizeof(uint64_t))
        || arch_copy_to_user(size_to, &size, sizeof(size)))
        return -EFAULT;
    return 0;
}
