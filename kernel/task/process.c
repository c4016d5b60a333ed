/* SPDX-License-Identifier: MIT */
/* Processes and the tree they form: made, found, related, taken out. How they end is in exit.c. */
#include "kernel/task/process.h"

#include "base/log.h"
#include "base/panic.h"
#include "base/string.h"
#include "kernel/planted.h"
#include "kernel/ptrace/tracee.h"
#include "kernel/signal/restart.h"
#include "kernel/signal/signal.h"
#include "kernel/task/limits.h"
#include "mm/phys/kmap.h"
#include "mm/phys/slab.h"
#include "uapi/errno.h"

#define PID_MAX     4194304
#define PID_BUCKETS 256

struct spinlock tasks_lock = SPINLOCK_INIT(LOCK_TASKS);
struct list all_processes = LIST_INIT(all_processes);
static struct process *buckets[PID_BUCKETS];  /* [T] chains by pid, through hash_next */
static struct task *tid_buckets[PID_BUCKETS]; /* [T] the same of tasks, by tid */
static int last_pid;                          /* [T] */
static bool pids_reused;                      /* [T] */
struct process *init_process;

/* ---- Making ------------------------------------------------------------- */

static struct task *task_create(struct process *process)
{
    struct task *task = kzalloc(sizeof(*task));
    if (!task)
        return NULL;
    task->arch.fpu = kmalloc(arch_fpu_bytes());
    task->arch.kernel_stack_top = task->arch.fpu ? kmap_stack_alloc() : 0;
    if (!task->arch.kernel_stack_top) {
        kfree(task->arch.fpu);
        kfree(task);
        return NULL;
    }
    task->process = process;
    task->arch.user_work = true;
    task->affinity = ~0ull;
    list_init(&task->run_link);
    list_init(&task->wait_link);
    list_init(&task->timer_link);
    list_init(&task->thread_link);
    task_signals_init(task);
    return task;
}

struct task *thread_create(void) { return task_create(process_current()); }

void task_free(struct task *task)
{
    kmap_stack_free(task->arch.kernel_stack_top);
    kfree(task->arch.fpu);
    kfree(task);
}

struct process *process_create(void)
{
    struct process *process = kmalloc(sizeof(*process));
    if (!process)
        return NULL;
    memset(process, 0, offsetof(struct process, itimers));
    process->refs = 1;
    process->exit_signal = SIGCHLD;
    process->lock = (struct spinlock)SPINLOCK_INIT(LOCK_PROCESS);
    list_init(&process->children);
    list_init(&process->sibling);
    list_init(&process->threads);
    list_init(&process->all_link);
    list_init(&process->tracees);
    wait_queue_init(&process->child_wait);
    pending_init(&process->pending);
    timers_init(process);
    struct task *task = task_create(process);
    if (!task) {
        kfree(process);
        return NULL;
    }
    list_append(&task->thread_link, &process->threads);
    return process;
}

void process_discard(struct process *process)
{
    task_free(process_task(process));
    kfree(process);
}

struct task *task_find_locked(int tid)
{
    struct task *task = tid_buckets[(unsigned)tid % PID_BUCKETS];
    while (task && task->tid != tid)
        task = task->hash_next;
    return task;
}

struct process *process_find_locked(int pid)
{
    struct process *process = buckets[(unsigned)pid % PID_BUCKETS];
    while (process && process->pid != pid)
        process = process->hash_next;
    const struct task *thread = process ? NULL : task_find_locked(pid);
    return thread ? thread->process : process;
}

/* Does a group or session have this number? */
static bool group_named(int number)
{
    list_for_each (link, &all_processes) {
        const struct process *process = list_entry(link, struct process, all_link);
        if (process->group == number || process->session == number)
            return true;
    }
    return false;
}

/* A number that no process (zombies included), task, group or session has. Until all numbers have
 * been used once, no group or session can have the next one. */
