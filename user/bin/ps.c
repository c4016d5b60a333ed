/* SPDX-License-Identifier: MIT */
/* ps: what /proc says of each process. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ptes.h"

/* The value behind "NAME:" in a status file. */
static const char *field(const char *text, const char *name, char *value, size_t size)
{
    const char *at = strstr(text, name);
    value[0] = 0;
    if (at) {
        at += strlen(name);
        at += strspn(at, ": \t");
        snprintf(value, size, "%.*s", (int)strcspn(at, "\n"), at);
    }
    return value;
}

int main(void)
{
    DIR *proc = opendir("/proc");
    printf("%6s %6s %s %9s  %-16s %s\n", "PID", "PPID", "S", "RSS", "NAME", "FEATURES");
    for (struct dirent *entry; proc && (entry = readdir(proc));) {
        char path[300], pid[16], ppid[16], state[8], rss[24], name[24], features[24];
        if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
            continue;
        snprintf(path, sizeof(path), "/proc/%s/status", entry->d_name);
        const char *text = file_text(path);
        printf("%6s %6s %s %9s  %-16s %s\n", field(text, "\nPid", pid, sizeof(pid)),
               field(text, "PPid", ppid, sizeof(ppid)), field(text, "State", state, sizeof(state)),
               field(text, "VmRSS", rss, sizeof(rss)), field(text, "Name", name, sizeof(name)),
               field(text, "Thread_features", features, sizeof(features)));
    }
    return 0;
}
