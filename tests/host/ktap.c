/* SPDX-License-Identifier: MIT */
/* The host suites report in KTAP. */
#include "fake.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

bool quiet;
static unsigned number, failed;

void plan(unsigned tests) { printf("KTAP version 1\n1..%u\n", tests); }

void result(const char *name, bool passed)
{
    printf("%sok %u - %s\n", passed ? "" : "not ", ++number, name);
    fflush(stdout);
    failed += !passed;
}

int suite_status(void) { return failed != 0; }

bool diagnose(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!quiet) {
        printf("# ");
        vprintf(format, args);
        printf("\n");
    }
    va_end(args);
    return false;
}

bool panics_saying(const char *words, void (*function)(void))
{
    int ends[2];
    char text[4096];
    fflush(stdout);
    if (pipe(ends))
        return diagnose("no pipe");
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], 1);
        function();
        _exit(0);
    }
    close(ends[1]);
    size_t len = 0;
    for (ssize_t more; (more = read(ends[0], text + len, sizeof(text) - 1 - len)) > 0;)
        len += (size_t)more;
    text[len] = 0;
    close(ends[0]);
    int status = 0;
    waitpid(pid, &status, 0);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
        return diagnose("no panic: status %#x", (unsigned)status);
    return strstr(text, words) || diagnose("it says: %s", text);
}
