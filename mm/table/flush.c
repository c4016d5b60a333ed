/* SPDX-License-Identifier: MIT */
/* Flush first, then let go. */
#include "mm/table/flush.h"

#include "mm/planted.h"
#include "mm/table/share.h"

void flush_now(struct flush *flush)
{
    bool everywhere = flush->everywhere;
    /* mm_put() takes mm down: no CPU has it loaded any more */
    bool in_use = __atomic_load_n(&flush->mm->users, __ATOMIC_RELAXED);
    if (planted_flush(planted_due(flush)->start < flush->end && (in_use || everywhere))) {
        if (planted_everywhere(everywhere))
            arch_tlb_flush_kernel(0, 0);
        else
            arch_tlb_flush(&flush->mm->arch, flush->start, flush->end - flush->start,
                           flush->tables);
    }
    for (unsigned i = 0; i < flush->count; i++) {
        struct frame *first = flush->due[i].first;
        if (flush->due[i].count == 1)
            frame_put(first);
        else if (flush->due[i].count)
            frame_put_many(first, flush->due[i].count);
        else
            table_put(first, flush->due[i].level);
    }
    flush_begin(flush, flush->mm);
    flush->everywhere = everywhere;
}
