/* SPDX-License-Identifier: MIT */
/* A glibc program with threads, for tests/boot/programs.py. Its output does not depend on where
 * it runs. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS 6
#define ROUNDS  2000

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static sem_t semaphore;
static __thread long own;
static long sum, turn, begun;

static void begin(void) { begun++; }

static void *work(void *number)
{
    pthread_once(&once, begin);
    pthread_barrier_wait(&barrier);
    for (long i = 0; i < ROUNDS; i++) {
        char *block = malloc(100 + (size_t)i);
        block[0] = (char)i;
        own += i;
        pthread_mutex_lock(&mutex);
        sum++;
        pthread_mutex_unlock(&mutex);
        free(block);
    }
    pthread_mutex_lock(&mutex);
    while (turn != (long)number)
        pthread_cond_wait(&changed, &mutex);
    turn++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
    sem_post(&semaphore);
    return (void *)own;
}

static void *lock_and_end(void *robust)
{
    pthread_mutex_lock(robust);
    return NULL;
}

static int owner_dies(void)
{
    pthread_mutexattr_t attributes;
    pthread_mutex_t robust;
    pthread_t thread;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&robust, &attributes);
    pthread_create(&thread, NULL, lock_and_end, &robust);
    pthread_join(thread, NULL);
    return pthread_mutex_lock(&robust);
}

static int wait_in_vain(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&mutex);
    int err = pthread_cond_timedwait(&changed, &mutex, &until);
    pthread_mutex_unlock(&mutex);
    return err;
}

static void *leave_for_all(void *unused)
{
    (void)unused;
    exit(7);
}

int main(void)
{
    pthread_t threads[THREADS];
    void *result;
    long results = 0;
    cpu_set_t cpus;
    pthread_barrier_init(&barrier, NULL, THREADS);
    sem_init(&semaphore, 0, 0);
    for (long i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, work, (void *)i))
            return 1;
    for (int i = 0; i < THREADS; i++)
        sem_wait(&semaphore);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &result);
        results += (long)result;
    }
    printf("threads: sum %ld results %ld turn %ld begun %ld own %ld\n", sum, results, turn, begun,
           own);
    printf("threads: robust %d timed %d\n", owner_dies() == EOWNERDEAD,
           wait_in_vain() == ETIMEDOUT);
    printf("threads: affinity %d\n",
           sched_getaffinity(0, sizeof(cpus), &cpus) == 0 && CPU_COUNT(&cpus) > 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        pthread_create(&threads[0], NULL, leave_for_all, NULL);
        for (;;)
            sleep(1000);
    }
    int status;
    if (waitpid(child, &status, 0) != child)
        return 2;
    printf("threads: child left with %d\n", WEXITSTATUS(status));
    return 42;
}
