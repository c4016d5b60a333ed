/* SPDX-License-Identifier: MIT */
/*
 * Planted defects: each turns one protection off, so that a test can prove that it would notice.
 * Only the test build (CONFIG_TEST) has them: elsewhere defect_on() is the constant false and the
 * compiler drops the branch. Switched on by writing "NAME" to /proc/defect ("" or "none" switches
 * all off) or by defect=NAME on the command line.
 */
#ifndef BASE_DEFECT_H
#define BASE_DEFECT_H

#include "base/string.h"
#include "uapi/errno.h"

enum defect {
    DEFECT_NONE,
    DEFECT_FORK_KEEPS_DIRTY, /* fork leaves D set on shadow-stack leaves, parent and child */
    DEFECT_FORK_PARENT_ONLY, /* fork shares only the parent's leaf; the child's stays owned */
    /* a copy-on-access fault installs a new frame, but does not copy the old one's bytes */
    DEFECT_SKIP_COPY,
    DEFECT_SKIP_COW_COPY, /* the same for a copy-on-write fault */
    DEFECT_COW_NOT_MOVED, /* wrprotect clears D without recording it in COW */
    DEFECT_NO_GUARD,      /* no guard pages around a shadow stack */
    /* direct stores to shadow stacks are let through (by making the page writable) */
    DEFECT_REFUSALS_OFF,
    DEFECT_SHARE_FRAME,      /* a copy-on-access fault hands out the shared frame itself */
    DEFECT_REF_LEAK,         /* unmap forgets to drop the frame's reference */
    DEFECT_NO_FLUSH,         /* TLB flushes are skipped */
    DEFECT_PLAIN_STORE,      /* the setter stores without compare-and-exchange */
    DEFECT_SSP_NOT_SWITCHED, /* IA32_PL3_SSP is not restored at a context switch */
    DEFECT_FPU_NOT_SWITCHED, /* FPU state is not restored at a context switch */
    DEFECT_TOKEN_UNCHECKED,  /* map_shadow_stack writes no restore token */
    DEFECT_OOM_LEAK,         /* a fork that runs out of memory keeps the tables it had reserved */
    DEFECT_WALKER_BLIND,     /* the invariant walker looks but does not report */
    DEFECT_WRSS_ALWAYS,      /* WRSS is enabled for every protected task */
    DEFECT_NO_SHOOTDOWN,     /* other CPUs are not told of a TLB flush */
    DEFECT_CPU_SILENT,       /* CPUs named by ACPI are not sent their start-up interrupt */
    DEFECT_LOCK_ORDER,       /* a process's end takes the lock of the process tree inside its own */
    /* the handlers with stacks of their own conclude from the saved CS whose GS is loaded */
    DEFECT_IST_BY_CS,
    DEFECT_NMI_DOES_WORK, /* an NMI from user mode does what waits for a return to user mode */
    /* the fault of an IRETQ that cannot return to user mode is taken for any other */
    DEFECT_RETURN_NOT_MENDED,
    DEFECT_TSC_APART,   /* the TSCs of all CPUs but the first are ahead by minutes */
    DEFECT_TSC_TRUSTED, /* the same, and the kernel does not check them */
    /* the dirty race's probe clears D without flushing what other CPUs remember */
    DEFECT_CLEAN_NO_FLUSH,
    DEFECT_CPU_STUCK,             /* CPU 1, once idle, spins with interrupts off */
    DEFECT_PROGRAM_WRITABLE,      /* a running program's file may be opened for writing */
    DEFECT_STALE_CUT,             /* mappings keep what a truncated file has lost */
    DEFECT_REF_FORGOTTEN,         /* fork maps frames in the child without a reference */
    DEFECT_STALE_ROOM,            /* the room where a mapping was removed is not counted */
    DEFECT_TABLE_STAYS_WRITABLE,  /* W stays set in the entries of shared tables */
    DEFECT_SHARER_FORGOTTEN,      /* the share count of a table that gets shared does not rise */
    DEFECT_TABLE_TAKEN,           /* an address space owns a table that others share */
    DEFECT_LEAF_STAYS_WRITABLE,   /* whoever copies a table leaves leaves of data their W */
    DEFECT_REFS_FOR_SHARERS,      /* a table's frame count says whether it is shared */
    DEFECT_SHARED_TABLE_FREED,    /* the first to drop a shared table frees what is below */
    DEFECT_PART_DROPPED,          /* a range that covers a part of a shared table drops it all */
    DEFECT_PUT_BEFORE_FLUSH,      /* a dropped table's reference goes back before the flush */
    DEFECT_SHARED_MAPPING_CLOSED, /* leaves of shared mappings lose W when a table is copied */
    DEFECT_PROTECT_UNOWNED,       /* mprotect changes leaves of shared tables */
    DEFECT_GUP_UNOWNED,           /* get-user-pages writes by leaves of shared tables */
    DEFECT_TABLE_ABSENT,          /* an entry is empty while a copy replaces its table */
    DEFECT_SHARER_LOST,      /* owning that runs out of memory gives its reference back even so */
    DEFECT_CUT_FLUSH_OWN,    /* a cut flushes one address space of those that share a table */
    DEFECT_SPURIOUS_FOREVER, /* a spurious fault is explained, however often it comes */
    DEFECT_RESET_VALUES,     /* CPUs but the first keep a reset's LDTR and PAT */
    DEFECT_ROBUST_NO_WAKE,   /* the end of a futex's owner wakes nobody */
    DEFECT_OOM_KILLS_ASKER,  /* who asks for memory when there is none is killed */
    DEFECT_NO_BREATH,        /* long calls do not let other tasks run, nor end when killed */
    DEFECT_SHARER_KEPT,      /* the share count of a table does not fall when a sharer ends */
    DEFECT_FORK_OWNS_ALL,    /* fork shares leaves where it should share tables */
    DEFECT_REMAP_EMPTY,      /* mremap moves the mapping, but not its pages */
    DEFECT_REMAP_TWICE,      /* mremap leaves the pages at their old place as well */
    DEFECT_SIGRETURN_KEEPS_FLAGS,     /* sigreturn takes IOPL from the frame */
    DEFECT_SIGRETURN_UNCHECKED_TOKEN, /* sigreturn takes a token without its mark */
    DEFECT_SIGRETURN_ANY_PAGE,        /* sigreturn takes a token outside shadow stacks */
    DEFECT_EXEC_SHARES_FILES,  /* exec closes files in the table that it shares with others */
    DEFECT_OVERRUNS_LOST,      /* a timer's overruns while its signal waits are not counted */
    DEFECT_ORPHANS_STOP,       /* stop signals stop members of orphaned process groups */
    DEFECT_FILL_ORDINARY,      /* a page provided for a shadow stack becomes ordinary memory */
    DEFECT_CLOSE_WAKES_NOBODY, /* the end of a userfaultfd leaves those that wait for it waiting */
    DEFECT_FORK_DEAF,          /* fork does not look whether signals are due */
    DEFECT_VM_WRITE_FORCED,    /* process_vm_writev writes as a debugger does */
    DEFECT_WITHHELD_KEPT,      /* fork shares what it should withhold from the child */
    DEFECT_PTRACE_ANYONE,      /* a request may come from another than the tracer */
    DEFECT_PTRACE_ANY_SSP,     /* a tracer may set any SSP */
    DEFECT_COUNT
};

#ifdef CONFIG_TEST
const char *defect_name(enum defect defect);
/* 0, or -EINVAL when no defect has this name. */
MUST_CHECK int defect_set(const char *name);
extern enum defect defect_current;
/* process 1 runs the tests, perhaps on another CPU at the same time */
bool defect_spares_current(void);
static inline bool defect_on(enum defect defect)
{
    return defect_current == defect && !defect_spares_current();
}
#else
static inline int defect_set(const char *name) { return strcmp(name, "none") == 0 ? 0 : -EINVAL; }
static inline bool defect_on(enum defect defect) { return false; }
#endif

#endif
