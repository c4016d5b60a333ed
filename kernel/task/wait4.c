/* SPDX-License-Identifier: MIT */
/* Waiting for children and tracees: wait4 and waitid. */
#include "kernel/ptrace/tracee.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/exit.h"
#include "kernel/task/process.h"
#include "kernel/task/usage.h"
#include "uapi/errno.h"
#include "uapi/wait.h"

#define OPTIONS_COMMON (WNOHANG | WCONTINUED | WNOTHREAD | WALL | WCLONE)

/* What a call looks for, and what it found. */
struct search {
    int which, id;          /* P_ALL; P_PID: the child of this pid; P_PGID: any of this group */
    int options;            /* W* */
    bool any;               /* there is a child that may yet be found */
    int pid, status;        /* of the child found, 0 while there is none */
    struct usage usage;     /* what it and its children used */
    struct process *zombie; /* the child, if it was taken out of the tree */
    struct tracee *over;    /* what traced it, or the tracee that has ended */
    bool trapped;           /* the stop is one for the tracer */
};

/* A child whose exit signal is not SIGCHLD is waited for only on request. tasks_lock is held. */
static bool wanted(const struct search *search, const struct process *child)
{
    bool is_clone = child->exit_signal != SIGCHLD;
    if (!(search->options & WALL) && is_clone != !!(search->options & WCLONE))
        return false;
    if (search->options & WNOTHREAD && child->made_by != task_current())
        return false;
    return search->which == P_ALL
           || search->id == (search->which == P_PID ? child->pid : child->group);
}

static bool tracee_wanted(const struct search *search, const struct tracee *tracee)
{
    if (search->options & WNOTHREAD && tracee->tracer != task_current())
        return false;
    return search->which == P_ALL
           || search->id == (search->which == P_PID ? tracee->tid : tracee->process->group);
}

/* The search has found this child. tasks_lock is held. */
static void child_found(struct search *search, const struct process *child, int status)
{
    search->pid = child->pid;
    search->status = status;
    search->usage = usage_locked(child);
    usage_add(&search->usage, &child->children_used);
}

static void zombie_found(struct search *search, struct process *parent, struct process *child)
{
    child_found(search, child, child->wait_status);
    if (search->options & WNOWAIT)
        return;
    usage_add(&parent->children_used, &search->usage);
    process_unpublish(child);
    search->zombie = child;
    search->over = child->watch;
    if (search->over)
        tracee_reaped(search->over);
}

/* The child has stopped or gone on, if that is asked for and has not been told. Of a child that the
 * caller traces, the tracee's stops are told instead. */
static bool change_found(struct search *search, struct process *child)
{
    int status = child->stop.status;
    bool traced = child->watch && child->watch->tracer->process == child->parent;
    if (traced && status != STATUS_CONTINUED)
        return false;
    if (!status || !(search->options & (status == STATUS_CONTINUED ? WCONTINUED : WSTOPPED)))
        return false;
    child_found(search, child, status);
    if (!(search->options & WNOWAIT))
        child->stop.status = 0;
    return true;
}

/* A child is found. Sets search->any if one may yet be. tasks_lock is held. */
static bool children_search(struct search *search, struct process *parent)
{
    list_for_each (link, &parent->children) {
        struct process *child = list_entry(link, struct process, sibling);
        bool hidden = process_hidden(child), zombie = child->zombie && !hidden;
        if (!wanted(search, child) || (zombie && !(search->options & WEXITED)))
            continue;
        search->any = true;
        if (zombie)
            zombie_found(search, parent, child);
        if (zombie || (!child->zombie && change_found(search, child)))
            return true;
    }
    return false;
}

/* The same for the tracees of the caller's process. Their stops are told whether asked for or not,
 * and so is the end of any but those that are children as well. */
