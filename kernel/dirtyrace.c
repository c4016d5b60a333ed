/* SPDX-License-Identifier: MIT */
/* /proc/dirtyrace: from words to mm/race.c, and who may do what there. */
#include "kernel/dirtyrace.h"

#include "base/string.h"
#include "kernel/cmdline.h"
#include "kernel/task.h"
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

/* Take a word from *line, cut to size; false when there is none. */
static bool word_take(const char **line, char *word, size_t size)
{
    size_t len = 0;
    for (; **line && **line != ' '; ++*line) {
        if (len + 1 < size)
            word[len++] = **line;
    }
    word[len] = 0;
    *line += **line == ' ';
    return len;
}

/* Take a number, decimal or with 0x; false when there is none. */
static bool number_take(const char **line, uint64_t *number)
{
    char word[24];
    if (!word_take(line, word, sizeof(word)))
        return false;
    const char *digit = word;
    unsigned base = strncmp(word, "0x", 2) == 0 ? 16 : 10;
    *number = 0;
    for (digit += base == 16 ? 2 : 0; *digit; digit++) {
        unsigned value = *digit >= 'a' ? (unsigned)(*digit - 'a') + 10 : (unsigned)(*digit - '0');
        if (value >= base)
            return false;
        *number = *number * base + value;
    }
    return true;
}

long dirtyrace_command(const char *line)
{
    struct mm *mm = task_current()->mm;
    char way[16], walker[16];
    uint64_t va, rounds;
    if (strcmp(line, "walk") == 0) {
        mm_race_walk(mm);
        return 0;
    }
    if (!number_take(&line, &va) || !number_take(&line, &rounds) || !word_take(&line, way, sizeof(way)) ||
        !word_take(&line, walker, sizeof(walker)))
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
