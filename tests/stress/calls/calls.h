/* SPDX-License-Identifier: MIT */
/* Random system calls: which call gets which arguments, and what is done beside the calls. */
#ifndef TESTS_STRESS_CALLS_H
#define TESTS_STRESS_CALLS_H

#include <stdint.h>

#define PAGE            4096ul
#define HOME            "/calls" /* the folder that a round works in */
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ---- Random numbers: a stream for each thread --------------------------- */

extern __thread uint64_t chance_state;
uint64_t chance(void);
unsigned below(unsigned limit);
#define ONE_OF(array) ((array)[below(COUNT_OF(array))])

/* ---- A family: processes and threads that do anything to each other ----- */

#define MEMBERS 16
/* In memory that all of them share, far from all that a call is given to write to. */
struct family {
    volatile long made; /* calls made so far, in all rounds */
    struct {
        int tid, call; /* the number of its last call */
    } members[MEMBERS];
};
#define FAMILY ((struct family *)0x23456000)

/* The calling thread becomes a member. */
void member_add(void);
/* The identity of a member. */
int member(void);
/* Make a random call, and keep its result for arguments of later ones. Children without memory of
 * their own exit at once; others are members, and return as well. */
void call_make(void);

/* ---- Where calls point to (places.c) ------------------------------------ */

/*
 * The pages of the arena. Pages hold random words, paths, vectors, times and structures that calls
 * read; others are read-only, inaccessible, unmapped, shared, of a file, or a shadow stack where
 * the CPU has one; the rest is room for new mappings.
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
    ACTIONS = 18,
    STACKS = 19,
    CLONES = 20,
    POLLS = 21,
    ARENA_PAGES = 36,
};
static inline char *page(unsigned index) { return arena + index * PAGE; }

/* Make the arena, and the files and descriptors of a family. The folder is HOME. */
void places_make(void);

/* The paths that calls are given, ended by NULL. Relative ones lie in HOME; %d is the process that
 * the family begins with. */
#define RELATIVE_PATHS 14 /* the first ones; only these are removed, never a device */
#define ALL_PATHS      33
extern const char *const paths[];

uint64_t edge(void);
uint64_t address(void);
uint64_t length(void);
/* Keep what a call returned; a number that one of the thread's last calls returned. */
void result_keep(long result);
uint64_t result_small(void);

/* ---- Calls (grammar.c) -------------------------------------------------- */

/* A system call and its arguments, drawn by their types and names. */
struct drawn {
    const char *name;
    long number;
    uint64_t arguments[6];
};

/* Draw a call that affects the caller's family alone. */
void call_draw(struct drawn *drawn);

/* ---- What is not a call (moves.c) --------------------------------------- */

/* The calling thread handles signals on a stack of its own; a fault in a move ends the move. */
void signals_handle(void);
/* What programs and the kernel hold at the head of struct sigaction. */
extern void signal_handler(int signal, void *info, void *context);
extern char signal_restorer[];
/* Touch memory in a random way, or let an allocation of a later call fail. */
void move_make(void);

#endif
