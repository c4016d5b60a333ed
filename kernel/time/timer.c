/* SPDX-License-Identifier: MIT */
/*
 * Timers. All of them are the process tree's lock's; ticks look at the earliest deadline without
 * it. A timer of timer_create() owns one signal entry: while that waits to be taken, what expires
 * is counted in it as overruns. A timer goes on from its own deadline, so that ticks that come late
 * lose nothing.
 */
#include "kernel/time/timer.h"

#include "kernel/planted.h"
#include "kernel/sched/sched.h"
#include "kernel/signal/signal.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/process.h"
#include "kernel/task/usage.h"
#include "kernel/time/time.h"
#include "mm/phys/slab.h"
#include "uapi/errno.h"

#define NEVER INT64_MAX

static struct list armed = LIST_INIT(armed); /* [T] of timer.armed_link */
static int64_t next_ns = NEVER;              /* [T] the first one's; read without the lock */

/* ---- One timer (tasks_lock is held) ------------------------------------- */

static int64_t timer_now(const struct timer *timer)
{
    if (timer->kind == TIMER_REAL)
        return (int64_t)arch_clock_ns();
    struct usage use = usage_locked(timer->process);
    return (int64_t)arch_cycles_ns(use.user + (timer->kind == TIMER_PROF ? use.system : 0));
}

static void cpu_timers_note(struct process *process)
{
    bool any = process->itimers[TIMER_VIRTUAL].armed || process->itimers[TIMER_PROF].armed;
    __atomic_store_n(&process->cpu_timers, any, __ATOMIC_RELAXED);
}

static struct timer *armed_entry(struct list *link)
{
    return list_entry(link, struct timer, armed_link);
}

/* From now on ticks see to the timer if it is armed and has a signal, and only then. */
static void timer_queue(struct timer *timer)
{
    if (timer->kind != TIMER_REAL) {
        cpu_timers_note(timer->process);
        return;
    }
    list_remove(&timer->armed_link);
    if (timer->armed && timer->signal) {
        struct list *where = armed.prev;
        while (where != &armed && armed_entry(where)->at_ns > timer->at_ns)
            where = where->prev;
        list_add(&timer->armed_link, where);
    }
    int64_t next = list_empty(&armed) ? NEVER : armed_entry(armed.next)->at_ns;
    __atomic_store_n(&next_ns, next, __ATOMIC_RELAXED);
}

/* Send its signal, or count overruns in the one that still waits: missed, and this one. */
static void timer_send(const struct timer *timer, uint64_t missed)
{
    struct process *process = timer->process;
    struct signal_entry *entry = timer->entry;
    if (!entry) {
        struct siginfo info = { .signo = timer->signal, .code = SI_KERNEL };
        signal_post(process, NULL, &info, &entry);
        return;
    }
    spin_lock(&process->lock);
    bool waits = !list_empty(&entry->link);
    uint64_t overruns = planted_overrun(waits) ? entry->info.uid + missed + 1 : missed;
    entry->info.uid = (uint32_t)min_u64(overruns, INT32_MAX);
    spin_unlock(&process->lock);
    struct task *thread = timer->tid ? task_find_locked(timer->tid) : NULL;
    if (!waits && (!timer->tid || (thread && thread->process == process)))
        signal_post(process, thread, &entry->info, &entry);
}

static void timer_fire(struct timer *timer, int64_t now)
{
    uint64_t missed = 0;
    if (timer->interval_ns) {
        missed = (uint64_t)(now - timer->at_ns) / timer->interval_ns;
        timer->at_ns += (int64_t)((missed + 1) * timer->interval_ns);
    } else {
        timer->armed = false;
    }
    timer_queue(timer);
    timer_send(timer, missed);
}

static void cpu_timers_tick(struct process *process)
{
    for (enum timer_kind kind = TIMER_VIRTUAL; kind < TIMER_KINDS; kind++) {
        struct timer *timer = &process->itimers[kind];
        int64_t now = timer->armed ? timer_now(timer) : 0;
        if (timer->armed && now >= timer->at_ns)
            timer_fire(timer, now);
    }
}

