/* SPDX-License-Identifier: MIT */
/* Identities: numbers, process groups and sessions, users (all are root), names. */
#include "base/string.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/process.h"
#include "uapi/errno.h"

long sys_getpid(void) { return process_current()->pid; }
long sys_gettid(void) { return task_current()->tid; }
long sys_getppid(void) { return __atomic_load_n(&process_current()->parent_pid, __ATOMIC_RELAXED); }
long sys_getuid(void) { return 0; }
long sys_getgid(void) { return 0; }
long sys_geteuid(void) { return 0; }
long sys_getegid(void) { return 0; }

long sys_set_tid_address(uaddr_t to)
{
    task_current()->clear_tid = to;
    return task_current()->tid;
}

/* ---- Groups and sessions ------------------------------------------------ */

/* The group or session of the process with this pid, 0 for the caller. */
static long kinship(int pid, bool of_session)
{
    uint64_t irq = spin_lock_irq(&tasks_lock);
    const struct process *process = pid ? process_find_locked(pid) : process_current();
    long number = !process ? -ESRCH : of_session ? process->session : process->group;
    spin_unlock_irq(&tasks_lock, irq);
    return number;
}

long sys_getpgid(int pid) { return kinship(pid, false); }
long sys_getpgrp(void) { return kinship(0, false); }
long sys_getsid(int pid) { return kinship(pid, true); }

/* Is there such a group in the session (-1: in any)? tasks_lock is held. */
static bool group_exists(int group, int session)
{
    list_for_each (link, &all_processes) {
        const struct process *process = list_entry(link, struct process, all_link);
        if (process->group == group && (session < 0 || process->session == session))
            return true;
    }
    return false;
}

/* A process moves itself, or a child that has not run another program yet, within the session.
 * tasks_lock is held. */
static int group_set(int pid, int group)
{
    struct process *self = process_current(), *process = process_find_locked(pid);
    if (process && process->pid != pid)
        return -EINVAL; /* the number of one of its other threads */
    if (!process || (process != self && process->parent != self))
        return -ESRCH;
    if (process->session != self->session)
        return -EPERM;
    if (process != self && process->execed)
        return -EACCES;
    if (process->session == pid || (group != pid && !group_exists(group, self->session)))
        return -EPERM;
    process->group = group;
    return 0;
}

long sys_setpgid(int pid, int group)
{
    if (!pid)
        pid = process_current()->pid;
    if (!group)
        group = pid;
    if (group < 0)
        return -EINVAL;
    uint64_t irq = spin_lock_irq(&tasks_lock);
    int err = group_set(pid, group);
    spin_unlock_irq(&tasks_lock, irq);
    return err;
}

/* Begin a new session with one group. Refused while there is a group of that number, which others
 * may still belong to. */
long sys_setsid(void)
{
    struct process *self = process_current();
    uint64_t irq = spin_lock_irq(&tasks_lock);
    bool taken = self->session == self->pid || group_exists(self->pid, -1);
    if (!taken)
        self->group = self->session = self->pid;
    spin_unlock_irq(&tasks_lock, irq);
    return taken ? -EPERM : self->pid;
}

/* ---- Names -------------------------------------------------------------- */

#define PR_SET_NAME            15
#define PR_GET_NAME            16
#define PR_SET_CHILD_SUBREAPER 36
#define PR_GET_CHILD_SUBREAPER 37

long sys_prctl(int option, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
    struct task *task = task_current();
    bool *subreaper = &task->process->subreaper;
    char name[TASK_NAME_BYTES] = "";
    if (option == PR_SET_CHILD_SUBREAPER)
        __atomic_store_n(subreaper, b != 0, __ATOMIC_RELAXED);
    int now = __atomic_load_n(subreaper, __ATOMIC_RELAXED);
    if (option == PR_GET_CHILD_SUBREAPER && arch_copy_to_user(uaddr(b), &now, sizeof(now)))
        return -EFAULT;
    if (option == PR_SET_CHILD_SUBREAPER || option == PR_GET_CHILD_SUBREAPER)
        return 0;
    if (option == PR_GET_NAME)
        return arch_copy_to_user(uaddr(b), task->name, sizeof(task->name)) ? -EFAULT : 0;
    if (option != PR_SET_NAME)
        return -EINVAL;
    long len = arch_strncpy_from_user(name, uaddr(b), sizeof(name));
    if (len == -EFAULT)
        return len;
    name[sizeof(name) - 1] = 0; /* a longer one is cut */
    task_rename(name);
    return 0;
}
