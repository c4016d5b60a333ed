/* SPDX-License-Identifier: MIT */
/* Page faults: what becomes of one. The door for the trap code is upcalls.h's entry_page_fault().
 */
#ifndef MM_FAULT_H
#define MM_FAULT_H

#include "arch/x86/upcalls.h"

/* What became of it. The first group is resolved: run the instruction again. */
enum fault_outcome {
    FAULT_OK_DEMAND_ZERO,
    FAULT_OK_FILE,
    FAULT_OK_COW_COPY,
    FAULT_OK_COW_REUSE,
    FAULT_OK_SHSTK_COPY,
    FAULT_OK_SHSTK_REUSE,
    FAULT_OK_SPLIT,
    FAULT_OK_SPURIOUS,
    FAULT_OK_LAST = FAULT_OK_SPURIOUS,
    FAULT_BAD_NO_VMA,       /* SEGV_MAPERR, guard pages included */
    FAULT_BAD_PROTECTION,   /* SEGV_ACCERR: the VMA does not allow it */
    FAULT_BAD_SHSTK_ACCESS, /* SEGV_ACCERR: shadow-stack access outside a shadow stack */
    FAULT_BAD_SHSTK_STORE,  /* SEGV_ACCERR: ordinary store into a shadow stack */
    FAULT_BAD_FETCH,        /* SEGV_ACCERR: fetch from NX */
    FAULT_BAD_BEYOND_FILE,  /* SIGBUS */
    FAULT_BAD_NO_MEMORY,    /* SIGKILL */
    FAULT_BAD_SUPERVISOR,   /* SEGV_ACCERR: a program's, but the CPU makes it the supervisor's */
    FAULT_BAD_STUCK,        /* SIGSEGV: no progress, and nothing to mend; reported as a bug */
    FAULT_BAD_RESERVED,     /* the tables are broken: the trap code panics */
    FAULT_OUTCOME_COUNT
};

static inline bool fault_resolved(enum fault_outcome outcome) { return outcome <= FAULT_OK_LAST; }

/* What an unresolved outcome means for the program. */
const struct fault_verdict *fault_verdict(enum fault_outcome outcome);

/*
 * Resolve *fault in mm, which the fault's CPU runs, or say why not. Takes mm.lock for reading, and
 * for writing where a stack grows; nothing is locked on return. Takes no lock that an interrupted
 * kernel path may hold, so that copy_to_user() may fault here. Nothing changes when unresolved.
 */
MUST_CHECK enum fault_outcome mm_fault(struct mm *mm, const struct fault *fault);

/* Faults since boot that found nothing to do (FAULT_OK_SPURIOUS), on all CPUs. */
uint64_t mm_spurious_total(void);

#endif
