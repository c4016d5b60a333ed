/* SPDX-License-Identifier: MIT */
/* Flush first, then let go. */
#include "mm/table/flush.h"

#include "mm/planted.h"

void flush_now(struct flush *flush)
{
    /* mm_put() takes mm down: no CPU has it loaded any more */
    bool in_use = __atomic_load_n(&flush->mm->users, __ATOMIC_RELAXED);
    if (planted_flush(flush->start < flush->end && in_use))
        arch_tlb_flush(&flush->mm->arch, flush->start, flush->end - flush->start, flush->tables);
    for (unsigned i = 0; i < flush->count; i++) {
        if (flush->due[i].count == 1)
            frame_put(flush->due[i].first);
        else
            frame_put_many(flush->due[i].first, flush->due[i].count);
    }
    flush_begin(flush, flush->mm);
}
