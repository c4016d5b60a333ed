/* SPDX-License-Identifier: MIT */
/* What the loads share. Each load is one file of this folder; ../stress.c runs them. */
#ifndef TESTS_STRESS_STRESS_H
#define TESTS_STRESS_STRESS_H

#include "test.h"
#include "thread.h"

#define RW      (PROT_READ | PROT_WRITE)
#define PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS)
#define PAGE    4096

/* From the command line: how long a load runs, how many processes the ring has, this program. */
extern long load_ms, process_count, deadline_ms;
extern const char *myself;

/* ---- The loads ---------------------------------------------------------- */

void load_forks(void);
void load_threads(void);
void load_cow(void);
void load_trees(void);
void load_tree_kills(void);
void load_snapshots(void);
void load_mappings(void);
void load_kills(void);
void load_futexes(void);
void load_proc(void);
void load_ring(void);
void load_memory(void);
/* The program that load_memory() executes: take memory until the time is up. */
void hogs(void);

/* ---- What loads are made of --------------------------------------------- */

long now_ms(void);
int time_left(void);
/* Every thread has a stream of its own. */
unsigned random_below(unsigned limit);
void random_seed(void);
void sleep_us(long us);
char *map(size_t bytes, int sharing);
/* Recurse for so many levels, call at_the_bottom (unless NULL) and return through all of them.
 * Returns levels + 1. */
int deep(unsigned levels, void (*at_the_bottom)(void));
/* Thread functions: deep(levels), and exec of this program, which ends at once. */
void *go_deep(void *levels);
void *exec_me(void *unused);
int reap(int pid);
/* Run body in several processes at once; each must end with 0. */
void in_processes(int count, void (*body)(void));
/* Enough processes to keep every CPU busy. */
int busy_count(void);

#endif
