/* SPDX-License-Identifier: MIT */
#include "supervise.h"

#include <fcntl.h>
#include <time.h>

#include "portable.h"
#include "test.h"

/* Wait for pid until the time is up, and reap orphans meanwhile. */
static int await(int pid, int seconds_max)
{
    struct timespec tick = { 0, 5000000 }, start, now;
    int status, ended;
    clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        while ((ended = waitpid(-1, &status, WNOHANG)) > 0) {
            if (ended == pid)
                return status;
        }
        nanosleep(&tick, NULL);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec - start.tv_sec <= seconds_max && !portable_refused());
    return SUPERVISE_NO_END;
}

/* Print which tasks are left, by state. After a lost wake-up all of them wait. */
static void states_show(void)
{
    if (portable())
        return;
    int count[128] = { 0 };
    char path[64], state;
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

static void child_run(void (*body)(void), const char *defect, const int *ready)
{
    char byte;
    close(ready[1]);
    (void)!read(ready[0], &byte, 1); /* until the defect is on */
    close(ready[0]);
    if (defect)
        dup2(open("/dev/null", O_WRONLY), 1);
    body();
    fflush(stdout);
    _exit(0);
}

int supervise(void (*body)(void), const char *defect, int seconds_max)
{
    int ready[2];
    CHECK_EQ(pipe(ready), 0);
    fflush(stdout);
    int pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        child_run(body, defect, ready);
    close(ready[0]);
    if (defect && file_put_text("/proc/defect", defect))
        printf("    # no defect %s in this kernel\n", defect);
    close(ready[1]);
    int status = await(pid, seconds_max);
    if (defect)
        file_put_text("/proc/defect", "none");
    if (!portable())
        file_put_text("/proc/trace", "0");
    if (portable_refused()) {
        status = 0;
    } else if (status == SUPERVISE_NO_END) {
        printf("    # no end after %d s\n", seconds_max);
        states_show();
    } else if (WIFSIGNALED(status)) {
        printf("    # killed by signal %d\n", WTERMSIG(status));
    }
    kill(-1, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0) {}
    return status;
}

struct account account_now(void)
{
    struct account account = { frames_in_use(), ~0u, 0 };
    unsigned now, total;
    const char *line = strchr(file_text("/proc/check"), '\n');
    if (!line || sscanf(line, "\n%u CPUs found stuck", &account.stuck) != 1)
        printf("    # /proc/check does not tell of stuck CPUs\n");
    if (check_counts(&now, &total) && now == 0)
        account.violations = total;
    return account;
}

int account_differs(const struct account *before, const struct account *after, const char *name)
{
    int kept = after->frames != before->frames, broken = after->violations != before->violations,
        stuck = after->stuck != before->stuck;
    if (kept)
        printf("    # %s: %ld frames used before, %ld after\n", name, before->frames,
               after->frames);
    if (broken)
        printf("    # %s: the walker found a broken entry\n", name);
    if (stuck)
        printf("    # %s: %u CPUs were stuck\n", name, after->stuck - before->stuck);
    return kept || broken || stuck;
}

static int number, failures;

void ktap_result(int ok, const char *name, const char *defect, const char *skip)
{
    printf("%sok %d - %s%s%s%s%s\n", ok ? "" : "not ", ++number, name, defect ? " notices " : "",
           defect ? defect : "", skip ? " # SKIP " : "", skip ? skip : "");
    fflush(stdout);
    failures += !ok;
}

int ktap_failures(void) { return failures; }
