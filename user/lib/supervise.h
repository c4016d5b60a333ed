/* SPDX-License-Identifier: MIT */
/* For process 1 of a test image: run something in a child, with a planted defect or without, keep
 * account of what must be the same afterwards, and print KTAP. */
#ifndef USER_SUPERVISE_H
#define USER_SUPERVISE_H

#define SUPERVISE_NO_END (-1)

/*
 * Run body in a child of its own, which passes by returning; with a defect (not NULL) switched on
 * once the fork is over, and then quietly. Whoever the child leaves behind is killed and reaped.
 * Returns its wait status, or SUPERVISE_NO_END when it was killed after seconds_max.
 */
int supervise(void (*body)(void), const char *defect, int seconds_max);

/* What a test must leave as it was. */
struct account {
    long frames;                /* in use */
    unsigned violations, stuck; /* that the walker found, CPUs that the watchdog found */
};
struct account account_now(void);
/* Is the second account another than the first? Says in what. */
int account_differs(const struct account *before, const struct account *after, const char *name);

/* One KTAP line, with the next number; a skipped test is no failure. defect, skip: NULL for none.
 */
void ktap_result(int ok, const char *name, const char *defect, const char *skip);
int ktap_failures(void);

#endif
