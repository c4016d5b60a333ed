/* SPDX-License-Identifier: MIT */
/* Tests in processes of their own: there a panic, a sanitizer's report and a planted defect touch
 * no other test. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/defect.h"
#include "fake.h"
#include "mm/phys/slab.h"

#define SECONDS_MAX 100 /* of CPU time: a test that a defect makes run for ever has failed */

static uint64_t free_frames(void)
{
    struct frame_stats stats;
    slab_reclaim();
    frame_stats(&stats);
    return stats.free;
}

static bool keeps_no_frame(bool (*test)(void))
{
    uint64_t before = free_frames();
    if (!test())
        return false;
    uint64_t after = free_frames();
    return before == after
           || diagnose("%lu frames are free before, %lu after", (unsigned long)before,
                       (unsigned long)after);
}

/* Run the test in a process of its own. With a defect it prints nothing. */
static bool passes(bool (*test)(void), const char *defect)
{
    const struct rlimit limit = { SECONDS_MAX, SECONDS_MAX };
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        setrlimit(RLIMIT_CPU, &limit);
        if (defect
            && (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr)
                || defect_set(defect)))
            _exit(0);
        bool passed = keeps_no_frame(test);
        exit(!passed); /* not _exit(): what it covered is to be counted */
    }
    int status;
    waitpid(pid, &status, 0);
    return status == 0;
}

int run_twins(const struct twin *twins, unsigned count)
{
    unsigned results = count;
    for (unsigned i = 0; i < count; i++) {
        for (const char *const *defect = twins[i].defects; *defect; defect++)
            results++;
    }
    plan(results);
    for (unsigned i = 0; i < count; i++) {
        result(twins[i].name, passes(twins[i].test, NULL));
        for (const char *const *defect = twins[i].defects; *defect; defect++) {
            char name[160];
            snprintf(name, sizeof(name), "%s notices %s", twins[i].name, *defect);
            result(name, !passes(twins[i].test, *defect));
        }
    }
    return suite_status();
}
