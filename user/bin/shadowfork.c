/* SPDX-License-Identifier: MIT */
/*
 * The story: one shadow-stack page and one data page go through every page-table state, before the
 * eyes of a third process.
 *
 * The subject forks in the middle of a function, without a library in between. From then on subject
 * and child do nothing but what the observer asks of them, one step at a time, with system calls
 * that neither CALL nor RET: so every shadow-stack access is one of the story's own. The observer
 * reads their entries in /proc. On the kernel's test build plant=NAME on the command line switches
 * a planted defect on once the subject is ready; the story must then fail.
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

static const char *planted(void)
{
    static char name[32];
    const char *word = strstr(file_text("/proc/cmdline"), "plant=");
    if (word)
        sscanf(word + 6, "%31s", name);
    return name;
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    protected = rdssp() != 0;
    printf("shadowfork: how a shadow stack lives through fork()\n");
    file_put_text("/proc/self/fork", "leaves"); /* whatever fork= says: leaves are its subject */
    const char *defect = planted();
    if (!subject_start()) {
        printf("shadowfork: the subject does not start\n");
        return 1;
    }
    if (defect[0])
        plant(defect);
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
    if (defect[0])
        plant("none");
    printf("\nshadowfork: %d of %d steps as expected", steps - failures - skips, steps);
    if (skips)
        printf(", %d skipped: no shadow stacks here", skips);
    printf("\n");
    if (failures)
        printf("shadowfork: step %s failed\n", first_failure);
    return failures != 0;
}
