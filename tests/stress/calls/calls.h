/* SPDX-License-Identifier: MIT */
/* Random system calls: which call gets which arguments. */
#ifndef TESTS_STRESS_CALLS_H
#define TESTS_STRESS_CALLS_H

#include <stdint.h>

#define PAGE            4096ul
#define ARENA_PAGES     32
#define HOME            "/calls" /* the folder that a round works in */
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ---- Random numbers: a stream for each thread --------------------------- */

extern __thread uint64_t chance_state;
uint64_t chance(void);
unsigned below(unsigned limit);
#define ONE_OF(array) ((array)[below(COUNT_OF(array))])

/* ---- Where calls point to ----------------------------------------------- */

/*
 * The pages of the arena. Pages hold random words, paths, vectors and times; others are read-only,
 * inaccessible, unmapped, shared, of a file, or a shadow stack where the CPU has one; the rest is
 * room for new mappings.
 */
extern char *arena;
enum {
    PATHS = 4,
    PARTS = 8,
    TIMES = 9,
    READ_ONLY = 10,
    NO_ACCESS = 11,
    UNMAPPED = 12,
    SHARED = 13,
    OF_FILE = 15,
    SHADOW_STACK = 17,
};
static inline char *page(unsigned index) { return arena + index * PAGE; }

/* The paths that calls are given, ended by NULL. Relative ones lie in HOME. */
extern const char *const paths[];

uint64_t edge(void);
uint64_t address(void);
uint64_t length(void);

/* ---- Calls -------------------------------------------------------------- */

/* A system call and its arguments, drawn by their types and names. */
struct drawn {
    const char *name;
    long number;
    uint64_t arguments[6];
};

/* Draw a call that affects the caller's family alone. */
void call_draw(struct drawn *drawn);

#endif
