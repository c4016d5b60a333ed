/* SPDX-License-Identifier: MIT */
/*
 * What shadow stacks do not stop. They keep RET from being misled, and nothing else:
 *
 *   pointers      a changed function pointer: JOP, COOP. IBT would stop the crudest of them
 *   data          a changed decision: no control flow is wrong
 *   debugger      /proc/self/mem, which writes as a debugger does. It takes system calls of the
 *                 attacker's choice, and so control that he does not have yet
 *   unwinder      changed tables of exception handlers (CHOP) mislead a program's own code, which
 *                 then moves SSP to where it says. There is no unwinder in these C programs
 *   IRETQ         in ring 3: a CPU compares what it pops, like a far RET (Intel SDM vol. 2,
 * "IRET"). Bochs 2.7 does not (measured), so this one works there
 */
#include "limits.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attacks.h"

static void nothing(void) { raw_exit(0); }

static void by_pointer(void)
{
    static void (*volatile pointer)(void) = nothing;
    pointer = gadget; /* an overflow of a neighbouring buffer */
    pointer();
}

static void by_data(void)
{
    static volatile int is_root;
    is_root = 1; /* the same */
    if (is_root)
        won();
}

static void by_debugger(void)
{
    uint64_t forged = (uint64_t)gadget, ssp = rdssp();
    int fd = open("/proc/self/mem", O_RDWR);
    broken_if(fd < 0 || (ssp && pwrite(fd, &forged, 8, (off_t)ssp) != 8));
    __asm__ volatile("add $8, %%rsp\n push %0\n ret" : : "r"(gadget) : "memory");
}

static void interrupt_return(void)
{
    __asm__ volatile("mov %%rsp, %%rax\n mov %%ss, %%edx\n push %%rdx\n push %%rax\n pushfq\n"
                     "push $0x33\n push %0\n iretq"
                     :
                     : "r"(gadget)
                     : "rax", "rdx", "memory");
}

static int show(const char *name, void (*run)(void))
{
    int status = 0;
    fflush(stdout);
    int pid = fork();
    if (pid == 0) {
        run();
        _exit(0);
    }
    waitpid(pid, &status, 0);
    int worked = WIFEXITED(status) && WEXITSTATUS(status) == GADGET_STATUS;
    printf("  %-10s %s\n", name, worked ? "the attacker's code runs" : "blocked");
    return worked;
}

int limits_show(void)
{
    printf("What a shadow stack does not stop:\n");
    int worked = show("pointers", by_pointer) + show("data", by_data);
    worked += show("debugger", by_debugger);
    (void)show("IRETQ", interrupt_return);
    return worked != 3;
}
