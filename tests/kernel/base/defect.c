/* SPDX-License-Identifier: MIT */
/* Planted defects and failing allocations: the switches. */
#include "base/defect.h"

#include "arch/x86/inline.h"
#include "base/failpoint.h"
#include "base/string.h"
#include "uapi/errno.h"

static const char *const names[DEFECT_COUNT] = {
    [DEFECT_NONE] = "none",
    [DEFECT_FORK_KEEPS_DIRTY] = "fork_keeps_dirty",
    [DEFECT_FORK_PARENT_ONLY] = "fork_parent_only",
    [DEFECT_SKIP_COPY] = "skip_copy",
    [DEFECT_SKIP_COW_COPY] = "skip_cow_copy",
    [DEFECT_COW_NOT_MOVED] = "cow_not_moved",
    [DEFECT_NO_GUARD] = "no_guard",
    [DEFECT_REFUSALS_OFF] = "refusals_off",
    [DEFECT_SHARE_FRAME] = "share_frame",
    [DEFECT_REF_LEAK] = "ref_leak",
    [DEFECT_NO_FLUSH] = "no_flush",
    [DEFECT_PLAIN_STORE] = "plain_store",
    [DEFECT_SSP_NOT_SWITCHED] = "ssp_not_switched",
    [DEFECT_FPU_NOT_SWITCHED] = "fpu_not_switched",
    [DEFECT_TOKEN_UNCHECKED] = "token_unchecked",
    [DEFECT_OOM_LEAK] = "oom_leak",
    [DEFECT_WALKER_BLIND] = "walker_blind",
    [DEFECT_WRSS_ALWAYS] = "wrss_always",
    [DEFECT_NO_SHOOTDOWN] = "no_shootdown",
    [DEFECT_CPU_SILENT] = "cpu_silent",
    [DEFECT_LOCK_ORDER] = "lock_order",
    [DEFECT_IST_BY_CS] = "ist_by_cs",
    [DEFECT_NMI_DOES_WORK] = "nmi_does_work",
    [DEFECT_RETURN_NOT_MENDED] = "return_not_mended",
    [DEFECT_TSC_APART] = "tsc_apart",
    [DEFECT_TSC_TRUSTED] = "tsc_trusted",
    [DEFECT_CLEAN_NO_FLUSH] = "clean_no_flush",
    [DEFECT_CPU_STUCK] = "cpu_stuck",
    [DEFECT_PROGRAM_WRITABLE] = "program_writable",
    [DEFECT_STALE_CUT] = "stale_cut",
    [DEFECT_REF_FORGOTTEN] = "ref_forgotten",
    [DEFECT_STALE_ROOM] = "stale_room",
    [DEFECT_TABLE_STAYS_WRITABLE] = "table_stays_writable",
    [DEFECT_SHARER_FORGOTTEN] = "sharer_forgotten",
    [DEFECT_TABLE_TAKEN] = "table_taken",
    [DEFECT_LEAF_STAYS_WRITABLE] = "leaf_stays_writable",
    [DEFECT_REFS_FOR_SHARERS] = "refs_for_sharers",
    [DEFECT_SHARED_TABLE_FREED] = "shared_table_freed",
    [DEFECT_PART_DROPPED] = "part_dropped",
    [DEFECT_PUT_BEFORE_FLUSH] = "put_before_flush",
    [DEFECT_SHARED_MAPPING_CLOSED] = "shared_mapping_closed",
    [DEFECT_PROTECT_UNOWNED] = "protect_unowned",
    [DEFECT_GUP_UNOWNED] = "gup_unowned",
    [DEFECT_TABLE_ABSENT] = "table_absent",
    [DEFECT_SHARER_LOST] = "sharer_lost",
    [DEFECT_CUT_FLUSH_OWN] = "cut_flush_own",
    [DEFECT_SPURIOUS_FOREVER] = "spurious_forever",
    [DEFECT_RESET_VALUES] = "reset_values",
    [DEFECT_ROBUST_NO_WAKE] = "robust_no_wake",
    [DEFECT_OOM_KILLS_ASKER] = "oom_kills_asker",
    [DEFECT_NO_BREATH] = "no_breath",
    [DEFECT_SHARER_KEPT] = "sharer_kept",
    [DEFECT_FORK_OWNS_ALL] = "fork_owns_all",
    [DEFECT_REMAP_EMPTY] = "remap_empty",
    [DEFECT_REMAP_TWICE] = "remap_twice",
    [DEFECT_SIGRETURN_KEEPS_FLAGS] = "sigreturn_keeps_flags",
    [DEFECT_SIGRETURN_UNCHECKED_TOKEN] = "sigreturn_unchecked_token",
    [DEFECT_SIGRETURN_ANY_PAGE] = "sigreturn_any_page",
    [DEFECT_EXEC_SHARES_FILES] = "exec_shares_files",
    [DEFECT_FORK_DEAF] = "fork_deaf",
    [DEFECT_VM_WRITE_FORCED] = "vm_write_forced",
    [DEFECT_WITHHELD_KEPT] = "withheld_kept",
    [DEFECT_OVERRUNS_LOST] = "overruns_lost",
    [DEFECT_ORPHANS_STOP] = "orphans_stop",
    [DEFECT_FILL_ORDINARY] = "fill_ordinary",
    [DEFECT_CLOSE_WAKES_NOBODY] = "close_wakes_nobody",
    [DEFECT_PTRACE_ANYONE] = "ptrace_anyone",
    [DEFECT_PTRACE_ANY_SSP] = "ptrace_any_ssp",
};

const char *defect_name(enum defect defect) { return names[defect]; }

enum defect defect_current;

bool defect_spares_current(void) { return arch_current_pid() == 1; }

int defect_set(const char *name)
{
    for (int i = 0; i < DEFECT_COUNT; i++) {
        if (strcmp(name, names[i]) == 0) {
            defect_current = (enum defect)i;
            return 0;
        }
    }
    return -EINVAL;
}

/* One failpoint: the task that armed it, and how far it has counted. */
static int fail_pid;
static uint64_t fail_at, fail_count;

void failpoint_arm(uint64_t n)
{
    fail_pid = arch_current_pid();
    fail_at = n;
    fail_count = 0;
}

uint64_t failpoint_count(void) { return fail_count; }

bool failpoint_hit(void)
{
    if (!fail_at || arch_current_pid() != fail_pid)
        return false;
    return ++fail_count == fail_at;
}
