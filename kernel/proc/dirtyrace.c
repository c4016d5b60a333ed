/* SPDX-License-Identifier: MIT */
/* /proc/dirtyrace: from words to mm/race.c, and who may do what there. */
#include "kernel/proc/dirtyrace.h"

#include "base/string.h"
#include "base/words.h"
#include "kernel/cmdline.h"
#include "kernel/task/task.h"
#include "mm/race.h"
#include "uapi/errno.h"

static const char *const ways[RACE_WAY_COUNT] = { "cmpxchg", "plain_store", "clear_and" };

static bool may_break_invariant(void)
{
#ifdef CONFIG_TEST
    return true;
#else
    char value[2];
    return cmdline_get("probe", value, sizeof(value));
#endif
}

long dirtyrace_command(struct process *process, const char *line)
{
    struct mm *mm = task_current()->mm;
    char way[16], walker[16];
    uint64_t va, rounds;
    if (strcmp(line, "walk") == 0) {
        mm_race_walk(mm);
        return 0;
    }
    if (!number_take(&line, 0, &va) || !number_take(&line, 0, &rounds)
        || !word_take(&line, way, sizeof(way)) || !word_take(&line, walker, sizeof(walker)))
        return -EINVAL;
    unsigned i = 0;
    while (i < RACE_WAY_COUNT && strcmp(ways[i], way) != 0)
        i++;
    bool software = strcmp(walker, "software") == 0;
    if (i == RACE_WAY_COUNT || (!software && strcmp(walker, "cpu") != 0))
        return -EINVAL;
    if ((software || i != RACE_CMPXCHG) && !may_break_invariant())
        return -EPERM;
    return mm_race(mm, va, rounds, (enum race_way)i, software);
}
