/* SPDX-License-Identifier: MIT */
/* Switching the protection off before the attack. */
#include "attacks.h"

#include <stddef.h>
#include <sys/wait.h>

static void lock(void) { broken_if(raw_arch_prctl(ARCH_SHSTK_LOCK, ARCH_SHSTK_SHSTK) != 0); }

static void disable_locked(void)
{
    lock();
    win_if(raw_arch_prctl(ARCH_SHSTK_DISABLE, ARCH_SHSTK_SHSTK) == 0);
}

/* UNLOCK is for a debugger, not for the process itself. */
static void unlock(void)
{
    lock();
    win_if(raw_arch_prctl(ARCH_SHSTK_UNLOCK, ARCH_SHSTK_SHSTK) == 0);
    win_if(raw_arch_prctl(ARCH_SHSTK_DISABLE, ARCH_SHSTK_SHSTK) == 0);
}

static void child_of_locked(void)
{
    int status = 0;
    lock();
    long pid = raw0(SYS_fork);
    if (pid == 0) {
        win_if(raw_arch_prctl(ARCH_SHSTK_DISABLE, ARCH_SHSTK_SHSTK) == 0);
        raw_exit(0);
    }
    broken_if(pid < 0 || raw6(SYS_wait4, pid, (long)&status, 0, 0, 0, 0) != pid);
    win_if(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
}

/* Lock the protection while it is off, then execute a marked program: it must not start with the
 * lock, and without its shadow stack. */
static void exec_locked(void)
{
    static char *const words[] = { "/bin/attack", "smash", NULL };
    static char *const none[] = { NULL };
    raw_arch_prctl(ARCH_SHSTK_DISABLE, ARCH_SHSTK_SHSTK);
    lock();
    raw3(SYS_execve, (long)words[0], (long)words, (long)none);
    broken_if(1);
}

#define NOTHING "there is nothing to switch off"
const struct attack features_attacks[] = {
    { "disable", "switch off what is locked", REFUSED, disable_locked, NOTHING },
    { "unlock", "unlock it from inside", REFUSED, unlock, NOTHING },
    { "inherit", "switch it off in a child", REFUSED, child_of_locked, NOTHING },
    { "exec-locked", "lock it while it is off, and execute a marked program", CPERR, exec_locked,
      NOTHING },
    { 0 },
};
