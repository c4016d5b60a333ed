/* SPDX-License-Identifier: MIT */
/* A new program's arguments: its strings, and the first stack made of them. */
#ifndef KERNEL_TASK_ARGS_H
#define KERNEL_TASK_ARGS_H

#include "base/types.h"

struct elf_plan;
struct mm;

/* Strings for the new stack, copied out of the old address space. */
struct arguments {
    char *bytes; /* argv strings, then envp strings, each with its zero */
    size_t len;
    unsigned argc, envc;
    const char *path; /* as given to execve: AT_EXECFN */
};

#define STACK_TOP (USER_END - PAGE_SIZE)

/* Begin with no strings. 0 or -ENOMEM; args_free() frees them. */
MUST_CHECK int args_begin(struct arguments *args, const char *path);
void args_free(struct arguments *args);
/* Take the strings in from user arrays, or the kernel's. Either array may be NULL, which is empty;
 * an empty argv becomes one empty string, as on Linux. 0, -E2BIG, -EFAULT. */
MUST_CHECK int args_from_user(struct arguments *args, uaddr_t argv, uaddr_t envp);
MUST_CHECK int args_from_kernel(struct arguments *args, const char *const argv[],
                                const char *const envp[]);
/* For a script: the interpreter, its argument unless that is NULL, and the script's path take the
 * place of argv[0]. 0, -E2BIG, -ENOMEM. */
MUST_CHECK int args_prepend(struct arguments *args, const char *interpreter, const char *argument,
                            const char *script);
/* Map a stack that has room for the arguments, below STACK_TOP. */
MUST_CHECK int stack_map(struct mm *mm, const struct arguments *args);
/* Fill the stack for the program. *sp is where the program finds argc. */
MUST_CHECK int stack_build(struct mm *mm, const struct arguments *args, const struct elf_plan *plan,
                           uint64_t *sp);

#endif