void timers_tick(uint64_t now, struct process *running)
{
    bool cpu = running && __atomic_load_n(&running->cpu_timers, __ATOMIC_RELAXED);
    if (!cpu && (int64_t)now < __atomic_load_n(&next_ns, __ATOMIC_RELAXED))
        return;
    uint64_t irq = spin_lock_irq(&tasks_lock);
    while ((int64_t)now >= next_ns)
        timer_fire(armed_entry(armed.next), (int64_t)now);
    if (cpu)
        cpu_timers_tick(running);
    spin_unlock_irq(&tasks_lock, irq);
}

/* ---- Setting and reading ------------------------------------------------ */

/* A timer that is due, and has not been seen to, has a nanosecond left. tasks_lock is held. */
static struct setting setting_of(const struct timer *timer)
{
    struct setting setting = { 0, timer->interval_ns };
    int64_t left = timer->armed ? timer->at_ns - timer_now(timer) : 0;
    if (left > 0)
        setting.value_ns = (uint64_t)left;
    else if (timer->armed && timer->interval_ns)
        setting.value_ns = timer->interval_ns - (uint64_t)-left % timer->interval_ns;
    else
        setting.value_ns = timer->armed && timer->signal;
    return setting;
}

struct setting setting_change(struct timer *timer, const struct setting *new, bool absolute)
{
    struct setting old = setting_of(timer);
    if (!new)
        return old;
    int64_t value = (int64_t)min_u64(new->value_ns, NS_MAX);
    timer->armed = value != 0;
    timer->at_ns = value + (absolute ? -timer->offset_ns : timer_now(timer));
    timer->interval_ns = value ? min_u64(new->interval_ns, NS_MAX) : 0;
    timer_queue(timer);
    return old;
}

/* ---- timer_create() ----------------------------------------------------- */

/* The current process's timer; NULL: none. tasks_lock is held. */
static struct timer *timer_find(int id)
{
    list_for_each (link, &process_current()->timers) {
        struct timer *timer = list_entry(link, struct timer, link);
        if (timer->id == id)
            return timer;
    }
    return NULL;
}

/* Linux's struct sigevent, and the ways it names. */
struct sigevent {
    uint64_t value;
    int signal, notify, tid, unused[11];
};
enum { SIGEV_SIGNAL, SIGEV_NONE, SIGEV_THREAD, SIGEV_THREAD_ID = 4 };

/* As Linux, for which SIGEV_THREAD is the library's affair, and a signal. */
static int event_check(const struct sigevent *event)
{
    if (event->notify == SIGEV_NONE)
        return 0;
    if (!signal_valid(event->signal))
        return -EINVAL;
    if (event->notify != SIGEV_THREAD_ID)
        return event->notify == SIGEV_SIGNAL || event->notify == SIGEV_THREAD ? 0 : -EINVAL;
    uint64_t irq = spin_lock_irq(&tasks_lock);
    const struct task *task = task_find_locked(event->tid);
    bool own = task && task->process == process_current();
    spin_unlock_irq(&tasks_lock, irq);
    return own ? 0 : -EINVAL;
}

/* NULL: no memory, or too many signals of the kind. */
static struct timer *timer_make(const struct sigevent *event, int64_t offset_ns)
{
    struct siginfo info = { .signo = event->signal, .code = SI_TIMER, .value = event->value };
    struct timer *timer = kzalloc(sizeof(*timer));
    struct signal_entry *entry = timer ? entry_create(&info) : NULL;
    if (!entry) {
        kfree(timer);
        return NULL;
    }
    entry->owned = true;
    list_init(&entry->link);
    list_init(&timer->armed_link);
    timer->process = process_current();
    timer->signal = event->notify == SIGEV_NONE ? 0 : event->signal;
    timer->tid = event->notify == SIGEV_THREAD_ID ? event->tid : 0;
    timer->offset_ns = offset_ns;
    timer->entry = entry;
    return timer;
}

/* The process has the timer from now on, under the number returned, which is its value as well if
 * nothing else was asked for. */
