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
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "calls/calls.h"
#include "supervise.h"
#include "test.h"

#define CALLS_A_MEMBER 300
#define KICK_MS        4     /* if no call ends for so long, calls that wait are interrupted; */
#define HANG_MS        100   /* after so long, all members are killed; */
#define KILLED_MS      10000 /* and after so long, none must be left */

/* ---- A family ----------------------------------------------------------- */

static __thread int calls_left;
static __thread unsigned slot;

void member_add(void)
{
    slot = below(MEMBERS);
    __atomic_store_n(&FAMILY->members[slot].tid, (int)raw0(SYS_gettid), __ATOMIC_RELAXED);
}

int member(void)
{
    int id = below(3) ? FAMILY->members[below(MEMBERS)].tid : (int)raw0(SYS_gettid);
    return id > 1 ? id : getpid();
}

/* Has the call made a process with its own memory, on the same stack? */
static int is_fork(const struct drawn *call)
{
    return call->number == SYS_fork
           || (call->number == SYS_clone && !(call->arguments[0] & CLONE_VM)
               && !call->arguments[1]);
}

void call_make(void)
{
    struct drawn call;
    call_draw(&call);
    const uint64_t *a = call.arguments;
    int birth = call.number == SYS_fork || call.number == SYS_vfork || call.number == SYS_clone
                || call.number == SYS_clone3;
    __atomic_fetch_add(&FAMILY->made, 1, __ATOMIC_RELAXED);
    FAMILY->members[slot].call = (int)call.number;
    long result = raw6(call.number, (long)a[0], (long)a[1], (long)a[2], (long)a[3], (long)a[4],
                       (long)a[5]);
    if (birth && result == 0 && !is_fork(&call)) /* perhaps on an invalid stack */
        raw1(SYS_exit, 0);
    if (birth && result == 0) {
        chance_state ^= 0x5555;
        calls_left /= 4;
        member_add();
    }
    result_keep(result);
}

static void *calls_make(void *seed)
{
    chance_state = (uint64_t)seed | 1;
    member_add();
    signals_handle();
    for (calls_left = CALLS_A_MEMBER; calls_left > 0; calls_left--) {
        if (below(6) == 0)
            move_make();
        call_make();
    }
    return NULL;
}

/* Most families have little memory: to fill much of it takes longer than a thousand other calls. */
static void memory_limit(void)
{
    struct rlimit limit = { 64 << 20, 64 << 20 };
    if (below(16))
        setrlimit(RLIMIT_AS, &limit);
}

static void family(uint64_t seed)
{
    pthread_t other;
    chance_state = seed | 1;
    (void)chance();
    memset(FAMILY->members, 0, sizeof(FAMILY->members));
    setpgid(0, 0);
    if (chdir(HOME))
        _exit(1);
    places_make();
    memory_limit();
    int threads = (int)below(3), children = (int)below(3);
    uint64_t mine = chance();
    for (; children; children--) {
        uint64_t its = chance();
        if (fork() == 0) {
            mine = its;
            break;
        }
    }
    for (; threads; threads--)
        pthread_create(&other, NULL, calls_make, (void *)(chance() ^ mine));
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

/* Some members do not end though they were killed: print who is left, and in which calls. */
static void survivors_show(void)
{
    char path[40];
    for (int i = 0; i < MEMBERS; i++)
        printf("    # member %d: call %d\n", FAMILY->members[i].tid, FAMILY->members[i].call);
    for (int pid = 2; pid < 100000; pid++) {
        snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        if (access(path, F_OK) == 0)
            printf("    # left: %s", file_text(path));
    }
    fflush(stdout);
}

/* Kill all members, and wait for their ends. */
static void members_end(void)
{
    struct timespec tick = { 0, 2000000 };
    long began = now_ms();
    int ended;
    kill(-1, SIGKILL);
    while ((ended = waitpid(-1, NULL, WNOHANG)) >= 0 && now_ms() - began < KILLED_MS) {
        if (!ended)
            nanosleep(&tick, NULL);
    }
    if (ended < 0)
        return;
    survivors_show();
    CHECK(ended < 0);
}

/* Wait for the family's end. Calls that wait are interrupted by signals at random; a family that
 * completes no call for HANG_MS is stuck in one, and is killed. */
static void family_end(int pid)
{
    struct timespec tick = { 0, 2000000 };
    long last = FAMILY->made, since = now_ms(), kicked = since;
    while (waitpid(pid, NULL, WNOHANG) == 0 && now_ms() - since < HANG_MS) {
        if (FAMILY->made != last) {
            last = FAMILY->made;
            since = kicked = now_ms();
        } else if (now_ms() - kicked >= KICK_MS) {
            kill(-1, SIGCONT);
            kill(-1, SIGUSR1);
            kicked = now_ms();
        }
        nanosleep(&tick, NULL);
    }
    members_end();
    CHECK_EQ(in_child(home_empty, NULL), 0); /* in a child, so that process 1 allocates nothing */
}

/* Run one family from start to end. Returns 1 when it left something behind, else 0. */
static int round_run(uint64_t seed)
{
    static int empty; /* families one after the other that have made no call */
    struct account before = account_now();
    long made = FAMILY->made;
    char name[40];
    snprintf(name, sizeof(name), "seed %#lx", seed);
    printf("# %s\n", name);
    fflush(stdout);
    int pid = fork();
    if (pid == 0)
        family(seed);
    CHECK(pid > 0);
    family_end(pid);
    empty = FAMILY->made == made ? empty + 1 : 0;
    CHECK(empty < 20);
    struct account after = account_now();
    return account_differs(&before, &after, name);
}

int main(int argc, char *argv[])
{
    if (getpid() != 1 || argc < 3)
        return 0; /* a family member has executed this very program */
    uint64_t seed = strtoull(argv[1], NULL, 0);
    const char *defect = argc > 3 ? argv[3] : NULL;
    long limit = atol(argv[2]);
    int failed = 0;
    long began = now_ms();
    mmap(FAMILY, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    mkdir(HOME, 0755);
    signal(SIGUSR1, SIG_IGN); /* until a member handles it */
    printf("KTAP version 1\n1..1\n");
    (void)round_run(0); /* allocates what the kernel allocates once and keeps */
    if (defect && file_put_text("/proc/defect", defect))
        printf("    # no defect %s in this kernel\n", defect);
    for (uint64_t round = 0; FAMILY->made < limit && !failed; round++)
        failed = round_run(seed + round * 0x9e3779b97f4a7c15ul);
    if (defect)
        file_put_text("/proc/defect", "none");
    printf("    # seed %#lx, %ld calls in %ld ms\n", seed, FAMILY->made, now_ms() - began);
    ktap_result(defect ? failed : !failed, "random_calls", defect, NULL);
    return ktap_failures();
}
