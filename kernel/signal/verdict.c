/* SPDX-License-Identifier: MIT */
/* What a program gets for an access that could not be resolved: a signal, its code, and a reason
 * for the log. */
#include "arch/x86/upcalls.h"
#include "base/panic.h"
#include "mm/fault.h"
#include "uapi/signal.h"

const struct fault_verdict *fault_verdict(enum fault_outcome outcome)
{
    static const struct fault_verdict verdicts[FAULT_OUTCOME_COUNT] = {
        [FAULT_BAD_NO_VMA] = { SIGSEGV, SEGV_MAPERR, "nothing is mapped there" },
        [FAULT_BAD_PROTECTION] = { SIGSEGV, SEGV_ACCERR, "the mapping does not allow it" },
        [FAULT_BAD_SHSTK_ACCESS] = { SIGSEGV, SEGV_ACCERR,
                                     "shadow-stack access outside a shadow stack" },
        [FAULT_BAD_SHSTK_STORE] = { SIGSEGV, SEGV_ACCERR, "store to a shadow stack" },
        [FAULT_BAD_FETCH] = { SIGSEGV, SEGV_ACCERR,
                              "instruction fetch from a page that is not executable" },
        [FAULT_BAD_BEYOND_FILE] = { SIGBUS, BUS_ADRERR, "beyond the end of the file" },
        [FAULT_BAD_NO_MEMORY] = { SIGKILL, SI_KERNEL, "out of memory" },
        [FAULT_BAD_SUPERVISOR] = { SIGSEGV, SEGV_ACCERR,
                                   "the CPU makes it a supervisor access, and SMAP forbids that" },
        [FAULT_BAD_RESERVED] = { SIGKILL, SI_KERNEL, "a reserved bit is set in the page tables" },
        [FAULT_BAD_MISSING] = { SIGBUS, BUS_ADRERR, "nobody provides the page" },
        [FAULT_BAD_STUCK] = { SIGSEGV, SI_KERNEL,
                              "it faults again and again, though its entry allows it" },
    };
    ASSERT(!fault_resolved(outcome));
    return &verdicts[outcome];
}
