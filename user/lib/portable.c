/* SPDX-License-Identifier: MIT */
#include "portable.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static volatile int *refused; /* shared with all processes of the run; NULL in any other run */

int portable_begin(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return -1;
    refused = page;
    return 0;
}

bool portable(void) { return refused != NULL; }

void penumbra_only(void)
{
    if (!refused)
        return;
    *refused = 1;
    _exit(0);
}

void penumbra_only_file(const char *path)
{
    bool of_a_process = strncmp(path, "/proc/", 6) == 0 && path[6] >= '0' && path[6] <= '9';
    if (strncmp(path, "/proc/", 6) == 0 && !of_a_process && strcmp(path, "/proc/cpuinfo") != 0)
        penumbra_only();
}

bool portable_refused(void) { return refused && *refused; }

void portable_next(void)
{
    if (refused)
        *refused = 0;
}
