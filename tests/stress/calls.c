/* SPDX-License-Identifier: MIT */
/*
 * Random system calls, drawn from the kernel's own list. Most arguments lie at the edges of what
 * their types and names allow. Process 1 of an image of its own:
 *
 *     calls SEED CALLS [DEFECT]
 *
 * makes about CALLS calls, in rounds. Each round is a family of processes and threads that may do
 * anything to itself; a member that hangs is killed. After each round as many frames are in use as
 * before, and the walker finds nothing. With a planted defect a round must fail. The seed decides
 * every argument; how threads affect each other depends on timing, too. A round that fails prints
 * its own seed: `calls THAT_SEED 1` repeats the round.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "calls/calls.h"
#include "supervise.h"
#include "test.h"

#define CALLS_A_ROUND 200
#define HANG_MS       60                   /* if no call ends for so long, the process is killed */
#define COUNTER       ((void *)0x23456000) /* far from all that a call is given to write to */

/* ---- A family ----------------------------------------------------------- */

static volatile long *made; /* calls made so far, by everybody: shared memory */

static void words_fill(void)
{
    for (unsigned i = 0; i < PATHS * PAGE / 8; i++)
        ((uint64_t *)arena)[i] = below(3) ? address() : edge();
    for (unsigned i = 0; paths[i]; i++)
        strcpy(page(PATHS) + 64 * i, paths[i]);
    memset(page(PATHS + 3), 'a', PAGE); /* a path without an end, as far as the vectors */
    for (unsigned i = 0; i < PAGE / 16; i++) {
        ((uint64_t *)page(PARTS))[2 * i] = address();
        ((uint64_t *)page(PARTS))[2 * i + 1] = length();
        ((uint64_t *)page(TIMES))[2 * i] = below(8) ? 0 : edge();
        ((uint64_t *)page(TIMES))[2 * i + 1] = below(8) ? below(100000) : edge();
    }
}

static void descriptors_open(void)
{
    static const char *const names[] = {
        "/dev/null", "/dev/null",       "/dev/null",      "f",    "g", "/dev/zero",
        HOME,        "/proc/self/maps", "/proc/self/mem", "/proc"
    };
    int ends[2];
    for (int fd = 0; fd < 20; fd++)
        close(fd);
    for (unsigned i = 0; i < COUNT_OF(names); i++) {
        int fd = open(names[i], O_RDWR | O_CREAT, 0755);
        if (fd < 0)
            fd = open(names[i], O_RDONLY);
        if (fd >= 0)
            fcntl(fd, F_SETFL, O_NONBLOCK);
    }
    if (pipe2(ends, O_NONBLOCK) == 0)
        fcntl(ends[0], F_DUPFD, 14);
}

