/* SPDX-License-Identifier: MIT */
/*
 * Loads that make processes, threads and CPUs get in each other's way, for as long as one likes.
 * Process 1 of an image of its own:
 *
 *     stress MILLISECONDS [PROCESSES [KEY]]
 *
 * runs each load whose name contains KEY for so many milliseconds, the one with many processes with
 * so many. After each the number of frames is what it was before, the walker finds nothing, and no
 * CPU has been found stuck. A load with a planted defect to notice runs again with it and must
 * fail. Prints KTAP.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sys/mman.h>
#include <time.h>

#include "test.h"
#include "thread.h"

#define RW               (PROT_READ | PROT_WRITE)
#define PRIVATE          (MAP_PRIVATE | MAP_ANONYMOUS)
#define PAGE             4096
#define SECONDS_LATE_MAX 150 /* how long after its time a load may end */

struct load {
    const char *name;
    void (*run)(void);
    int may_be_killed;  /* out of memory may end its first process as well */
    const char *defect; /* that it must notice, or NULL */
};

static long load_ms = 1000, process_count = 512;
static long deadline_ms;
static const char *myself;

/* ---- What loads are made of --------------------------------------------- */

static long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int time_left(void) { return now_ms() < deadline_ms; }

static __thread uint64_t random_state;

static unsigned random_below(unsigned limit)
{
    if (!random_state)
        random_state = rdtsc() | 1;
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state >> 11) % limit;
}

static void sleep_us(long us)
{
    struct timespec pause = { 0, us * 1000 };
    nanosleep(&pause, NULL);
}

static char *map(size_t bytes, int sharing)
{
    void *at = mmap(NULL, bytes, RW, sharing | MAP_ANONYMOUS, -1, 0);
    CHECK(at != MAP_FAILED);
    return at;
}

/* Call down so many levels, do it, and return through all of them. */
__attribute__((noinline)) static int deep(unsigned levels, void (*at_the_bottom)(void))
{
    int reached = 1;
    if (levels)
        reached += deep(levels - 1, at_the_bottom);
    else if (at_the_bottom)
        at_the_bottom();
    __asm__ volatile("" : : : "memory");
    return reached;
}

static int reap(int pid)
{
    int status = -1;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    return status;
}

/* Run body in several processes at once; each must end with 0. */
static void in_processes(int count, void (*body)(void))
{
    int pids[32];
    for (int i = 0; i < count; i++) {
        pids[i] = fork();
        CHECK(pids[i] >= 0);
        if (pids[i] == 0) {
            random_state = rdtsc() * 2654435761u | 1;
            body();
            _exit(0);
        }
    }
    for (int i = 0; i < count; i++)
        CHECK_EQ(reap(pids[i]), 0);
}

static int busy_count(void) { return cpu_count() + 2; }

/* ---- Fork storms, in the depth of a shadow stack ------------------------ */

static int generations;

/* Both sides return through all the frames that were there before. */
static void fork_once(void)
{
    int child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        if (generations-- > 0)
            (void)deep(random_below(40), fork_once);
        return;
    }
    CHECK_EQ(reap(child), 0);
}

static void fork_repeatedly(void)
{
    int self = (int)raw0(SYS_getpid);
    while (time_left()) {
        unsigned levels = random_below(300);
        generations = 2;
        CHECK_EQ(deep(levels, fork_once), levels + 1);
        if (raw0(SYS_getpid) != self)
            _exit(0);
    }
}

static void load_forks(void) { in_processes(busy_count(), fork_repeatedly); }

/* ---- Threads that come and go ------------------------------------------- */

static void *go_deep(void *levels) { return (void *)(long)deep((unsigned)(long)levels, NULL); }

static void *leave_for_all(void *unused)
{
    (void)unused;
    raw_exit(deep(random_below(50), NULL) ? 0 : 1);
    return NULL;
}

/* A process that one of its threads ends, while the others come and go. */
static void end_by_a_thread(void)
{
    int child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        pthread_t thread;
        for (int i = 0; i < 3; i++)
            pthread_create(&thread, NULL, i == 1 ? leave_for_all : go_deep, (void *)20l);
        for (;;)
            sleep_us(1000);
    }
    CHECK_EQ(reap(child), 0);
}

static void thread_repeatedly(void)
{
    pthread_t threads[8];
    void *reached;
    while (time_left()) {
        long levels = random_below(400);
        for (int i = 0; i < 8; i++) {
            CHECK_EQ(pthread_create(&threads[i], NULL, go_deep, (void *)levels), 0);
            if (i & 1)
                CHECK_EQ(pthread_detach(threads[i]), 0);
        }
        for (int i = 0; i < 8; i += 2) {
            CHECK_EQ(pthread_join(threads[i], &reached), 0);
            CHECK_EQ((long)reached, levels + 1);
        }
        end_by_a_thread();
    }
}