static int pid_next(void)
{
    do {
        pids_reused |= last_pid == PID_MAX;
        last_pid = last_pid < PID_MAX ? last_pid + 1 : 2;
    } while (process_find_locked(last_pid) || (pids_reused && group_named(last_pid)));
    return last_pid;
}

/* The task can be found by this tid. tasks_lock is held. */
static void tid_set(struct task *task, int tid)
{
    struct task **bucket = &tid_buckets[(unsigned)tid % PID_BUCKETS];
    task->tid = tid;
    task->hash_next = *bucket;
    *bucket = task;
}

/* It keeps a reference on its process. tasks_lock is held. */
static void task_publish(struct task *task, int tid)
{
    tid_set(task, tid);
    task->arch.pid = task->process->pid;
    process_hold(task->process);
}

void task_unpublish(struct task *task)
{
    struct task **link = &tid_buckets[(unsigned)task->tid % PID_BUCKETS];
    while (*link != task)
        link = &(*link)->hash_next;
    *link = task->hash_next;
}

void task_take_pid(struct task *task)
{
    task_unpublish(task);
    tid_set(task, task->process->pid);
    tracee_take_pid(task);
}

int process_publish(struct process *process, struct process *maker, bool sibling)
{
    uint64_t irq = spin_lock_irq(&tasks_lock);
    if (maker && planted_fork(signal_fatal_due(task_current()))) {
        spin_unlock_irq(&tasks_lock, irq);
        return -ERESTARTNOINTR;
    }
    struct process *parent = sibling ? maker->parent : maker;
    process->pid = last_pid ? pid_next() : (last_pid = 1);
    task_publish(process_task(process), process->pid);
    process->parent = parent;
    process->made_by = sibling ? maker->made_by : task_current();
    if (sibling)
        process->exit_signal = maker->exit_signal;
    process->parent_pid = parent ? parent->pid : 0;
    process->group = maker ? maker->group : 0;
    process->session = maker ? maker->session : 0;
    if (parent)
        list_append(&process->sibling, &parent->children);
    else
        init_process = process;
    process->unkillable = process == init_process;
    list_append(&process->all_link, &all_processes);
    process->hash_next = buckets[(unsigned)process->pid % PID_BUCKETS];
    buckets[(unsigned)process->pid % PID_BUCKETS] = process;
    spin_unlock_irq(&tasks_lock, irq);
    return 0;
}

int thread_publish(struct task *task)
{
    struct process *process = task->process;
    uint64_t irq = spin_lock_irq(&tasks_lock);
    bool leaving = process->exiting || process->execing;
    if (!leaving) {
        task_publish(task, pid_next());
        list_append(&task->thread_link, &process->threads);
        stop_join(task);
    }
    spin_unlock_irq(&tasks_lock, irq);
    return leaving ? -EAGAIN : 0;
}

/* ---- Leaving the tree --------------------------------------------------- */

void process_unpublish(struct process *process)
{
    list_remove(&process->sibling);
    list_remove(&process->all_link);
    process->parent = NULL; /* holders of a reference must not look for a parent */
    __atomic_store_n(&process->parent_pid, 0, __ATOMIC_RELAXED);
    struct process **link = &buckets[(unsigned)process->pid % PID_BUCKETS];
    while (*link != process)
        link = &(*link)->hash_next;
    *link = process->hash_next;
}

void process_children_pass(const struct task *task)
{
    list_for_each (link, &task->process->children) {
        struct process *child = list_entry(link, struct process, sibling);
        if (child->made_by == task)
            child->made_by = process_task(task->process);
    }
}

bool process_unwanted(const struct process *zombie)
{
    const struct signal_action *action = signal_action(zombie->parent, SIGCHLD);
    return zombie->exit_signal == SIGCHLD
           && (action->handler == SIG_IGN || action->flags & SA_NOCLDWAIT);
}

