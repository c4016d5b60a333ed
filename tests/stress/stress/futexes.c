/* SPDX-License-Identifier: MIT */
/* Robust mutexes and condition variables whose owners are killed. */
#define _GNU_SOURCE
#include "stress.h"

#include <pthread.h>
#include <sys/mman.h>
#include <time.h>

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    long count, in_between;
} * meeting;

static int meeting_lock(void)
{
    int err = pthread_mutex_lock(&meeting->mutex);
    if (err == EOWNERDEAD) {
        meeting->count = meeting->in_between;
        err = pthread_mutex_consistent(&meeting->mutex);
    }
    return err;
}

static void *meet(void *unused)
{
    struct timespec soon;
    for (;;) {
        if (meeting_lock())
            raw_exit(93);
        meeting->in_between = meeting->count + 1;
        if (random_below(8) == 0)
            raw0(SYS_sched_yield);
        meeting->count++;
        if (meeting->count != meeting->in_between)
            raw_exit(92);
        if (random_below(4) == 0)
            pthread_cond_broadcast(&meeting->changed);
        if (random_below(4) == 0) {
            clock_gettime(CLOCK_REALTIME, &soon);
            soon.tv_nsec = (soon.tv_nsec + 300000) % 1000000000;
            if (pthread_cond_timedwait(&meeting->changed, &meeting->mutex, &soon) == EOWNERDEAD)
                pthread_mutex_consistent(&meeting->mutex);
            meeting->in_between = meeting->count;
        }
        pthread_mutex_unlock(&meeting->mutex);
    }
    return unused;
}

/* Processes with two threads each contend for one mutex, and are killed wherever they are. */
void load_futexes(void)
{
    pthread_mutexattr_t attributes;
    pthread_condattr_t shared;
    meeting = (void *)map(PAGE, MAP_SHARED);
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    CHECK_EQ(pthread_mutex_init(&meeting->mutex, &attributes), 0);
    pthread_condattr_init(&shared);
    pthread_condattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
    CHECK_EQ(pthread_cond_init(&meeting->changed, &shared), 0);
    while (time_left()) {
        int pids[3];
        for (int i = 0; i < 3; i++) {
            pids[i] = fork();
            CHECK(pids[i] >= 0);
            if (pids[i] == 0) {
                pthread_t thread;
                pthread_create(&thread, NULL, meet, NULL);
                meet(NULL);
            }
        }
        for (int i = 0; i < 3; i++) {
            sleep_us(2000 + random_below(5000));
            kill(pids[i], SIGKILL);
            CHECK_EQ(reap(pids[i]), SIGKILL);
        }
        CHECK_EQ(meeting_lock(), 0);
        pthread_mutex_unlock(&meeting->mutex);
    }
    CHECK(meeting->count > 0);
}
