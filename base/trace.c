/* SPDX-License-Identifier: MIT */
/* The trace ring. A slot's sequence number is odd while it is written, and tells which event it
 * holds afterwards. */
#include "base/trace.h"

#include "arch/x86/inline.h"

bool trace_enabled;

struct slot {
    uint64_t sequence; /* 2 * event number + 2 when complete, odd while being written */
    struct trace_event event;
};
static struct slot slots[TRACE_EVENTS];
static uint64_t next_event;

void trace_record(enum trace_why why, int level, uint64_t va, uint64_t old, uint64_t new)
{
    uint64_t number = __atomic_fetch_add(&next_event, 1, __ATOMIC_RELAXED);
    struct slot *slot = &slots[number % TRACE_EVENTS];
    __atomic_store_n(&slot->sequence, 2 * number + 1, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    slot->event = (struct trace_event){ arch_cycles(), arch_cpu_id(), arch_current_pid(), va, old,
                                        new,           why,           (uint32_t)level };
    __atomic_store_n(&slot->sequence, 2 * number + 2, __ATOMIC_RELEASE);
}

bool trace_read(uint64_t *next, struct trace_event *event)
{
    for (;;) {
        uint64_t end = __atomic_load_n(&next_event, __ATOMIC_ACQUIRE);
        if (end > TRACE_EVENTS && *next < end - TRACE_EVENTS)
            *next = end - TRACE_EVENTS;
        if (*next >= end)
            return false;
        const struct slot *slot = &slots[*next % TRACE_EVENTS];
        uint64_t wanted = 2 * *next + 2;
        bool whole = __atomic_load_n(&slot->sequence, __ATOMIC_ACQUIRE) == wanted;
        *event = slot->event;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        (*next)++;
        if (whole && __atomic_load_n(&slot->sequence, __ATOMIC_RELAXED) == wanted)
            return true;
    }
}

uint64_t trace_total(void) { return __atomic_load_n(&next_event, __ATOMIC_RELAXED); }

const char *trace_why_name(enum trace_why why)
{
    static const char *const names[TRACE_WHY_COUNT] = {
        "demand-zero", "file-page",   "fill",       "cow-copy", "cow-reuse",
        "shstk-copy",  "shstk-reuse", "share",      "protect",  "unmap",
        "move",        "split",       "repair",     "probe",    "table-share",
        "table-own",   "table-copy",  "table-drop", "refusal",
    };
    return why < TRACE_WHY_COUNT ? names[why] : "?";
}
