/* SPDX-License-Identifier: MIT */
/* Planted defects and failing allocations: the test build's switches. */
#include "base/defect.h"

#include "arch/x86/inline.h"
#include "base/failpoint.h"
#include "base/string.h"
#include "uapi/errno.h"

static const char *const names[DEFECT_COUNT] = {
    "none",          "fork_keeps_dirty", "fork_parent_only", "skip_copy",         "skip_cow_copy",
    "cow_not_moved", "no_guard",         "refusals_off",     "share_frame",       "ref_leak",
    "no_flush",      "plain_store",      "ssp_not_switched", "fpu_not_switched",  "token_unchecked",
    "oom_leak",      "walker_blind",     "wrss_always",      "no_shootdown",      "cpu_silent",
    "lock_order",    "ist_by_cs",        "nmi_does_work",    "return_not_mended", "tsc_apart",
    "tsc_trusted",   "clean_no_flush",   "cpu_stuck",        "program_writable",  "stale_cut",
    "ref_forgotten", "stale_room",
};

const char *defect_name(enum defect defect) { return names[defect]; }

#ifdef CONFIG_TEST
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
#else
int defect_set(const char *name) { return strcmp(name, "none") == 0 ? 0 : -EINVAL; }
#endif
