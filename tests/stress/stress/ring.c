/* SPDX-License-Identifier: MIT */
/* A ring of many processes: each waits for the one before. */
#define _GNU_SOURCE
#include "stress.h"

static int ring[2], home[2];

/* Pass on what arrives, until the end of file. */
static void pass_on(int from, int to)
{
    char byte;
    while (read(from, &byte, 1) == 1)
        (void)!write(to, &byte, 1);
    _exit(0);
}

/* Each process forks the next, as long as memory lasts. The last one writes to the first. */
static void chain(long left, int from)
{
    int next[2];
    while (left > 1 && pipe(next) == 0) {
        int child = fork();
        if (child != 0) {
            if (child < 0)
                break;
            close(next[0]);
            close(home[1]);
            pass_on(from, next[1]);
        }
        close(from);
        close(next[1]);
        from = next[0];
        left--;
    }
    pass_on(from, home[1]);
}

void load_ring(void)
{
    char byte = 'o', back = 0;
    CHECK_EQ(pipe(ring), 0);
    CHECK_EQ(pipe(home), 0);
    int first = fork();
    CHECK(first >= 0);
    if (first == 0) {
        close(ring[1]);
        close(home[0]);
        chain(process_count, ring[0]);
    }
    close(ring[0]);
    close(home[1]);
    do {
        for (int i = 0; i < 20; i++)
            CHECK_EQ(write(ring[1], &byte, 1), 1);
        for (int i = 0; i < 20; i++)
            CHECK_EQ(read(home[0], &back, 1), 1);
        CHECK_EQ(back, byte);
    } while (time_left());
    close(ring[1]);
    CHECK_EQ(read(home[0], &back, 1), 0); /* all have exited, one after the other */
    close(home[0]);
    CHECK_EQ(reap(first), 0);
}