static bool tracees_search(struct search *search, struct process *tracer)
{
    list_for_each (link, &tracer->tracees) {
        struct tracee *tracee = list_entry(link, struct tracee, link);
        struct trap *trap = tracee->task ? &tracee->task->trap : NULL;
        if (!tracee_wanted(search, tracee) || (tracee->ended && !(search->options & WEXITED)))
            continue;
        search->any = true;
        search->trapped = trap && trap->on && trap->code && !trap->listening;
        if (!tracee->ended && !search->trapped)
            continue;
        child_found(search, tracee->process,
                    tracee->ended ? tracee->status : status_stopped(trap->code));
        search->pid = tracee->tid;
        if (search->options & WNOWAIT)
            return true;
        if (tracee->ended)
            tracee_reaped(search->over = tracee);
        else
            trap->code = 0;
        return true;
    }
    return false;
}

/* Is the search over: something found, nothing that may be, or no waiting for it? */
static bool search_over(struct process *self, struct search *search)
{
    search->any = false;
    uint64_t irq = spin_lock_irq(&tasks_lock);
    if (!children_search(search, self))
        (void)tracees_search(search, self);
    spin_unlock_irq(&tasks_lock, irq);
    return search->pid || !search->any || search->options & WNOHANG;
}

/* The pid of the child found, 0 for none now, or a negative errno. */
static int child_await(struct search *search)
{
    struct process *self = process_current();
    int err = wait_until(&self->child_wait, search_over(self, search), 0);
    if (search->over)
        tracee_free(search->over);
    if (search->zombie)
        process_put(search->zombie);
    return search->pid ? search->pid : err ? err : search->any ? 0 : -ECHILD;
}

long sys_wait4(int pid, uaddr_t status_to, int options, uaddr_t usage)
{
    if (options & ~(OPTIONS_COMMON | WUNTRACED))
        return -EINVAL;
    if (pid == INT32_MIN)
        return -ESRCH;
    struct search search = { .which = pid == -1 ? P_ALL
                                      : pid > 0 ? P_PID
                                                : P_PGID,
                             .id = pid > 0 ? pid
                                   : pid   ? -pid
                                           : (int)sys_getpgrp(),
                             .options = options | WEXITED };
    int found = child_await(&search);
    if (found <= 0)
        return found;
    if (status_to.v && arch_copy_to_user(status_to, &search.status, sizeof(search.status)))
        return -EFAULT;
    return usage.v && usage_out(&search.usage, usage) ? -EFAULT : found;
}

/* Tell the caller of waitid() what was found; all is 0 when nothing was. si_signo, si_errno,
 * si_code lie before a gap; si_pid, si_uid, si_status behind it. */
static int info_out(const struct search *search, uaddr_t to)
{
    int what[3] = { 0 }, who[3] = { search->pid, 0, 0 };
    if (search->pid) {
        what[0] = SIGCHLD;
        what[2] = search->trapped ? CLD_TRAPPED : status_explain(search->status, &who[2]);
        if (search->trapped)
            who[2] = search->status >> 8;
    }
    return arch_copy_to_user(to, what, sizeof(what))
                   || arch_copy_to_user(uaddr(to.v + 16), who, sizeof(who))
               ? -EFAULT
               : 0;
}

long sys_waitid(int which, int id, uaddr_t info, int options, uaddr_t usage)
{
    if (options & ~(OPTIONS_COMMON | WNOWAIT | WEXITED | WSTOPPED)
        || !(options & (WEXITED | WSTOPPED | WCONTINUED)) || which < P_ALL || which > P_PIDFD
        || (which == P_PID && id <= 0) || (which >= P_PGID && id < 0))
        return -EINVAL;
    if (which == P_PIDFD)
        return -EBADF; /* no descriptor is one */
    if (which == P_PGID && !id)
        id = (int)sys_getpgrp();
    struct search search = { .which = which, .id = id, .options = options };
    int found = child_await(&search);
    if (found > 0 && usage.v && usage_out(&search.usage, usage))
        return -EFAULT;
    if (info.v && info_out(&search, info))
        return -EFAULT;
    return found < 0 ? found : 0;
}
