/* SPDX-License-Identifier: MIT */
/* Sets of pending signals. A bit says that a signal is pending; an entry says who sent it and why.
 * A real-time signal has an entry for each time it was sent. */
#include "kernel/signal/pending.h"

#include "mm/phys/slab.h"

/* Signals that the task's own instruction causes. */
#define SYNCHRONOUS                                                                      \
    (signal_bit(SIGSEGV) | signal_bit(SIGBUS) | signal_bit(SIGILL) | signal_bit(SIGTRAP) \
     | signal_bit(SIGFPE) | signal_bit(SIGSYS))

static uint32_t queued_count; /* [A] entries that exist */

void pending_init(struct signal_pending *pending)
{
    pending->set = pending->kernel = 0;
    list_init(&pending->queue);
    list_init(&pending->spare);
}

/* As on Linux, the limit is not for standard signals that kill() or the kernel sends. */
static bool is_limited(const struct siginfo *info)
{
    return info->signo >= SIGRTMIN || info->code < 0;
}

struct signal_entry *entry_create(const struct siginfo *info)
{
    uint32_t count = __atomic_add_fetch(&queued_count, 1, __ATOMIC_RELAXED);
    bool allowed = count <= QUEUED_MAX || !is_limited(info);
    struct signal_entry *entry = allowed ? kmalloc(sizeof(*entry)) : NULL;
    if (entry)
        *entry = (struct signal_entry){ .info = *info };
    else
        __atomic_sub_fetch(&queued_count, 1, __ATOMIC_RELAXED);
    return entry;
}

void entry_free(struct signal_entry *entry)
{
    if (!entry)
        return;
    __atomic_sub_fetch(&queued_count, 1, __ATOMIC_RELAXED);
    kfree(entry);
}

void entries_free(struct list *entries)
{
    list_for_each_safe (link, after, entries) {
        list_remove(link);
        entry_free(list_entry(link, struct signal_entry, link));
    }
}

void pending_free(struct signal_pending *pending)
{
    entries_free(&pending->queue);
    entries_free(&pending->spare);
}

/* An entry that was spared tells of this signal. */
static void spare_use(struct signal_pending *pending, const struct siginfo *info)
{
    struct signal_entry *entry = list_entry(pending->spare.next, struct signal_entry, link);
    list_remove(&entry->link);
    entry->info = *info;
    list_append(&entry->link, &pending->queue);
}

void pending_add(struct signal_pending *pending, const struct siginfo *info,
                 struct signal_entry **entry)
{
    uint64_t bit = signal_bit(info->signo);
    if (pending->set & bit && info->signo < SIGRTMIN && info->code != SI_TIMER)
        return;
    __atomic_or_fetch(&pending->set, bit, __ATOMIC_SEQ_CST);
    if (!list_empty(&pending->spare) && !(*entry && (*entry)->owned)) {
        spare_use(pending, info);
        return;
    }
    if (*entry)
        list_append(&(*entry)->link, &pending->queue);
    else if (info->code == SI_KERNEL)
        pending->kernel |= bit;
    *entry = NULL;
}

/* Find the oldest entry of signal. Is there another one behind it? */
static struct signal_entry *entry_find(struct signal_pending *pending, int signal, bool *more)
{
    struct signal_entry *first = NULL;
    *more = false;
    list_for_each (link, &pending->queue) {
        struct signal_entry *entry = list_entry(link, struct signal_entry, link);
        if (entry->info.signo != signal)
            continue;
        *more = first != NULL;
        if (first)
            break;
        first = entry;
    }
    return first;
}

bool pending_take(struct signal_pending *pending, uint64_t among, struct siginfo *info,
                  struct signal_entry **used)
{
    bool more;
    uint64_t due = pending->set & among;
    *used = NULL;
    if (!due)
        return false;
    int signal = __builtin_ctzll(due & SYNCHRONOUS ? due & SYNCHRONOUS : due) + 1;
    struct signal_entry *entry = *used = entry_find(pending, signal, &more);
    if (entry) {
        *info = entry->info;
        list_remove(&entry->link);
        entry->overruns = info->uid;
        *used = entry->owned ? NULL : entry;
    } else {
        int code = pending->kernel & signal_bit(signal) ? SI_KERNEL : SI_USER;
        *info = (struct siginfo){ .signo = signal, .code = code };
        pending->kernel &= ~signal_bit(signal);
    }
    if (!more)
        __atomic_and_fetch(&pending->set, ~signal_bit(signal), __ATOMIC_RELAXED);
    return true;
}

void pending_drop(struct signal_pending *pending, uint64_t set, struct list *dropped)
{
    if (!(pending->set & set))
        return;
    __atomic_and_fetch(&pending->set, ~set, __ATOMIC_RELAXED);
    pending->kernel &= ~set;
    list_for_each_safe (link, after, &pending->queue) {
        const struct signal_entry *entry = list_entry(link, struct signal_entry, link);
        if (!(signal_bit(entry->info.signo) & set))
            continue;
        list_remove(link);
        if (!entry->owned)
            list_append(link, dropped);
    }
}
