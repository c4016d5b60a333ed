/* SPDX-License-Identifier: MIT */
/*
 * attack: attacks on shadow stacks, and what becomes of them.
 *
 *     attack [NAME]     all, or those whose names contain NAME
 *     attack limits     what shadow stacks do not stop
 *
 * Each attack runs in a process of its own. The exit status is 1 when one was not blocked as
 * expected, or when there is no shadow stack here.
 */
#include "attacks/attacks.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attacks/limits.h"
#include "test.h"

static const struct attack *const kinds[] = {
    returns_attacks,  stores_attacks,   deputies_attacks, pivots_attacks,
    frames_attacks,   ends_attacks,     mappings_attacks, races_attacks,
    families_attacks, features_attacks, code32_attacks,
};

static const char *const outcome_text[] = {
    "the call is refused, and nothing has changed",
    "SIGSEGV, SEGV_CPERR: a return address or a token is not genuine",
    "SIGSEGV, SEGV_ACCERR: the page is of the wrong kind",
    "SIGSEGV, SEGV_MAPERR: no page is there",
    "SIGSEGV, SI_KERNEL: the operand is not valid",
    "SIGILL: the instruction is not permitted",
    "each try ends without harm",
    "the attacker's code runs, or a return address is changed",
    "the attack could not be tried",
};

static enum outcome outcome_of(int pid, int status)
{
    struct refusal refusal = { 0 };
    if (WIFEXITED(status))
        return WEXITSTATUS(status) == 0               ? REFUSED
               : WEXITSTATUS(status) == GADGET_STATUS ? WON
               : WEXITSTATUS(status) == HELD_STATUS   ? HELD
                                                      : BROKEN;
    if (WTERMSIG(status) == SIGILL)
        return ILLEGAL;
    if (WTERMSIG(status) != SIGSEGV)
        return BROKEN;
    if (!refusal_of(pid, &refusal))
        return GENERAL; /* the kernel's own refusal, not the CPU's */
    return refusal.code == SEGV_CPERR    ? CPERR
           : refusal.code == SEGV_ACCERR ? ACCERR
           : refusal.code == SEGV_MAPERR ? MAPERR
                                         : GENERAL;
}

static enum outcome try(void (*run)(void), int protected)
{
    int status;
    fflush(stdout);
    int pid = fork();
    if (pid == 0) {
        if (!protected)
            raw_arch_prctl(ARCH_SHSTK_DISABLE, ARCH_SHSTK_SHSTK);
        run();
        raw_exit(0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return BROKEN;
    return outcome_of(pid, status);
}

/* What happens without a shadow stack: seen, where a process can show it. */
static void show_without(const struct attack *attack)
{
    if (attack->without)
        printf("  without %s\n", attack->without);
    else
        printf("  without %s\n", outcome_text[try(attack->run, 0)]);
}

/* Returns whether it was blocked as expected. */
static int show(const struct attack *attack, int protected)
{
    enum outcome saw = BROKEN;
    printf("%s: %s\n", attack->name, attack->does);
    if (protected) {
        saw = try(attack->run, 1);
        printf("  expect  %s\n", outcome_text[attack->blocked]);
        printf("  saw     %s\n", outcome_text[saw]);
    }
    show_without(attack);
    if (protected && saw != attack->blocked)
        printf("not blocked: %s\n", attack->name);
    return saw == attack->blocked;
}

static void victim_run(void)
{
    static char *const victim[] = { "/bin/victim", NULL };
    int status;
    printf("A program without a shadow stack (/bin/victim):\n");
    fflush(stdout);
    int pid = fork();
    if (pid == 0) {
        execv(victim[0], victim);
        _exit(127);
    }
    waitpid(pid, &status, 0);
    printf("  exit status %d\n", WEXITSTATUS(status));
}

int main(int argc, char *argv[])
{
    const char *key = argc > 1 ? argv[1] : "";
    int protected = rdssp() != 0, tried = 0, blocked = 0;
    if (strcmp(key, "smash") == 0) /* the program that exec-locked executes */
        smash(gadget);
    if (strcmp(key, "limits") == 0)
        return limits_show();
    if (!*key)
        victim_run();
    printf("%s", protected ? "" : "There is no shadow stack here. What it would block:\n");
    for (unsigned kind = 0; kind < sizeof(kinds) / sizeof(*kinds); kind++) {
        for (const struct attack *attack = kinds[kind]; attack->name; attack++) {
            if (strstr(attack->name, key)) {
                tried++;
                blocked += show(attack, protected);
            }
        }
    }
    printf("%d of %d attacks blocked\n", blocked, tried);
    return tried == 0 || blocked != tried;
}