static void load_threads(void) { in_processes(3, thread_repeatedly); }

/* ---- Copy-on-write, to and fro ------------------------------------------ */

#define SHARED_PAGES 48

static volatile long *pages;

static volatile long *word_of(int i) { return pages + i * (PAGE / (int)sizeof(long)); }

/* Everybody writes his own mark into the same pages, and must find it again. */
static void mark_and_look(long mark)
{
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < SHARED_PAGES; i++)
            *word_of((i * 7 + round) % SHARED_PAGES) = mark + round;
        if (random_below(2))
            raw0(SYS_sched_yield);
        for (int i = 0; i < SHARED_PAGES; i++)
            CHECK_EQ(*word_of(i), mark + round);
    }
}

static void families(void)
{
    int pids[3];
    pages = (volatile long *)map(SHARED_PAGES * PAGE, MAP_PRIVATE);
    for (long family = 1; time_left(); family++) {
        mark_and_look(family * 1000);
        for (int i = 0; i < 3; i++) {
            pids[i] = fork();
            CHECK(pids[i] >= 0);
            if (pids[i] == 0) {
                CHECK_EQ(*word_of(5) / 1000, family);
                mark_and_look(family * 1000 + 100 * (i + 1));
                _exit(0);
            }
        }
        mark_and_look(family * 1000 + 500);
        for (int i = 0; i < 3; i++)
            CHECK_EQ(reap(pids[i]), 0);
    }
}

static void load_cow(void) { in_processes(busy_count() / 2, families); }

/* ---- Mappings that change under those who use them ---------------------- */

#define ARENA_PAGES 64

static volatile char *arena;
static volatile int arena_done;

/* A page of the arena is always mapped and writable: it holds 0, or what the same thread has
 * just stored. */
static void *use_the_arena(void *mark)
{
    while (!arena_done) {
        volatile char *at = arena + random_below(ARENA_PAGES) * PAGE + (long)mark;
        char saw = *at;
        if (saw != 0 && saw != (char)(long)mark)
            raw_exit(97);
        *at = (char)(long)mark;
    }
    return NULL;
}

/* The same through the kernel, of memory that may be unmapped at any moment. */
static void *use_through_the_kernel(void *unstable)
{
    int ends[2];
    char *at = unstable;
    if (pipe2(ends, O_NONBLOCK))
        raw_exit(96);
    while (!arena_done) {
        char byte = 0;
        char *there = at + random_below(16) * PAGE;
        if (write(ends[1], there, 1) < 0 && errno != EFAULT)
            raw_exit(95);
        if (write(ends[1], &byte, 1) != 1 || (read(ends[0], there, 1) < 0 && errno != EFAULT))
            raw_exit(94);
        while (read(ends[0], &byte, 1) == 1) {}
    }
    return NULL;
}

static void change_the_arena(void)
{
    unsigned first = random_below(ARENA_PAGES), count = 1 + random_below(ARENA_PAGES - first);
    char *at = (char *)arena + first * PAGE;
    switch (random_below(4)) {
    case 0: CHECK_EQ(madvise(at, count * PAGE, MADV_DONTNEED), 0); break;
    case 1: CHECK_EQ(mprotect(at, count * PAGE, RW | PROT_EXEC), 0); break;
    case 2: CHECK_EQ(mprotect(at, count * PAGE, RW), 0); break;
    case 3: CHECK(mmap(at, count * PAGE, RW, PRIVATE | MAP_FIXED, -1, 0) == at); break;
    }
}

static void change_unstable(char *unstable)
{
    char *at = unstable + random_below(16) * PAGE;
    switch (random_below(4)) {
    case 0: munmap(at, PAGE * (1 + random_below(4))); break;
    case 1: mprotect(at, PAGE, PROT_READ); break;
    case 2: mprotect(at, PAGE, PROT_NONE); break;
    case 3: CHECK(mmap(unstable, 16 * PAGE, RW, PRIVATE | MAP_FIXED, -1, 0) == unstable); break;
    }
}

static void remap_repeatedly(void)
{
    pthread_t threads[4];
    char *unstable = map(16 * PAGE + 4 * PAGE, MAP_PRIVATE);
    arena = map(ARENA_PAGES * PAGE, MAP_PRIVATE);
    for (long i = 0; i < 3; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, use_the_arena, (void *)(i + 1)), 0);
    CHECK_EQ(pthread_create(&threads[3], NULL, use_through_the_kernel, unstable), 0);
    while (time_left()) {
        change_the_arena();
        change_unstable(unstable);
        if (random_below(20) == 0) {
            int child = fork();
            CHECK(child >= 0);
            if (child == 0)
                raw_exit(0);
            CHECK_EQ(reap(child), 0);
        }
    }
    arena_done = 1;
    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

