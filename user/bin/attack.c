/* SPDX-License-Identifier: MIT */
/* attack: the same overflow against a program with a shadow stack and one without. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "raw.h"
#include "smash.h"

static void show(const char *who, int pid)
{
    int status;
    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status))
        printf("  %s: killed by signal %d (%s)\n", who, WTERMSIG(status),
               strsignal(WTERMSIG(status)));
    else
        printf("  %s: exit status %d\n", who, WEXITSTATUS(status));
}

int main(void)
{
    static const char *const victim[] = { "/bin/victim", NULL };
    printf("With a shadow stack%s:\n",
           rdssp() ? "" : " (there is none here, so this one falls too)");
    fflush(stdout);
    int pid = fork();
    if (pid == 0)
        smash(gadget_loud);
    show("protected", pid);
    printf("Without one (/bin/victim, not marked):\n");
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        execv(victim[0], (char *const *)victim);
        _exit(127);
    }
    show("victim", pid);
    return 0;
}
