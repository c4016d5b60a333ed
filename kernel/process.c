/* SPDX-License-Identifier: MIT */
/* Processes: made, found, related, ended and waited for. */
#include "base/log.h"
#include "base/panic.h"
#include "base/string.h"
#include "kernel/file.h"
#include "kernel/syscall.h"
#include "kernel/task.h"
#include "mm/kmap.h"
#include "mm/slab.h"
#include "uapi/errno.h"

#define PID_MAX 4194304
#define PID_BUCKETS 256

struct spinlock tasks_lock = SPINLOCK_INIT;
static struct list all_processes = LIST_INIT(all_processes);    /* [T] in order of publication */
static struct process *buckets[PID_BUCKETS];                    /* [T] chains by pid, through hash_next */
static int last_pid;                                            /* [T] */
static struct process *init_process;                            /* [T] */

/* ---- Making ------------------------------------------------------------------------------------------- */

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
    list_init(&task->run_link);
    list_init(&task->timer_link);
    list_append(&task->thread_link, &process->threads);
    return task;
}

void task_free(struct task *task)
{
    kmap_stack_free(task->arch.kernel_stack_top);
    kfree(task->arch.fpu);
    kfree(task);
}

struct process *process_create(void)
{
    struct process *process = kzalloc(sizeof(*process));
    if (!process)
        return NULL;
    process->refs = 1;
    list_init(&process->children);
    list_init(&process->sibling);
    list_init(&process->threads);
    list_init(&process->all_link);
    wait_queue_init(&process->child_wait);
    if (!task_create(process)) {
        kfree(process);
        return NULL;
    }
    return process;
}

void process_discard(struct process *process)
{
    task_free(process_task(process));
    kfree(process);
}

static struct process *find_locked(int pid)
{
    struct process *process = buckets[(unsigned)pid % PID_BUCKETS];
    while (process && process->pid != pid)
        process = process->hash_next;
    return process;
}

static int pid_next(void)
{
    do {
        last_pid = last_pid < PID_MAX ? last_pid + 1 : 2;
    } while (find_locked(last_pid));
    return last_pid;
}

void process_publish(struct process *process, struct process *parent)
{
    struct task *task = process_task(process);
    uint64_t irq = spin_lock_irq(&tasks_lock);
    process->pid = pid_next();
    task->tid = process->pid;
    task->arch.pid = process->pid;
    process->parent = parent;
    if (parent)
        list_append(&process->sibling, &parent->children);
    else
        init_process = process;
    list_append(&process->all_link, &all_processes);
    process->hash_next = buckets[(unsigned)process->pid % PID_BUCKETS];
    buckets[(unsigned)process->pid % PID_BUCKETS] = process;
    spin_unlock_irq(&tasks_lock, irq);
}

/* ---- Finding ------------------------------------------------------------------------------------------ */

void process_hold(struct process *process)
{
    __atomic_add_fetch(&process->refs, 1, __ATOMIC_RELAXED);
}

void process_put(struct process *process)
{
    if (__atomic_sub_fetch(&process->refs, 1, __ATOMIC_ACQ_REL) == 0)
        kfree(process);
}

struct process *process_find(int pid)
{
    uint64_t irq = spin_lock_irq(&tasks_lock);
    struct process *process = find_locked(pid);
    if (process)
        process_hold(process);
    spin_unlock_irq(&tasks_lock, irq);
    return process;
}

