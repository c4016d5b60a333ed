/* SPDX-License-Identifier: MIT */
/* What arch/x86/ calls in kernel/ and mm/: the doors into the kernel. */
#ifndef ARCH_X86_UPCALLS_H
#define ARCH_X86_UPCALLS_H

#include "arch/x86/arch.h"
#include "base/types.h"

struct boot_info;

/* First C function of kernel/, on the boot stack, early page tables, interrupts off: command line
 * and consoles, so that whatever goes wrong next is seen. info is in the direct map. */
void entry_boot(const struct boot_info *info);
/* All the rest, in the same state. */
NORETURN void kernel_main(const struct boot_info *info);

/* Another CPU is ready, on the stack with this top, interrupts off. */
NORETURN void entry_cpu_begin(uint64_t stack_top);

/* A SYSCALL: number in frame->rax, arguments in rdi rsi rdx r10 r8 r9; the result goes to rax.
 * Interrupts on. */
void entry_syscall(struct trap_frame *frame);

/* The same of a task for which arch_calls_trace() was called. */
void entry_syscall_traced(struct trap_frame *frame);

/* An INT 80h: i386's number in frame->rax. Interrupts on. */
void entry_syscall32(struct trap_frame *frame);

/* ---- Page faults: mm/ ---------------------------------------------------- */

/* Page-fault error code (Intel SDM vol. 3, "Page-Fault Exceptions"). */
#define FAULT_PRESENT  (1u << 0) /* a translation existed and refused; else none existed */
#define FAULT_WRITE    (1u << 1)
/* as the CPU says; WRUSS sets it at CPL 0: use struct fault.from_user */
#define FAULT_USER     (1u << 2)
#define FAULT_RESERVED (1u << 3)
#define FAULT_FETCH    (1u << 4)
#define FAULT_SHSTK    (1u << 6) /* a shadow-stack access: always asks for an owned copy */

struct fault {
    uint64_t va;    /* CR2 */
    uint32_t error; /* FAULT_* */
    bool from_user; /* by the saved CS */
    uint64_t rip;   /* of the instruction */
};

/* The signal and its si_code, and a few words for the log. */
struct fault_verdict {
    int signal;
    int si_code;
    const char *reason;
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
    FAULT_OK_OWN, /* the path to the page was shared; the page itself needed nothing */
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
    FAULT_BAD_MISSING,      /* a pager must be asked: entry_missing(); else SIGBUS */
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

/* ---- The rest: kernel/ -------------------------------------------------- */

/* Why a user instruction was refused. */
struct refusal {
    int signal;  /* SIGSEGV, ... */
    int si_code; /* SEGV_MAPERR, ... */
    uint64_t si_addr;
    uint64_t error;     /* the CPU's error code */
    const char *reason; /* a few words for the log line */
};

/*
 * The current task's instruction at frame->rip was refused: log one line
 *   refused: pid 12 (name) SIGSEGV SEGV_ACCERR addr 0x... error 0x.. rip 0x...: reason
 * record a TRACE_REFUSAL event, and mark the signal pending (a fatal one ends the process on the
 * way out).
 */
void entry_refused(struct trap_frame *frame, const struct refusal *why);

/*
 * mm_fault() found no memory for the current task: make some, and wait for it. True: run
 * the instruction again; false: the task itself is the one to go, or, unless from_user, to be
 * refused.
 */
MUST_CHECK bool entry_out_of_memory(bool from_user);

/*
 * The page that *fault is about is missing, and a pager provides it: wait until it has. True: run
 * the instruction again; it faults again if a signal came first. False: the kernel will not get it.
 */
MUST_CHECK bool entry_missing(struct mm *mm, const struct fault *fault);

/* First thing a new user task does on its own stack, interrupts off: finish the switch that led
 * to it. */
void entry_task_begin(void);

/* On the way back to user mode after arch_request_user_return(): signals, reschedule. Interrupts
 * on. */
void entry_user_return(struct trap_frame *frame);

/* The periodic tick. Interrupts off, inside the interrupt. */
void entry_timer_tick(bool from_user);

#endif
