/* SPDX-License-Identifier: MIT */
/* Proves: every attack of /bin/attack is blocked; and for what it is there that blocks one. */
#include <fcntl.h>

#include "test.h"

static char missed[512]; /* the names of attacks that were not blocked, each with a blank */

/* Run all attacks; the exit status. */
static int attack_all(void)
{
    static char *const words[] = { "/bin/attack", NULL };
    char line[200];
    int ends[2], status;
    CHECK_EQ(pipe(ends), 0);
    int pid = fork();
    if (pid == 0) {
        dup2(ends[1], 1);
        close(ends[0]);
        execv(words[0], words);
        _exit(127);
    }
    close(ends[1]);
    FILE *said = fdopen(ends[0], "r");
    missed[0] = 0;
    while (fgets(line, sizeof(line), said)) {
        char name[40];
        if (sscanf(line, "not blocked: %39s", name) == 1)
            sprintf(missed + strlen(missed), "%s ", name);
    }
    fclose(said);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    return status;
}

TEST_SHSTK(attacks_are_blocked, "refusals_off")
{
    int status = attack_all();
    if (missed[0])
        printf("    # not blocked: %s\n", missed);
    CHECK_EQ(status, 0);
}

/* One of the kernel's refusals is taken away: the attacks that it stops work, and no others. */
static void without(const char *defect, const char *attacks)
{
    file_put_text("/proc/defect", defect);
    int status = attack_all();
    file_put_text("/proc/defect", "none");
    if (strcmp(missed, attacks))
        printf("    # with %s: expect \"%s\", saw \"%s\"\n", defect, attacks, missed);
    CHECK(strcmp(missed, attacks) == 0);
    CHECK_EQ(status, 1 << 8);
}

TEST_SHSTK(attacks_by_wrss_work_when_it_needs_no_leave, "") { without("wrss_always", "wrss "); }

TEST_SHSTK(attacks_by_tokens_work_where_any_page_has_them, "")
{
    without("sigreturn_any_page", "srop-past-end ");
}

TEST_SHSTK(attacks_over_the_ends_work_without_guards, "")
{
    without("no_guard", "overflow underflow stride ");
}
