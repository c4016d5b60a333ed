/* SPDX-License-Identifier: MIT */
/* Proves: a frame that is freed while a leaf maps it is noticed at that moment. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/defect.h"

#define ARENA_BYTES (8ull << 20)
#define VA          0x10000000ull

/* A parent with one page forks, and its child ends. */
static bool child_comes_and_goes(void)
{
    struct map_request request = { .start = VA,
                                   .len = PAGE_SIZE,
                                   .flags = VM_READ | VM_WRITE,
                                   .fixed = true };
    uint64_t at, value = 1;
    struct mm *child, *parent = mm_create();
    if (!parent || mm_map(parent, &request, &at)
        || cpu_access(parent, VA, CPU_STORE, &value) != FAULT_OK_SPURIOUS
        || mm_fork(parent, FORK_LEAVES, &child))
        return false;
    mm_put(child);
    bool kept = cpu_access(parent, VA, CPU_LOAD, &value) == FAULT_OK_SPURIOUS && value == 1;
    mm_put(parent);
    return kept;
}

/* What the kernel says last, in a process of its own with a planted defect. */
static bool panics_saying(const char *words, const char *defect)
{
    int ends[2];
    char text[4096];
    fflush(stdout);
    if (pipe(ends))
        return false;
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], 1);
        if (defect_set(defect) == 0)
            (void)child_comes_and_goes();
        _exit(0);
    }
    close(ends[1]);
    size_t len = 0;
    for (ssize_t more; (more = read(ends[0], text + len, sizeof(text) - 1 - len)) > 0;)
        len += (size_t)more;
    text[len] = 0;
    close(ends[0]);
    waitpid(pid, NULL, 0);
    return strstr(text, words) || diagnose("it says: %s", text);
}

int main(void)
{
    fake_start(ARENA_BYTES);
    plan(2);
    result("a_frame_outlives_its_leaves", child_comes_and_goes());
    result("a_frame_outlives_its_leaves notices ref_forgotten",
           panics_saying("is freed while 1 leaves map it", "ref_forgotten"));
    return suite_status();
}
