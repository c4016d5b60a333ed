/* SPDX-License-Identifier: MIT */
/*
 * The story: one shadow-stack page and one data page go through every page-table state, before the
 * eyes of a third process. Then a large process forks by sharing whole tables.
 *
 * The subject forks in the middle of a function, without a library in between. From then on subject
 * and child do nothing but what the observer asks of them, one step at a time, with system calls
 * that neither CALL nor RET: so every shadow-stack access is one of the story's own. The observer
 * reads their entries in /proc. On the kernel's test build plant=NAME,STEP on the command line
 * switches a planted defect on when that step begins; the story must then fail.
 */
#include <signal.h>
#include <string.h>

#include "shadowfork/story.h"

static void story_walker(void)
{
    unsigned now = 99, total = 99;
    step("The walker looks at every entry for state (e), W=0 D=1 on ordinary memory");
    expect("0 found");
    must(check_counts(&now, &total) && now == 0 && total == 0);
    printf("    saw     %u found now, %u since boot\n", now, total);
    step_end();
}

/* plant=NAME[,STEP] on the command line; step 1 where none is given. */
static void planted_read(void)
{
    static char name[32];
    int at = 1;
    const char *word = strstr(file_text("/proc/cmdline"), "plant=");
    if (word && sscanf(word + 6, "%31[^, \n],%d", name, &at) > 0)
        plant_at(name, at);
}

static bool first_half(void)
{
    if (!story_leaves_start())
        return false;
    story_fresh();
    story_fork();
    story_data_shared();
    story_child_returns();
    story_parent_returns();
    story_data_copied();
    story_data_reused();
    story_debugger();
    subject_end();
    story_store();
    story_smash();
    story_guards();
    story_walker();
    return true;
}

static bool second_half(void)
{
    if (!story_tables_start())
        return false;
    story_tables_shared();
    story_path_copied();
    story_path_taken();
    story_stores_apart();
    story_figures();
    subject_end();
    return true;
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    protected = rdssp() != 0;
    printf("shadowfork: how a shadow stack lives through fork()\n");
    planted_read();
    /* no table of the subjects is shared with the observer, whatever fork= says */
    file_put_text("/proc/self/fork", "leaves");
    if (!first_half() || !second_half()) {
        printf("shadowfork: the subject does not start\n");
        return 1;
    }
    unplant();
    printf("\nshadowfork: %d of %d steps as expected", steps - failures - skips, steps);
    if (skips)
        printf(", %d skipped: no shadow stacks here", skips);
    printf("\n");
    if (failures)
        printf("shadowfork: step %s failed\n", first_failure);
    return failures != 0;
}
