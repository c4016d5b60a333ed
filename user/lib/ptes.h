/* SPDX-License-Identifier: MIT */
/* Reading the kernel's own account of a process: /proc/PID/ptes, /proc/trace, /proc/frames,
 * /proc/check. */
#ifndef USER_PTES_H
#define USER_PTES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct pte {
    uint64_t va, raw, pfn, bytes;
    int w, d, cow;
    char state; /* w r a b c d e n !; 0: no entry */
    unsigned refs;
    int shared_level; /* the highest level whose entry has W=0; 0: none */
    unsigned sharers; /* of the table below that entry */
};

/* The leaf entry of pid that covers va; .state == 0 when there is none. */
struct pte pte_of(int pid, uint64_t va);
/* All leaf entries of a process in short. */
struct leaves {
    unsigned count;
    unsigned roots;  /* entries of the root that lead to them */
    unsigned shared; /* below an entry of the root with W=0, whose table two processes share */
    uint64_t sum;    /* of the addresses and raw entries: a checksum */
    struct pte at;   /* the one that covers an address, as pte_of() */
};
struct leaves leaves_of(int pid, uint64_t va);
/* "0x7fff12345000 raw 0x8000... W0 D1 COW0 (c) frame 0x1f3a2 refs 1", or "no entry". */
void pte_print(FILE *to, const struct pte *pte);

/* One line of /proc/PID/maps, and how far its neighbours are away. */
struct mapping {
    uint64_t start, end;
    uint64_t free_below, free_above; /* bytes */
    char name[32];
};
/* The mapping of pid that holds va; false when there is none. */
bool mapping_of(int pid, uint64_t va, struct mapping *mapping);

/* The last refusal of pid in /proc/trace. */
struct refusal {
    int signal, code;
    uint64_t addr, error, rip;
};
bool refusal_of(int pid, struct refusal *refusal);

/* What /proc/trace has of pid since a moment, on the paths from one entry of the root. */
struct traced {
    unsigned all;
    unsigned tables_own, tables_share, tables_copy; /* entries that point to tables */
    unsigned leaves_share;
    unsigned pages_copy; /* data and shadow stacks */
};
/* Switch the trace on; the moment, on the TSC. */
uint64_t trace_begin(void);
/* Switch it off. The entry of the root is the one for va. */
struct traced trace_end(int pid, uint64_t since, uint64_t va);

/* How many events there have been since boot, and of those still in the trace, since a moment. */
uint64_t trace_total(void);
unsigned trace_count_since(uint64_t since);

/* A number of /proc/frames by its name, -1 when there is none. */
long frames_of(const char *name);
/* Frames in use but for those of the small-object allocator, whose objects of all processes
 * share frames. */
long frames_in_use(void);
/* Violations the walker finds now (*now) and has found since boot; false when it cannot be
 * asked. */
bool check_counts(unsigned *now, unsigned *total);

/* A whole small file as text, "" when it cannot be read. Static storage. */
const char *file_text(const char *path);
/* Write text to a file; 0 or -1. */
int file_put_text(const char *path, const char *text);

/* Does this CPU and kernel give programs a shadow stack (/proc/cpuinfo says user_shstk)? */
bool has_user_shstk(void);
/* Why programs here run without a shadow stack, in the words of the kernel's log. */
const char *no_shstk_reason(void);

#endif