static void arena_make(void)
{
    int rw = PROT_READ | PROT_WRITE, file = open("f", O_RDWR | O_CREAT, 0755);
    arena = mmap(NULL, ARENA_PAGES * PAGE, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    words_fill();
    mprotect(page(READ_ONLY), PAGE, PROT_READ);
    mprotect(page(NO_ACCESS), PAGE, PROT_NONE);
    munmap(page(UNMAPPED), PAGE);
    mmap(page(SHARED), 2 * PAGE, rw, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    (void)!ftruncate(file, 3 * PAGE / 2);
    mmap(page(OF_FILE), 2 * PAGE, rw, MAP_SHARED | MAP_FIXED, file, 0);
    munmap(page(SHADOW_STACK), PAGE);
    raw3(SYS_map_shadow_stack, (long)page(SHADOW_STACK), PAGE, SHADOW_STACK_SET_TOKEN);
    close(file);
    symlink("d", "link");
    symlink("nothing", "dangling");
    mkdir("d", 0755);
}

/* Make a random call. A process or thread that it creates exits at once. */
static void make_call(void)
{
    struct drawn call;
    call_draw(&call);
    const uint64_t *a = call.arguments;
    int birth = call.number == SYS_fork || call.number == SYS_vfork || call.number == SYS_clone
                || call.number == SYS_clone3;
    __atomic_fetch_add(made, 1, __ATOMIC_RELAXED);
    long result = raw6(call.number, (long)a[0], (long)a[1], (long)a[2], (long)a[3], (long)a[4],
                       (long)a[5]);
    if (birth && result == 0) /* perhaps on an invalid stack */
        raw1(SYS_exit, 0);
}

static void *calls_make(void *seed)
{
    chance_state = (uint64_t)seed | 1;
    for (int i = 0; i < CALLS_A_ROUND; i++)
        make_call();
    return NULL;
}

static void family(uint64_t seed)
{
    pthread_t other;
    chance_state = seed | 1;
    (void)chance();
    if (chdir(HOME))
        _exit(1);
    arena_make();
    descriptors_open();
    int threads = below(2), child = below(3) == 0 ? fork() : -1;
    uint64_t mine = child == 0 ? chance() + 1 : chance();
    if (threads)
        pthread_create(&other, NULL, calls_make, (void *)chance());
    calls_make((void *)mine);
    _exit(0);
}

/* ---- Rounds ------------------------------------------------------------- */

static long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Remove a folder's contents, with all folders inside. */
static void folder_empty(const char *folder)
{
    DIR *entries = opendir(folder);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        char name[512];
        if (entry->d_name[0] == '.' && strchr("./", entry->d_name[1] ? entry->d_name[1] : '/'))
            continue;
        snprintf(name, sizeof(name), "%s/%s", folder, entry->d_name);
        if (unlink(name)) {
            folder_empty(name);
            rmdir(name);
        }
    }
    if (entries)
        closedir(entries);
}

static void home_empty(void)
{
    folder_empty(HOME);
    if (unlink("/d")) /* made by a member after chdir(".."); a link is not followed */
        folder_empty("/d");
    for (unsigned i = 0; paths[i]; i++) {
        if (paths[i][0] != '/' && paths[i][0] && strcmp(paths[i], "..") && strcmp(paths[i], "."))
            remove(paths[i]);
    }
}

/* Wait for the family's end. A family that completes no call for HANG_MS is stuck in one, and is
 * killed. */
static void family_end(int pid)
{
    struct timespec tick = { 0, 2000000 };
    long last = *made, since = now_ms();
    while (waitpid(pid, NULL, WNOHANG) == 0 && now_ms() - since < HANG_MS) {
        if (*made != last) {
            last = *made;
            since = now_ms();
        }
        nanosleep(&tick, NULL);
    }
    kill(-1, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0) {}
    CHECK_EQ(in_child(home_empty, NULL), 0); /* in a child, so that process 1 allocates nothing */
}

/* Run one family from start to end. Returns 1 when it left something behind, else 0. */
static int round_run(uint64_t seed)
{
    unsigned now = 0, total = 0;
    long before = frames_in_use();
    fflush(stdout);
    int pid = fork();
    if (pid == 0)
        family(seed);
    CHECK(pid > 0);
    family_end(pid);
    long after = frames_in_use();
    int checked = check_counts(&now, &total);
    if (after == before && checked && now == 0 && total == 0)
        return 0;
    printf("    # seed %#lx: %ld frames before, %ld after; the walker found %u\n", seed, before,
           after, total);
    return 1;
}

int main(int argc, char *argv[])
{
    if (getpid() != 1 || argc < 3)
        return 0; /* a family member has executed this very program */
    uint64_t seed = strtoull(argv[1], NULL, 0);
    const char *defect = argc > 3 ? argv[3] : NULL;
    long limit = atol(argv[2]);
    int failed = 0;
    made = mmap(COUNTER, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1,
                0);
    mkdir(HOME, 0755);
    printf("KTAP version 1\n1..1\n");
    (void)round_run(0); /* allocates what the kernel allocates once and keeps */
    if (defect && file_put_text("/proc/defect", defect))
        printf("    # no defect %s in this kernel\n", defect);
    for (uint64_t round = 0; *made < limit && !failed; round++)
        failed = round_run(seed + round * 0x9e3779b97f4a7c15ul);
    if (defect)
        file_put_text("/proc/defect", "none");
    printf("    # seed %#lx, %ld calls\n", seed, *made);
    ktap_result(defect ? failed : !failed, "random_calls", defect, NULL);
    return ktap_failures();
}
