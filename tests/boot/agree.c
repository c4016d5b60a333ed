/* SPDX-License-Identifier: MIT */
/* A program for tests/boot/compare.py: prints what must be the same on Penumbra and on Linux; with
 * the word uname, also what must not. */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char *argv[], char *environment[])
{
    char folder[100];
    struct utsname name;
    int status = 0;
    for (int i = 0; i < argc; i++)
        printf("argv[%d] = '%s'\n", i, argv[i]);
    for (char **at = environment; *at; at++)
        printf("%s\n", *at);
    printf("in %s, pid %d of %d\n", getcwd(folder, sizeof(folder)), getpid(), getppid());
    for (int i = 0; i < 3; i++)
        printf("%d is %s terminal\n", i, isatty(i) ? "a" : "no");
    if (argc > 1 && strcmp(argv[1], "uname") == 0 && uname(&name) == 0)
        printf("%s %s\n", name.sysname, name.release);
    fflush(stdout);
    int child = fork();
    if (child == 0)
        *(volatile int *)8 = 1;
    printf("pid %d, ", child);
    waitpid(child, &status, 0);
    printf("signal %d; \x1b[1mbold\\ and no newline", WTERMSIG(status));
    return 7;
}
