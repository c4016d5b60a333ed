/* SPDX-License-Identifier: MIT */
/* Waiting for children. */
#include "kernel/syscall/syscall.h"
#include "kernel/task/process.h"
#include "kernel/task/usage.h"
#include "uapi/errno.h"
#include "uapi/wait.h"

/* What wait4() looks for, and what it found. */
struct search {
    int pid;                /* > 0: this child; -1: any; < -1: any of this group, negated */
    int options;            /* W* */
    struct process *zombie; /* taken out of the tree; NULL */
    struct cpu_use use;     /* the zombie's */
    bool any;               /* there is such a child at all */
};

/* A child whose exit signal is not SIGCHLD is waited for only on request. tasks_lock is held. */
static bool wanted(const struct search *search, const struct process *child)
{
    bool is_clone = child->exit_signal != SIGCHLD;
    if (!(search->options & WALL) && is_clone != !!(search->options & WCLONE))
        return false;
    return search->pid == -1 || child->pid == search->pid || child->group == -search->pid;
}

/* Is the search over: a zombie, no such child, or no waiting for one? */
static bool search_over(struct process *parent, struct search *search)
{
    search->any = false;
    uint64_t irq = spin_lock_irq(&tasks_lock);
    list_for_each (link, &parent->children) {
        struct process *child = list_entry(link, struct process, sibling);
        if (!wanted(search, child))
            continue;
        search->any = true;
        if (child->zombie) {
            process_unpublish(child);
            search->use = usage_inherit(parent, child);
            search->zombie = child;
            break;
        }
    }
    spin_unlock_irq(&tasks_lock, irq);
    return search->zombie || !search->any || search->options & WNOHANG;
}

/* No process stops or continues here, so WUNTRACED and WCONTINUED never report anything. */
long sys_wait4(int pid, uaddr_t status_to, int options, uaddr_t usage)
{
    struct process *parent = process_current();
    if (options & ~(WNOHANG | WUNTRACED | WCONTINUED | WALL | WCLONE))
        return -EINVAL;
    if (pid == INT32_MIN)
        return -ESRCH;
    if (pid == 0)
        pid = -(int)sys_getpgid(0);
    struct search search = { .pid = pid, .options = options };
    int err = wait_until(&parent->child_wait, search_over(parent, &search), 0);
    struct process *zombie = search.zombie;
    if (!zombie)
        return err ? err : search.any ? 0 : -ECHILD;
    int status = zombie->wait_status;
    pid = zombie->pid;
    process_put(zombie);
    if (status_to.v && arch_copy_to_user(status_to, &status, sizeof(status)))
        return -EFAULT;
    if (usage.v && usage_out(&search.use, usage))
        return -EFAULT;
    return pid;
}
