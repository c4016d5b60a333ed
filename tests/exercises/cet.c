/* SPDX-License-Identifier: MIT */
/* Exercises of docs/book/03-cet.md. */
#include <setjmp.h>

#include "smash.h"
#include "test.h"

/* ---- What the shadow stack says of a refused return --------------------- */

#define WORDS 3

static int report[2];

/* Tell the parent the innermost return addresses, then return to elsewhere. */
__attribute__((noinline)) static void report_and_smash(void)
{
    raw_write(report[1], (void *)rdssp(), WORDS * sizeof(uint64_t));
    smash(gadget);
    __asm__ volatile("" : : : "memory");
}

static void smash_two_deep(void)
{
    report_and_smash();
    __asm__ volatile("" : : : "memory");
}

/*
 * After the line of a refused near RET the log shows where the program really was: "shadow stack of
 * pid N: 0x... 0x...", up to eight return addresses, the innermost first. It is a backtrace that no
 * attacker can forge.
 */
EXERCISE_SHSTK(exercise_shadow_backtrace)
{
    uint64_t words[WORDS];
    char begin[40], word[24];
    int pid, status;
    CHECK(pipe(report) == 0);
    status = in_child(smash_two_deep, &pid);
    CHECK_EQ(WTERMSIG(status), SIGSEGV);
    CHECK_EQ(read(report[0], words, sizeof(words)), sizeof(words));
    snprintf(begin, sizeof(begin), "shadow stack of pid %d:", pid);
    const char *line = strstr(file_text("/proc/kmsg"), begin);
    EXPECT(line, "a line \"%s ...\" in the log", begin);
    for (int i = 0; i < WORDS; i++) {
        snprintf(word, sizeof(word), " 0x%lx", words[i]);
        const char *found = strstr(line, word);
        EXPECT(found && found < line + strcspn(line, "\n"), "the return address%s in that line",
               word);
    }
}

/* ---- longjmp() ---------------------------------------------------------- */

/*
 * Your turn: pop the shadow stack up to `to`, an SSP read earlier in a function that is still
 * active. INCSSPQ moves by at most 255 words at a time, and there is no going down.
 */
RAW void ssp_unwind(uint64_t to) { (void)to; }

static jmp_buf target;
static volatile int stop_at;

__attribute__((noinline)) static int jump_from(int depth)
{
    if (depth == stop_at)
        longjmp(target, 1);
    if (depth > stop_at)
        return 0;
    int below = jump_from(depth + 1);
    __asm__ volatile("" : : : "memory");
    return below + 1;
}

/*
 * musl's longjmp() knows nothing of shadow stacks: it loads the registers and jumps. SSP stays
 * where it was, with the words of every call that never returned on top, and the next RET is
 * refused.
 */
__attribute__((noinline)) static int jump(void)
{
    volatile uint64_t ssp = rdssp();
    if (setjmp(target) == 0)
        return jump_from(0);
    ssp_unwind(ssp);
    return rdssp() == ssp;
}

static void jump_over(int frames)
{
    stop_at = frames;
    raw_exit(jump() ? 0 : 1);
}
static void jump_near(void) { jump_over(3); }
static void jump_far(void) { jump_over(1000); }

EXERCISE_SHSTK(exercise_longjmp)
{
    EXPECT(in_child(jump_near, NULL) == 0,
           "ssp_unwind() in tests/exercises/cet.c to make longjmp() over 3 frames safe");
    EXPECT(in_child(jump_far, NULL) == 0, "... and over 1000 frames");
}
