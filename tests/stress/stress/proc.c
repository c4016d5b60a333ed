/* SPDX-License-Identifier: MIT */
/* Reading /proc about processes that exit. */
#define _GNU_SOURCE
#include "stress.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>

static volatile long *pages;

static void be_short(void)
{
    pages[0] = 4;
    if (random_below(3) == 0)
        exec_me(NULL);
    if (random_below(2)) {
        pthread_t thread;
        pthread_create(&thread, NULL, go_deep, (void *)50l);
    }
    sleep_us(random_below(400));
    _exit(0);
}

/* Look into a process that is about to exit: every call may fail, and none may read wrong data. */
static void look_into(int pid)
{
    static const char *const names[] = { "maps", "ptes", "status", "stat", "cmdline" };
    char path[40], block[512];
    snprintf(path, sizeof(path), "/proc/%d/mem", pid);
    int fd = open(path, O_RDWR);
    for (int i = 0; fd >= 0 && i < 6; i++) {
        long value = 4;
        if (pread(fd, &value, sizeof(value), (off_t)pages) == sizeof(value))
            CHECK(value == 3 || value == 4);
        value = 4;
        (void)!pwrite(fd, &value, sizeof(value),
                      (off_t)(pages + PAGE / sizeof(long) * (unsigned)i));
        snprintf(path, sizeof(path), "/proc/%d/%s", pid, names[i % 5]);
        int text = open(path, O_RDONLY);
        while (text >= 0 && read(text, block, sizeof(block)) > 0) {}
        close(text);
    }
    close(fd);
}

static void look_repeatedly(void)
{
    pages = (volatile long *)map(8 * PAGE, MAP_PRIVATE);
    *pages = 3;
    while (time_left()) {
        int pids[3];
        for (int i = 0; i < 3; i++) {
            pids[i] = fork();
            CHECK(pids[i] >= 0);
            if (pids[i] == 0)
                be_short();
        }
        for (int i = 0; i < 3; i++)
            look_into(pids[i]);
        for (int i = 0; i < 3; i++)
            CHECK_EQ(reap(pids[i]), 0);
        CHECK_EQ(*pages, 3);
    }
}

void load_proc(void) { in_processes(busy_count() / 2, look_repeatedly); }
