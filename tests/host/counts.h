/* SPDX-License-Identifier: MIT */
/* Counts the users of every frame and table by going through the tables of all address spaces. */
#ifndef TESTS_HOST_COUNTS_H
#define TESTS_HOST_COUNTS_H

#include "fake.h"

/* Call counts_begin(), then the next two for all users there are, then counts_agree(). */
void counts_begin(void);
void counts_add(struct mm *mm);
void counts_add_frame(const struct frame *frame); /* a user that is not an entry */
/*
 * Is the count of each frame the number of its users, the count of each table the number of its
 * entries in use, and table.sharers the number of entries that point to the table, each with W=0
 * where there are several (T1)? False, and the first differences are printed.
 */
bool counts_agree(void);

#endif
