/* SPDX-License-Identifier: MIT */
#include "test.h"

int in_child(void (*function)(void), int *pid)
{
    int status = -1;
    fflush(stdout);
    int child = fork();
    if (child == 0) {
        function();
        _exit(0);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    if (pid)
        *pid = child;
    return status;
}

void check_killed(void (*function)(void), int signal, int code, long error)
{
    struct refusal refusal = { 0 };
    int pid, status = in_child(function, &pid);
    if (WIFEXITED(status))
        CHECK_EQ(WEXITSTATUS(status), -1); /* shows the exit status instead */
    CHECK_EQ(WTERMSIG(status), signal);
    if (portable())
        return; /* the rest is in /proc/trace */
    CHECK(refusal_of(pid, &refusal));
    CHECK_EQ(refusal.signal, signal);
    if (signal == SIGSEGV)
        CHECK_EQ(refusal.code, code);
    if (error >= 0)
        CHECK_EQ(refusal.error, error);
}

void trace_on(void) { file_put_text("/proc/trace", "1"); }

int trace_count(int pid, const char *why, uint64_t va, uint64_t before)
{
    char line[200], reason[32];
    int count = 0, who;
    uint64_t time, at;
    penumbra_only();
    FILE *file = fopen("/proc/trace", "r");
    while (file && fgets(line, sizeof(line), file)) {
        if (sscanf(line, "%lu %*u %d 0x%lx %*s %*s %*s %31s", &time, &who, &at, reason) == 4
            && who == pid && strcmp(reason, why) == 0 && (at ^ va) < 4096 && time < before)
            count++;
    }
    if (file)
        fclose(file);
    return count;
}

int cpu_count(void)
{
    uint64_t cpus = 1;
    raw3(SYS_sched_getaffinity, 0, sizeof(cpus), (long)&cpus);
    return __builtin_popcountl(cpus);
}

void pin(int cpu)
{
    uint64_t cpus = 1ul << cpu;
    CHECK_EQ(raw3(SYS_sched_setaffinity, 0, sizeof(cpus), (long)&cpus), 0);
}
