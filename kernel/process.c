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

struct spinlock tasks_lock = SPINLOCK_INIT(LOCK_TASKS);
struct list all_processes = LIST_INIT(all_processes);
static struct process *buckets[PID_BUCKETS];                    /* [T] chains by pid, through hash_next */
static struct task *tid_buckets[PID_BUCKETS];                   /* [T] the same of tasks, by tid */
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
    task->affinity = ~0ull;
    list_init(&task->run_link);
    list_init(&task->wait_link);
    list_init(&task->timer_link);
    list_init(&task->thread_link);
    return task;
}

struct task *thread_create(void)
{
    return task_create(process_current());
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
    process->lock = (struct spinlock)SPINLOCK_INIT(LOCK_PROCESS);
    list_init(&process->children);
    list_init(&process->sibling);
    list_init(&process->threads);
    list_init(&process->all_link);
    wait_queue_init(&process->child_wait);
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

static struct process *find_locked(int pid)
{
    struct process *process = buckets[(unsigned)pid % PID_BUCKETS];
    while (process && process->pid != pid)
        process = process->hash_next;
    return process;
}

struct task *task_find_locked(int tid)
{
    struct task *task = tid_buckets[(unsigned)tid % PID_BUCKETS];
    while (task && task->tid != tid)
        task = task->hash_next;
    return task;
}

/* A number that neither a process, a zombie included, nor a task has. */
static int pid_next(void)
{
    do {
        last_pid = last_pid < PID_MAX ? last_pid + 1 : 2;
    } while (find_locked(last_pid) || task_find_locked(last_pid));
    return last_pid;
}

/* The task becomes findable by its tid. It keeps a reference on its process. tasks_lock is held. */
static void task_publish(struct task *task, int tid)
{
    struct task **bucket = &tid_buckets[(unsigned)tid % PID_BUCKETS];
    task->tid = tid;
    task->arch.pid = task->process->pid;
    task->hash_next = *bucket;
    *bucket = task;
    process_hold(task->process);
}

static void task_unpublish(struct task *task)
{
    struct task **link = &tid_buckets[(unsigned)task->tid % PID_BUCKETS];
    while (*link != task)
        link = &(*link)->hash_next;
    *link = task->hash_next;
}

void process_publish(struct process *process, struct process *parent)
{
    uint64_t irq = spin_lock_irq(&tasks_lock);
    process->pid = last_pid ? pid_next() : (last_pid = 1);
    task_publish(process_task(process), process->pid);
    process->parent = parent;
    process->parent_pid = parent ? parent->pid : 0;
    if (parent)
        list_append(&process->sibling, &parent->children);
    else
        init_process = process;
    list_append(&process->all_link, &all_processes);
    process->hash_next = buckets[(unsigned)process->pid % PID_BUCKETS];
    buckets[(unsigned)process->pid % PID_BUCKETS] = process;
    spin_unlock_irq(&tasks_lock, irq);
}

int thread_publish(struct task *task)
{
    struct process *process = task->process;
    uint64_t irq = spin_lock_irq(&tasks_lock);
    bool leaving = process->exiting || process->execing;
    if (!leaving) {
        task_publish(task, pid_next());
        list_append(&task->thread_link, &process->threads);
    }
    spin_unlock_irq(&tasks_lock, irq);
    return leaving ? -EAGAIN : 0;
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
    char letter = process->zombie || list_empty(&process->threads) ? 'Z' : 'S';
    list_for_each(link, &process->threads) {
        if (list_entry(link, struct task, thread_link)->state != TASK_WAITING)
            letter = 'R';
    }
    spin_unlock_irq(&tasks_lock, irq);
    return letter;
}

unsigned process_thread_count(struct process *process)
{
    unsigned count = 0;
    uint64_t irq = spin_lock_irq(&tasks_lock);
    list_for_each(link, &process->threads)
        count++;
    spin_unlock_irq(&tasks_lock, irq);
    return count;
}

/* ---- Ending ------------------------------------------------------------------------------------------- */

/* Out of every list; the caller drops the tree's reference. tasks_lock is held. */
static void unpublish(struct process *process)
{
    list_remove(&process->sibling);
    list_remove(&process->all_link);
    process->parent = NULL;                 /* who still holds it must not look for one */
    __atomic_store_n(&process->parent_pid, 0, __ATOMIC_RELAXED);
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
        __atomic_store_n(&child->parent_pid, init_process->pid, __ATOMIC_RELAXED);
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
    arch_cpus_stop();                       /* nobody prints between these last lines */
    if (status & 0x7f)
        log_line("init: killed by signal %d", status & 0x7f);
    else
        log_line("init: exit status %d", status >> 8 & 0xff);
    arch_power_off();
}

void task_vfork_done(struct task *task)
{
    struct process *parent = NULL;
    if (!__atomic_load_n(&task->vfork_done, __ATOMIC_RELAXED))
        return;                         /* nobody waits, or does so any more */
    uint64_t irq = spin_lock_irq(&tasks_lock);
    if (task->vfork_done) {
        parent = task->process->parent;
        process_hold(parent);
        __atomic_store_n(task->vfork_done, true, __ATOMIC_RELEASE);
        task->vfork_done = NULL;
    }
    spin_unlock_irq(&tasks_lock, irq);
    if (!parent)
        return;
    wait_wake_all(&parent->child_wait);
    process_put(parent);
}

/* What the process's memory is told of the end of a thread. Joiners wait for the last of it: the shadow stack is gone by then. */
static void task_tell_memory(struct task *task)
{
    uint32_t zero = 0;
    if (task->robust_list)
        futex_robust_end(task);
    if (__atomic_load_n(&task->mm->users, __ATOMIC_RELAXED) > 1)
        shstk_thread_end(task);             /* others go on in this address space */
    if (!task->clear_tid)
        return;
    if (arch_copy_to_user(uaddr(task->clear_tid), &zero, sizeof(zero)) == 0)
        futex_wake_private(task->clear_tid, 1);
}

/* Give up the address space; a vfork parent that lent it may go on. */
static void task_drop_mm(struct task *task)
{
    struct mm *mm = task->mm;
    task->mm = NULL;
    mm_activate(NULL);
    mm_put(mm);
    task_vfork_done(task);
}

/* The last thread takes along what the threads shared. */
static void process_drop_resources(struct process *process)
{
    uint64_t irq = spin_lock_irq(&process->lock);
    struct files *files = process->files;
    process->mm = NULL;
    process->files = NULL;
    spin_unlock_irq(&process->lock, irq);
    files_put(files);
}

/* Nobody runs in it any more: it becomes a zombie, or vanishes where nobody would wait for it. */
static void process_end(struct process *process)
{
    uint64_t irq = spin_lock_irq(&tasks_lock);
    orphans_give(process);
    struct process *parent = process->parent;
    process->zombie = true;
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
}

void task_exit(int wait_status)
{
    struct task *task = task_current();
    struct process *process = task->process;
    sched_dying();
    task_tell_memory(task);
    uint64_t irq = spin_lock_irq(&tasks_lock);
    list_remove(&task->thread_link);
    bool last = list_empty(&process->threads);
    if (!process->exiting && task->tid == process->pid)
        process->wait_status = wait_status;
    spin_unlock_irq(&tasks_lock, irq);
    if (last && process == init_process)
        init_ended(process->wait_status);
    if (last)
        process_drop_resources(process);
    task_drop_mm(task);

    irq = spin_lock_irq(&tasks_lock);
    task_unpublish(task);
    spin_unlock_irq(&tasks_lock, irq);
    if (last)
        process_end(process);
    else
        wait_wake_all(&process->child_wait);    /* an exec may wait to be alone */
    arch_irq_disable();
    task->process = NULL;
    process_put(process);
    sched_exit();
}

bool task_must_leave(const struct task *task)
{
    const struct process *process = task->process;
    const struct task *execing = __atomic_load_n(&process->execing, __ATOMIC_RELAXED);
    return __atomic_load_n(&process->exiting, __ATOMIC_RELAXED) || (execing && execing != task);
}

/* Make the other threads look at what has changed. tasks_lock is held. */
static void others_interrupt(struct task *self)
{
    list_for_each(link, &self->process->threads) {
        struct task *task = list_entry(link, struct task, thread_link);
        if (task != self)
            sched_interrupt(task);
    }
}

void process_exit(int wait_status)
{
    struct task *self = task_current();
    struct process *process = self->process;
    uint64_t irq = spin_lock_irq(&tasks_lock);
    if (!process->exiting) {
        process->wait_status = wait_status;
        __atomic_store_n(&process->exiting, true, __ATOMIC_SEQ_CST);
        others_interrupt(self);
    }
    spin_unlock_irq(&tasks_lock, irq);
    task_exit(wait_status);
}

/* Alone, and nobody of this process can be found by another tid: its own becomes the pid. tasks_lock is held. */
static bool alone(struct task *self)
{
    struct process *process = self->process;
    if (process->threads.next != &self->thread_link || self->thread_link.next != &process->threads)
        return false;
    if (self->tid != process->pid) {
        if (task_find_locked(process->pid))
            return false;               /* the first thread is on its way out */
        task_unpublish(self);
        self->tid = process->pid;
        struct task **bucket = &tid_buckets[(unsigned)self->tid % PID_BUCKETS];
        self->hash_next = *bucket;
        *bucket = self;
    }
    return true;
}

int threads_end_others(void)
{
    struct task *self = task_current();
    struct process *process = self->process;
    uint64_t irq = spin_lock_irq(&tasks_lock);
    bool lost = process->exiting || process->execing;
    bool done = !lost && alone(self);
    if (!lost && !done) {
        __atomic_store_n(&process->execing, self, __ATOMIC_SEQ_CST);
        others_interrupt(self);
    }
    spin_unlock_irq(&tasks_lock, irq);
    if (lost || done)
        return lost ? -EAGAIN : 0;
    while (!done) {
        wait_begin(&process->child_wait);
        irq = spin_lock_irq(&tasks_lock);
        done = alone(self);
        spin_unlock_irq(&tasks_lock, irq);
        if (!done)
            wait_sleep_deaf();
        wait_end(&process->child_wait);
    }
    __atomic_store_n(&process->execing, NULL, __ATOMIC_SEQ_CST);
    return 0;
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
            *err = wait_sleep(0);
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
