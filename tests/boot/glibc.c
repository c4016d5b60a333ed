/* SPDX-License-Identifier: MIT */
/* A glibc program with stdio, malloc and fork, for tests/boot/programs.py. Its output does not
 * depend on where it runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char *argv[])
{
    size_t bytes = 3 << 20;
    char *block = malloc(bytes);
    if (argc != 3 || !block)
        return 1;
    memset(block, 'x', bytes);
    printf("glibc: %s %s %.2f %zu\n", argv[1], argv[2], 2.5 * argc, strlen(argv[2]));
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        block[0] = 'y';
        printf("glibc: child sees %c%c\n", block[0], block[bytes - 1]);
        exit(7);
    }
    int status;
    if (waitpid(child, &status, 0) != child)
        return 2;
    printf("glibc: child left with %d, parent sees %c\n", WEXITSTATUS(status), block[0]);
    block = realloc(block, 2 * bytes);
    free(block);
    return block ? 42 : 3;
}
