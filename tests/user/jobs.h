/* SPDX-License-Identifier: MIT */
/* What tests of stopped processes share: children that can be stopped, and what is told of them. */
#ifndef TESTS_JOBS_H
#define TESTS_JOBS_H

#include "signals.h"

/* Processes and their parent, which write to each other here. */
static int ends[2];

static inline void tell(void) { CHECK_EQ(write(ends[1], "x", 1), 1); }
static inline void hear(void)
{
    char byte;
    CHECK_EQ(read(ends[0], &byte, 1), 1);
}

/* A child in a group of its own, which calls what, if anything, and sleeps until it is killed. */
static inline int job(void (*what)(void))
{
    CHECK(ends[1] || pipe(ends) == 0);
    int child = fork();
    if (child == 0) {
        CHECK_EQ(setpgid(0, 0), 0);
        if (what)
            what();
        tell();
        for (;;)
            pause();
    }
    hear();
    return child;
}

static inline void end(int child)
{
    int status;
    kill(child, SIGKILL);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* The next change that wait4() tells of the child. */
static inline int change(int child)
{
    int status;
    CHECK_EQ(waitpid(child, &status, WUNTRACED | WCONTINUED), child);
    return status;
}

/* There is none now. */
static inline void no_change(int child)
{
    CHECK_EQ(waitpid(child, NULL, WNOHANG | WUNTRACED | WCONTINUED), 0);
}

#define STOPPED(signal) ((signal) << 8 | 0x7f)
#define CONTINUED       0xffff

/* The letter of /proc/PID/stat. */
static inline char state(int pid)
{
    char path[40], name[32], letter = 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    CHECK(file && fscanf(file, "%*d (%31[^)]) %c", name, &letter) == 2);
    fclose(file);
    return letter;
}

#endif