static void load_mappings(void) { in_processes(2, remap_repeatedly); }

/* ---- kill against fork and exec ----------------------------------------- */

static void *exec_me(void *unused)
{
    char *const argv[] = { (char *)myself, "nothing", NULL };
    execv(myself, argv);
    return unused;
}

/* Fork and exec until killed. */
static void fork_and_exec_for_ever(void)
{
    for (;;) {
        int child = fork();
        if (child == 0) {
            pthread_t thread;
            switch (random_below(3)) {
            case 0: exec_me(NULL); break;
            case 1:
                pthread_create(&thread, NULL, exec_me, NULL);
                deep(200, NULL);
                break;
            case 2:
                pthread_create(&thread, NULL, go_deep, (void *)100l);
                exec_me(NULL);
                break;
            }
            _exit(0);
        }
        if (child > 0 && random_below(2))
            waitpid(child, NULL, 0);
        while (waitpid(-1, NULL, WNOHANG) > 0) {}
    }
}

static void kill_repeatedly(void)
{
    while (time_left()) {
        int child = fork();
        CHECK(child >= 0);
        if (child == 0)
            fork_and_exec_for_ever();
        sleep_us(500 + random_below(6000));
        CHECK_EQ(kill(child, SIGKILL), 0);
        CHECK_EQ(reap(child), SIGKILL);
    }
}

static void load_kills(void) { in_processes(busy_count() / 2, kill_repeatedly); }

/* ---- Out of memory ------------------------------------------------------ */

static void *take_memory(void *unused)
{
    for (;;) {
        volatile char *at = mmap(NULL, 1 << 20, RW, PRIVATE, -1, 0);
        if (at == MAP_FAILED)
            return unused;
        for (int i = 0; i < 1 << 20; i += PAGE)
            at[i] = 1;
        if (random_below(30) == 0 && fork() == 0) {
            for (int i = 0; i < 1 << 20; i += PAGE)
                at[i] = 2;
        }
    }
}

static void be_greedy(void)
{
    pthread_t thread;
    if (random_below(2))
        pthread_create(&thread, NULL, take_memory, NULL);
    take_memory(NULL);
    _exit(12);
}

/* The hogs must share no page with process 1, which then needs no memory to go on: hence a
 * program of its own. */
static void hogs(void)
{
    do {
        int pids[4];
        for (int i = 0; i < 4; i++) {
            pids[i] = fork();
            if (pids[i] == 0)
                be_greedy();
        }
        for (int i = 0; i < 4; i++) {
            int status = 0;
            if (pids[i] > 0 && waitpid(pids[i], &status, 0) == pids[i])
                CHECK(status == SIGKILL || status == 12 << 8);
        }
    } while (time_left());
}

static void load_memory(void)
{
    char ms[24];
    snprintf(ms, sizeof(ms), "%ld", load_ms);
    char *const argv[] = { (char *)myself, "hogs", ms, NULL };
    execv(myself, argv);
    CHECK(!"exec");
}

/* ---- Many processes, each of which waits for the one before ------------- */

static int ring[2], home[2];

/* Pass on what comes, until nothing comes any more. */
static void pass_on(int from, int to)
{
    char byte;
    while (read(from, &byte, 1) == 1)
        (void)!write(to, &byte, 1);
    _exit(0);
}

/* Each makes the next one, as far as memory reaches; the last one's output goes home. */
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

static void ring_once(void)
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
    CHECK_EQ(read(home[0], &back, 1), 0); /* all have gone, one after the other */
    close(home[0]);
    CHECK_EQ(reap(first), 0);
}

/* ---- /proc against exit ------------------------------------------------- */

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

/* Reach into a process that is about to go: every call may fail, none may find anything but what
 * was there. */
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

static void load_proc(void) { in_processes(busy_count() / 2, look_repeatedly); }

/* ---- Locks of user space, and their owners' deaths ---------------------- */

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

/* Processes with threads meet at one mutex, and are killed wherever they happen to be. */
static void load_futexes(void)
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

/* ---- The runner --------------------------------------------------------- */

static const struct load loads[] = {
    { "forks_in_the_depth_of_a_shadow_stack", load_forks, 0, "ref_leak" },
    { "threads_come_and_go", load_threads, 0, NULL },
    { "copy_on_write_to_and_fro", load_cow, 0, "skip_cow_copy" },
    { "mappings_change_under_their_users", load_mappings, 0, NULL },
    { "kill_against_fork_and_exec", load_kills, 0, NULL },
    { "futexes_of_the_killed", load_futexes, 0, NULL },
    { "proc_against_exit", load_proc, 0, NULL },
    { "many_processes_in_a_ring", ring_once, 0, NULL },
    { "out_of_memory_under_load", load_memory, 1, NULL },
};