struct process *process_orphans_give(struct process *process, struct list *unwanted,
                                     struct process **zombie)
{
    struct process *reaper = process->parent, *told = NULL;
    while (reaper != init_process && (!reaper->subreaper || list_empty(&reaper->threads)))
        reaper = reaper->parent;
    list_for_each_safe (link, after, &process->children) {
        struct process *child = list_entry(link, struct process, sibling);
        list_remove(link);
        child->parent = reaper;
        child->made_by = process_task(reaper);
        child->exit_signal = SIGCHLD;
        __atomic_store_n(&child->parent_pid, reaper->pid, __ATOMIC_RELAXED);
        list_append(link, &reaper->children);
        group_parent_gone(child, process);
        if (!child->zombie || process_hidden(child))
            continue;
        told = reaper;
        *zombie = child;
        if (process_unwanted(child)) {
            process_unpublish(child);
            list_append(link, unwanted);
        }
    }
    return told;
}

/* ---- Finding ------------------------------------------------------------ */

void process_hold(struct process *process)
{
    __atomic_add_fetch(&process->refs, 1, __ATOMIC_RELAXED);
}

void process_put(struct process *process)
{
    if (__atomic_sub_fetch(&process->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    pending_free(&process->pending);
    kfree(process);
}

struct process *process_find(int pid)
{
    uint64_t irq = spin_lock_irq(&tasks_lock);
    struct process *process = process_find_locked(pid);
    if (process)
        process_hold(process);
    spin_unlock_irq(&tasks_lock, irq);
    return process;
}

struct process *process_next(int pid)
{
    struct process *best = NULL;
    uint64_t irq = spin_lock_irq(&tasks_lock);
    list_for_each (link, &all_processes) {
        struct process *process = list_entry(link, struct process, all_link);
        if (process->pid >= pid && (!best || process->pid < best->pid))
            best = process;
    }
    if (best)
        process_hold(best);
    spin_unlock_irq(&tasks_lock, irq);
    return best;
}

struct mm *process_mm(struct process *process)
{
    uint64_t irq = spin_lock_irq(&process->lock);
    struct mm *mm = process->mm;
    if (mm)
        mm_hold(mm);
    spin_unlock_irq(&process->lock, irq);
    return mm;
}

void process_path(struct process *process, char path[PROCESS_PATH_BYTES])
{
    uint64_t irq = spin_lock_irq(&process->lock);
    memcpy(path, process->path, PROCESS_PATH_BYTES);
    spin_unlock_irq(&process->lock, irq);
}

bool process_may_trace(struct process *caller, struct process *target)
{
    uint64_t irq = spin_lock_irq(&tasks_lock);
    while (target && target != caller)
        target = target->parent;
    spin_unlock_irq(&tasks_lock, irq);
    return target != NULL;
}

char process_state_letter(struct process *process)
{
    uint64_t irq = spin_lock_irq(&tasks_lock);
    const struct task *first = task_find_locked(process->pid);
    char letter = !first                         ? 'Z'
                  : first->trap.on               ? 't'
                  : first->stopped               ? 'T'
                  : first->state == TASK_WAITING ? 'S'
                                                 : 'R';
    spin_unlock_irq(&tasks_lock, irq);
    return letter;
}

unsigned process_count(void)
{
    unsigned count = 0;
    uint64_t irq = spin_lock_irq(&tasks_lock);
    list_for_each (link, &all_processes)
        count++;
    spin_unlock_irq(&tasks_lock, irq);
    return count;
}

unsigned process_thread_count(struct process *process)
{
    unsigned count = 0;
    uint64_t irq = spin_lock_irq(&tasks_lock);
    list_for_each (link, &process->threads)
        count++;
    spin_unlock_irq(&tasks_lock, irq);
    return count;
}

/* ---- The running task --------------------------------------------------- */

void task_rename(const char *name)
{
    struct task *task = task_current();
    uint64_t irq = spin_lock_irq(&task->process->lock);
    snprintf(task->name, sizeof(task->name), "%s", name);
    spin_unlock_irq(&task->process->lock, irq);
}