struct process *process_next(int pid)
{
    struct process *best = NULL;
    uint64_t irq = spin_lock_irq(&tasks_lock);
    list_for_each(link, &all_processes) {
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
    char letter = process->zombie || list_empty(&process->threads)  ? 'Z'
                  : process_task(process)->state == TASK_WAITING    ? 'S'
                                                                    : 'R';
    spin_unlock_irq(&tasks_lock, irq);
    return letter;
}

/* ---- Ending ------------------------------------------------------------------------------------------- */

/* Out of every list; the caller drops the tree's reference. tasks_lock is held. */
static void unpublish(struct process *process)
{
    list_remove(&process->sibling);
    list_remove(&process->all_link);
    struct process **link = &buckets[(unsigned)process->pid % PID_BUCKETS];
    while (*link != process)
        link = &(*link)->hash_next;
    *link = process->hash_next;
}

/* Children of a dying process become init's; its zombies too, which init then reaps. tasks_lock is held. */
static void orphans_give(struct process *process)
{
    list_for_each_safe(link, after, &process->children) {
        struct process *child = list_entry(link, struct process, sibling);
        list_remove(link);
        child->parent = init_process;
        list_append(link, &init_process->children);
    }
}

static bool parent_ignores_children(struct process *parent)
{
    return parent->action[SIGCHLD].handler == 1;
}

/* init is gone: say how and switch off. */
static NORETURN void init_ended(int status)
{
    if (status & 0x7f)
        log_line("init: killed by signal %d", status & 0x7f);
    else
        log_line("init: exit status %d", status >> 8 & 0xff);
    arch_power_off();
}

/* Give up the address space; a vfork parent that lent it may go on. */
void task_drop_mm(struct task *task)
{
    struct process *process = task->process;
    uint64_t irq = spin_lock_irq(&process->lock);
    struct mm *mm = process->mm;
    process->mm = NULL;
    spin_unlock_irq(&process->lock, irq);
    task->mm = NULL;
    mm_activate(NULL);
    mm_put(mm);
    task_vfork_done(task);
}

void task_vfork_done(struct task *task)
{
    if (!task->vfork_done)
        return;
    uint64_t irq = spin_lock_irq(&tasks_lock);
    *task->vfork_done = true;
    task->vfork_done = NULL;
    struct process *parent = task->process->parent;
    spin_unlock_irq(&tasks_lock, irq);
    wait_wake_all(&parent->child_wait);
}

void process_exit(int wait_status)
{
    struct task *task = task_current();
    struct process *process = task->process;
    if (process == init_process)
        init_ended(wait_status);
    if (task->clear_tid) {
        uint32_t zero = 0;
        (void)!arch_copy_to_user(uaddr(task->clear_tid), &zero, sizeof(zero));
    }
    struct files *files = process->files;
    task_drop_mm(task);
    uint64_t irq = spin_lock_irq(&process->lock);
    process->files = NULL;
    spin_unlock_irq(&process->lock, irq);
    files_put(files);

    irq = spin_lock_irq(&tasks_lock);
    orphans_give(process);
    struct process *parent = process->parent;
    process->wait_status = wait_status;
    process->zombie = true;
    list_remove(&task->thread_link);
    bool nobody_waits = parent_ignores_children(parent);
    if (nobody_waits)
        unpublish(process);
    process_hold(parent);
    spin_unlock_irq(&tasks_lock, irq);

    process_signal(parent, SIGCHLD);
    wait_wake_all(&parent->child_wait);
    wait_wake_all(&init_process->child_wait);
    process_put(parent);
    if (nobody_waits)
        process_put(process);
    arch_irq_disable();
    task->process = NULL;
    sched_exit();
}

/* ---- Waiting for children ----------------------------------------------------------------------------- */

#define WNOHANG 1

/* A zombie child that pid asks for, taken out of the tree; NULL with *any telling whether such a child exists at all. */
static struct process *zombie_take(struct process *parent, int pid, bool *any)
{
    struct process *found = NULL;
    *any = false;
    uint64_t irq = spin_lock_irq(&tasks_lock);
    list_for_each(link, &parent->children) {
        struct process *child = list_entry(link, struct process, sibling);
        if (pid > 0 && child->pid != pid)
            continue;
        *any = true;
        if (child->zombie) {
            unpublish(child);
            found = child;
            break;
        }
    }
    spin_unlock_irq(&tasks_lock, irq);
    return found;
}

/* The zombie wait4() asks for, or NULL with the errno (0: WNOHANG and none yet). */
static struct process *zombie_wait(int pid, uint64_t options, long *err)
{
    struct process *parent = process_current(), *zombie;
    for (;;) {
        bool any;
        *err = 0;
        wait_begin(&parent->child_wait);
        zombie = zombie_take(parent, pid, &any);
        if (!zombie && !any)
            *err = -ECHILD;
        else if (!zombie && !(options & WNOHANG))
            *err = wait_sleep(&parent->child_wait, 0);
        wait_end(&parent->child_wait);
        if (zombie || *err || options & WNOHANG)
            return zombie;
    }
}

SYSCALL(wait4)
{
    (void)e, (void)f;
    long err;
    struct process *zombie = zombie_wait((int)a, c, &err);
    if (!zombie)
        return err;
    int pid = zombie->pid, status = zombie->wait_status;
    process_put(zombie);
    if (b && arch_copy_to_user(uaddr(b), &status, sizeof(status)))
        return -EFAULT;
    if (d && arch_clear_user(uaddr(d), 144))        /* struct rusage */
        return -EFAULT;
    return pid;
}