static int number, failures;

static void result(int ok, const char *name, const char *defect)
{
    printf("%sok %d - stress_%s%s%s\n", ok ? "" : "not ", ++number, name, defect ? " notices " : "",
           defect ? defect : "");
    fflush(stdout);
    failures += !ok;
}

/* Who is left, by state: a lost wake-up leaves waiting ones only. */
static void show_states(void)
{
    int count[128] = { 0 }, last = 0;
    char path[64], state;
    FILE *max = fopen("/proc/self/stat", "r");
    (void)!(max && fscanf(max, "%d", &last));
    if (max)
        fclose(max);
    for (int pid = 2; pid < 200000; pid++) {
        snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        FILE *file = fopen(path, "r");
        if (file && fscanf(file, "%*d %*s %c", &state) == 1)
            count[(int)state & 127]++;
        if (file)
            fclose(file);
    }
    printf("    # left: %d runnable, %d waiting, %d zombies\n%s", count['R'], count['S'],
           count['Z'], file_text("/proc/counters"));
}

/* Wait for pid, but not for ever, and reap orphans meanwhile; its wait status, or -1. */
static int await(int pid, long until_ms)
{
    int status, ended;
    while (now_ms() < until_ms) {
        while ((ended = waitpid(-1, &status, WNOHANG)) > 0) {
            if (ended == pid)
                return status;
        }
        sleep_us(5000);
    }
    printf("    # no end\n");
    show_states();
    return -1;
}

static void reap_all(void)
{
    kill(-1, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0) {}
}

struct account {
    long frames;
    unsigned violations, stuck;
};

static struct account account_now(void)
{
    struct account account = { frames_in_use(), 0, 0 };
    unsigned now = 1;
    const char *line = strchr(file_text("/proc/check"), '\n');
    if (!line || sscanf(line, "\n%u CPUs found stuck", &account.stuck) != 1)
        printf("    # /proc/check does not tell of stuck CPUs\n");
    if (!check_counts(&now, &account.violations) || now)
        account.violations = ~0u;
    return account;
}

static int account_differs(const struct account *before, const struct account *after)
{
    if (after->frames != before->frames)
        printf("    # %ld frames used before, %ld after\n", before->frames, after->frames);
    if (after->violations != before->violations)
        printf("    # the walker found a broken entry\n");
    if (after->stuck != before->stuck)
        printf("    # %u CPUs were stuck\n", after->stuck - before->stuck);
    return after->frames != before->frames || after->violations != before->violations
           || after->stuck != before->stuck;
}

/* Run a load for ms in a process of its own; 1 when it failed. */
static int run(const struct load *load, long ms, const char *defect)
{
    int ready[2];
    char byte;
    struct account before = account_now();
    CHECK_EQ(pipe(ready), 0);
    fflush(stdout);
    int pid = fork();
    if (pid == 0) {
        close(ready[1]);
        (void)!read(ready[0], &byte, 1);
        close(ready[0]);
        if (defect)
            dup2(open("/dev/null", O_WRONLY), 1);
        load->run();
        _exit(0);
    }
    close(ready[0]);
    if (defect && file_put_text("/proc/defect", defect))
        printf("    # no defect %s in this kernel\n", defect);
    close(ready[1]);
    int status = await(pid, now_ms() + ms + SECONDS_LATE_MAX * 1000);
    if (defect)
        file_put_text("/proc/defect", "none");
    reap_all();
    if (status != 0)
        printf("    # wait status %#x\n", (unsigned)status);
    struct account after = account_now();
    return account_differs(&before, &after)
           || !(status == 0 || (load->may_be_killed && status == SIGKILL));
}

int main(int argc, char *argv[])
{
    myself = argv[0];
    if (argc > 1 && strcmp(argv[1], "nothing") == 0)
        return 0;
    if (argc > 2 && strcmp(argv[1], "hogs") == 0) {
        deadline_ms = now_ms() + atol(argv[2]);
        hogs();
        return 0;
    }
    if (argc > 1)
        load_ms = atol(argv[1]);
    if (argc > 2)
        process_count = atol(argv[2]);
    const char *key = argc > 3 ? argv[3] : "";
    int planned = 0;
    for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++)
        planned += strstr(loads[i].name, key) ? 1 + !!loads[i].defect : 0;
    printf("KTAP version 1\n1..%d\n", planned);
    for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
        const struct load *load = &loads[i];
        if (!strstr(load->name, key))
            continue;
        deadline_ms = now_ms() + load_ms;
        result(!run(load, load_ms, NULL), load->name, NULL);
        if (load->defect) {
            deadline_ms = now_ms() + 300;
            result(run(load, 300, load->defect), load->name, load->defect);
        }
    }
    return failures != 0;
}
