/* SPDX-License-Identifier: MIT */
/* The page-fault door of mm/: what the trap code asks, and the verdict it gets. */
#ifndef MM_FAULT_H
#define MM_FAULT_H

#include "base/types.h"

struct mm;

/* Page-fault error code (Intel SDM vol. 3, "Page-Fault Exceptions"). */
#define FAULT_PRESENT  (1u << 0) /* a translation existed and refused; else none existed */
#define FAULT_WRITE    (1u << 1)
/* as the CPU says; WRUSS sets it at CPL 0: use struct fault.from_user */
#define FAULT_USER     (1u << 2)
#define FAULT_RESERVED (1u << 3)
#define FAULT_FETCH    (1u << 4)
#define FAULT_SHSTK    (1u << 6) /* a shadow-stack access: always asks for an owned copy */

/* One page fault. */
struct fault {
    uint64_t va;    /* CR2 */
    uint32_t error; /* FAULT_* */
    bool from_user; /* by the saved CS */
};

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
    FAULT_OUTCOME_COUNT
};

static inline bool fault_resolved(enum fault_outcome outcome) { return outcome <= FAULT_OK_LAST; }

/* The signal of an unresolved outcome, its si_code, and a few words for the log. */
struct fault_verdict {
    int signal;
    int si_code;
    const char *reason;
};
const struct fault_verdict *fault_verdict(enum fault_outcome outcome);

/*
 * Resolve *fault in mm, which the fault's CPU runs, or say why not. Takes mm.lock for reading;
 * takes no lock that an interrupted kernel path may hold, so that copy_to_user() may fault here.
 * Nothing changes when unresolved.
 */
MUST_CHECK enum fault_outcome mm_fault(struct mm *mm, const struct fault *fault);

#endif
