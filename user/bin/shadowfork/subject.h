/* SPDX-License-Identifier: MIT */
/*
 * The subject and its child: processes that do nothing but what the observer asks of them, one
 * order at a time.
 *
 * Between a fork and the next order neither executes a CALL or RET, and neither stores to memory
 * but for the page through which they and the observer talk. It lies far from all else, so that no
 * other path through the page tables is touched.
 */
#ifndef USER_SHADOWFORK_SUBJECT_H
#define USER_SHADOWFORK_SUBJECT_H

#include "story.h"

enum command {
    DO_FORK,    /* with: the line of the child; the answer is its pid */
    DO_RETURN,  /* execute the RET; answer RETURNED, from where it led */
    DO_STORE,   /* with: an address. Add 1 to the word there, then answer its sum with the next */
    DO_WAIT,    /* wait for a child's end */
    DO_MEASURE, /* as DO_FORK, but measured, and the child only waits for its end */
    DO_EXIT,    /* no answer */
};
#define RETURNED 0x600d

/* Who obeys the orders of a line. */
enum { PARENT, CHILD, OTHER_CHILD, LINES };

extern int parent, child; /* the subject and its latest child */
extern uint64_t ssp;      /* where both stacks' top is */

/* Start a subject that calls prepare first, and forks in this way (/proc/PID/fork). False: it does
 * not start. */
bool subject_start(void (*prepare)(void), const char *way);
/* False: no answer. */
bool ask(int line, enum command what, uint64_t with, uint64_t *answer);
/* The subject forks; the child obeys line, which no other child has obeyed. */
bool child_start(int line);
/* The child on this line ends, and is gone. */
bool child_end(int line);

/* A fork of the subject: the time on the TSC, or (with the trace on) how many entries it changes.
 * Its child is gone on return. */
bool fork_time(uint64_t *time);
bool fork_entries(uint64_t *entries);

#endif