static int timer_publish(struct timer *timer, bool tell_id)
{
    struct process *process = timer->process;
    uint64_t irq = spin_lock_irq(&tasks_lock);
    do {
        timer->id = (int)(process->next_timer++ & INT32_MAX);
    } while (timer_find(timer->id));
    timer->entry->info.pid = timer->id;
    if (tell_id)
        timer->entry->info.value = (uint64_t)timer->id;
    int id = timer->id;
    list_append(&timer->link, &process->timers);
    spin_unlock_irq(&tasks_lock, irq);
    return id;
}

/* Take a timer out; it, and a signal that does not wait to be taken, are the caller's to free.
 * tasks_lock is held. */
static struct signal_entry *timer_remove(struct timer *timer)
{
    struct signal_entry *entry = timer->entry;
    timer->armed = false;
    timer_queue(timer);
    list_remove(&timer->link);
    spin_lock(&timer->process->lock);
    entry->owned = false;
    bool waits = !list_empty(&entry->link);
    spin_unlock(&timer->process->lock);
    return waits ? NULL : entry;
}

long sys_timer_delete(int id)
{
    struct signal_entry *entry = NULL;
    uint64_t irq = spin_lock_irq(&tasks_lock);
    struct timer *timer = timer_find(id);
    if (timer)
        entry = timer_remove(timer);
    spin_unlock_irq(&tasks_lock, irq);
    entry_free(entry);
    kfree(timer);
    return timer ? 0 : -EINVAL;
}

long sys_timer_create(int clock, uaddr_t from, uaddr_t to)
{
    struct sigevent event = { .signal = SIGALRM };
    int64_t offset_ns;
    int err = clock_offset(clock, &offset_ns);
    if (!err && from.v && arch_copy_from_user(&event, from, sizeof(event)))
        err = -EFAULT;
    if (!err)
        err = event_check(&event);
    if (err)
        return err;
    struct timer *timer = timer_make(&event, offset_ns);
    if (!timer)
        return -EAGAIN;
    int id = timer_publish(timer, !from.v);
    if (!arch_copy_to_user(to, &id, sizeof(id)))
        return 0;
    (void)sys_timer_delete(id);
    return -EFAULT;
}

/* Read the setting of a timer, or change it and read the old one. 0 or -EINVAL. */
static int timer_change(int id, const struct setting *new, bool absolute, struct setting *old)
{
    uint64_t irq = spin_lock_irq(&tasks_lock);
    struct timer *timer = timer_find(id);
    if (timer)
        *old = setting_change(timer, new, absolute);
    spin_unlock_irq(&tasks_lock, irq);
    return timer ? 0 : -EINVAL;
}

static long setting_out(const struct setting *setting, uaddr_t to)
{
    long err = time_out(setting->interval_ns, to);
    return err ? err : time_out(setting->value_ns, uaddr(to.v + 2 * sizeof(uint64_t)));
}

long sys_timer_settime(int id, int flags, uaddr_t from, uaddr_t to)
{
    struct setting new, old;
    int err = from.v ? time_in(from, &new.interval_ns) : -EINVAL;
    if (!err)
        err = time_in(uaddr(from.v + 2 * sizeof(uint64_t)), &new.value_ns);
    if (!err)
        err = timer_change(id, &new, flags & TIMER_ABSTIME, &old);
    if (err)
        return err;
    timers_tick(arch_clock_ns(), NULL); /* what is past is due now */
    return to.v ? setting_out(&old, to) : 0;
}

long sys_timer_gettime(int id, uaddr_t to)
{
    struct setting setting;
    int err = timer_change(id, NULL, false, &setting);
    return err ? err : setting_out(&setting, to);
}

long sys_timer_getoverrun(int id)
{
    uint64_t irq = spin_lock_irq(&tasks_lock);
    const struct timer *timer = timer_find(id);
    long overruns = timer ? (long)timer->entry->overruns : -EINVAL;
    spin_unlock_irq(&tasks_lock, irq);
    return overruns;
}

/* ---- Processes ---------------------------------------------------------- */

void timers_exec(struct process *process)
{
    while (!list_empty(&process->timers))
        (void)sys_timer_delete(list_entry(process->timers.next, struct timer, link)->id);
}
