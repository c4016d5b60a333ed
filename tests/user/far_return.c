/* SPDX-License-Identifier: MIT */
/*
 * Proves: a program whose far call or far return faults for ever is ended. QEMU treats the stack
 * accesses of LCALL and LRETQ as supervisor accesses, which SMAP forbids whatever the entry allows.
 * On a CPU that follows its manual the call returns.
 */
#include "test.h"

static struct far_pointer target;

static void far_call_and_return(void)
{
    __asm__ volatile("lea 1f(%%rip), %%rax\n"
                     "mov %%rax, %0\n"
                     "mov %%cs, %1\n"
                     "sub $128, %%rsp\n"
                     "rex.w lcall *%0\n"
                     "jmp 2f\n"
                     "1: lretq\n"
                     "2: add $128, %%rsp\n"
                     : "+m"(target.offset), "+m"(target.selector)
                     :
                     : "rax", "memory", "cc");
    _exit(42);
}

TEST(a_far_return_works_or_ends_its_program, "")
{
    int status = in_child(far_call_and_return, NULL);
    CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 42)
          || (WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV));
}
