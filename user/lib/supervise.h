/* SPDX-License-Identifier: MIT */
/* For process 1 of a test image: run a test in a child, with a planted defect or without, compare
 * what must be the same before and after, and print KTAP. */
#ifndef USER_SUPERVISE_H
#define USER_SUPERVISE_H

#define SUPERVISE_NO_END (-1)

/*
 * Run body in a child of its own; body passes by returning. A defect (not NULL) is switched on once
 * the fork is over, and the child then prints nothing. Processes that the child leaves behind are
 * killed and reaped. Returns the child's wait status, or SUPERVISE_NO_END when the child was killed
 * after seconds_max.
 */
int supervise(void (*body)(void), const char *defect, int seconds_max);

/* What a test must leave as it was. */
struct account {
    long frames;                /* in use */
    unsigned violations, stuck; /* that the walker found, CPUs that the watchdog found */
};
struct account account_now(void);
/* Does the second account differ from the first? Prints the differences. */
int account_differs(const struct account *before, const struct account *after, const char *name);

/* One KTAP line, with the next number; a skipped test is no failure. defect, skip: NULL for none.
 */
void ktap_result(int ok, const char *name, const char *defect, const char *skip);
int ktap_failures(void);

#endif
