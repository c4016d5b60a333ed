/* SPDX-License-Identifier: MIT */
/* How the story is told: a step says what it expects and what it saw. ../shadowfork.c has its
 * order. */
#ifndef USER_SHADOWFORK_STORY_H
#define USER_SHADOWFORK_STORY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "ptes.h"
#include "raw.h"

extern bool protected; /* programs here have shadow stacks */
extern int steps, failures, skips;
extern char first_failure[120];

/* ---- Telling (teller.c) ------------------------------------------------- */

void step(const char *name);
__attribute__((format(printf, 1, 2))) void expect(const char *format, ...);
void saw_pte(const char *who, const struct pte *pte);
/* The step's verdict: all that it calls with must be true. */
void must(bool as_expected);
void step_end(void);
/* Called instead of the rest of a step that needs a shadow stack, where there is none. */
bool skip(void);
/* When this step begins a planted defect is switched on, which the story must notice ... */
void plant_at(const char *name, int step);
void unplant(void); /* ... and off again: it might hit the teller as well */

/* ---- Steps, in their order (sharing.c, refusals.c, tables.c) ------------ */

/* Start the process that the following steps watch; false when it does not start. */
bool story_leaves_start(void);
void story_fresh(void);
void story_fork(void);
void story_data_shared(void);
void story_child_returns(void);
void story_parent_returns(void);
void story_data_copied(void);
void story_data_reused(void);
void story_debugger(void);
void subject_end(void);

void story_store(void);
void story_smash(void);
void story_guards(void);

bool story_tables_start(void);
void story_tables_shared(void);
void story_path_copied(void);
void story_path_taken(void);
void story_stores_apart(void);
void story_figures(void);

#endif
