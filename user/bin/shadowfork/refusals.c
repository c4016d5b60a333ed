/* SPDX-License-Identifier: MIT */
/* What is refused: each attempt is made by a process of its own. */
#include "story.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "smash.h"

/* Run attempt in a child; its wait status, and what the kernel recorded of a refusal. */
static int attempt_run(void (*attempt)(void), struct refusal *refusal)
{
    int status = -1;
    fflush(stdout);
    int pid = fork();
    if (pid == 0) {
        attempt();
        _exit(0);
    }
    waitpid(pid, &status, 0);
    if (!refusal_of(pid, refusal))
        memset(refusal, 0, sizeof(*refusal));
    return status;
}

static const char *code_text(int code)
{
    return code == 1    ? "SEGV_MAPERR"
           : code == 2  ? "SEGV_ACCERR"
           : code == 10 ? "SEGV_CPERR"
                        : "no code";
}

static void saw_refusal(const char *who, int status, const struct refusal *refusal)
{
    if (WIFSIGNALED(status))
        printf("    saw     %-6s killed by signal %d, %s, error code 0x%lx, address 0x%lx\n", who,
               WTERMSIG(status), code_text(refusal->code), refusal->error, refusal->addr);
    else
        printf("    saw     %-6s exit status %d\n", who, WEXITSTATUS(status));
}

static bool refused(int status, const struct refusal *refusal, int code)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV && refusal->code == code;
}

static void attempt_store(void)
{
    *(volatile uint64_t *)rdssp() = 0x41414141;
    raw_exit(0);
}

void story_store(void)
{
    struct refusal refusal;
    step("A program stores to its own shadow stack directly");
    if (skip())
        return;
    expect("SIGSEGV, SEGV_ACCERR, error code 0x7: a store by the user to a page that is present");
    int status = attempt_run(attempt_store, &refusal);
    saw_refusal("child", status, &refusal);
    must(refused(status, &refusal, 2) && refusal.error == 7);
    step_end();
}

static void attempt_smash(void) { smash(gadget); }

static void attempt_smash_unprotected(void)
{
    raw_arch_prctl(ARCH_SHSTK_DISABLE, ARCH_SHSTK_SHSTK);
    smash(gadget);
}

void story_smash(void)
{
    struct refusal with = { 0 }, without;
    step("A smashed return address, with and without a shadow stack side by side");
    if (protected)
        expect("with: SIGSEGV, SEGV_CPERR (#CP, near RET)");
    expect("without: the attacker's code runs and exits with 66");
    int status = protected ? attempt_run(attempt_smash, &with) : 0;
    int status_without = attempt_run(attempt_smash_unprotected, &without);
    if (protected)
        saw_refusal("with", status, &with);
    saw_refusal("without", status_without, &without);
    must(!protected || (refused(status, &with, 10) && with.error == 1));
    must(WIFEXITED(status_without) && WEXITSTATUS(status_without) == GADGET_STATUS);
    step_end();
}

static uint64_t one_page_stack(void)
{
    return (uint64_t)raw3(SYS_map_shadow_stack, 0, 4096, SHADOW_STACK_SET_TOKEN);
}

static void attempt_guard_below(void)
{
    volatile uint64_t *stack = (uint64_t *)one_page_stack();
    (void)stack[0];
    (void)stack[-1];
}

static void attempt_guard_above(void)
{
    volatile uint64_t *stack = (uint64_t *)one_page_stack();
    (void)stack[511];
    (void)stack[512];
}

void story_guards(void)
{
    struct refusal below, above;
    step("Guard pages lie at both ends of a shadow stack");
    if (skip())
        return;
    expect("a load just below and one just above: SIGSEGV, SEGV_MAPERR");
    int status_below = attempt_run(attempt_guard_below, &below),
        status_above = attempt_run(attempt_guard_above, &above);
    saw_refusal("below", status_below, &below);
    saw_refusal("above", status_above, &above);
    must(refused(status_below, &below, 1) && refused(status_above, &above, 1));
    step_end();
}
