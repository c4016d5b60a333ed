/* SPDX-License-Identifier: MIT */
/*
 * The dirty race, run on purpose: one CPU stores through an entry with W=1,D=0 while this one
 * clears W. docs/book/07-race.md has the question and the answers; user/bin/dirtyrace.c is the
 * program.
 */
#ifndef MM_RACE_H
#define MM_RACE_H

#include "mm/mm.h"

/* How Write is cleared. The first is the kernel's way, the others are the mistakes it avoids. */
enum race_way {
    /* LOCK CMPXCHG of what pte_wrprotect() makes of the value read, again on mismatch */
    RACE_CMPXCHG,
    RACE_PLAIN_STORE, /* the same value, stored without a comparison */
    RACE_CLEAR_AND,   /* LOCK AND that clears W and leaves D where it is */
    RACE_WAY_COUNT
};

#define RACE_ROUNDS_MAX 10000

/* Counts of rounds, but for retries. */
struct race_result {
    uint64_t rounds;          /* finished; fewer than asked for when the other CPU stayed away */
    uint64_t stores;          /* the other CPU set D, or stored, after the entry was made clean */
    uint64_t retries;         /* times that CMPXCHG found the entry changed since it was read */
    uint64_t patterns_before; /* W=0,D=1 was there before the shootdown, */
    uint64_t patterns_after;  /* or only after it */
    uint64_t lost;            /* a store had landed, and neither D nor COW said so */
    uint64_t late;            /* a store landed after the shootdown */
    uint64_t played;          /* the walker in software set D in an entry with W=0, */
    uint64_t in_time;         /* or while W was still 1 */
};

/*
 * Run rounds of the race on the page of mm at va, whose first word another CPU increments all the
 * time. software: the other CPU is in mm_race_walk() instead, and plays an old page walker. Each
 * W=0,D=1 that appears is repaired, reported and counted like the walker's findings. 0; -EINVAL
 * when the page is no private writable page of mm's alone, or rounds are too many to be away that
 * long (RACE_ROUNDS_MAX); -EBUSY when a race is being run.
 */
MUST_CHECK int mm_race(struct mm *mm, uint64_t va, uint64_t rounds, enum race_way way,
                       bool software);
/* Play an old page walker for the CPU that runs mm_race() on mm, as long as there is something to
 * do. */
void mm_race_walk(struct mm *mm);
/* The result of the last race, and the pid that ran it. False, with nothing copied, while a race is
 * running. */
MUST_CHECK bool mm_race_result(struct race_result *result, int *pid);

#endif
