/* SPDX-License-Identifier: MIT */
/* A task's shadow stack through its life. */
#ifndef KERNEL_TASK_SHSTK_H
#define KERNEL_TASK_SHSTK_H

#include "base/types.h"

struct mm;
struct task;

enum shstk_mode { SHSTK_MARKED, SHSTK_OPTIN, SHSTK_OFF };
void shstk_init(void); /* reads shstk= and shstk_huge= from the command line */
/* A new program: no shadow stack, or, for a marked executable in marked mode, a fresh one. 0 or
 * negative errno. */
MUST_CHECK int shstk_exec(struct task *task, struct mm *mm, bool marked);
/* The child of a fork goes on with its parent's features and SSP. */
void shstk_fork(struct task *child);
/*
 * A new thread of the current process gets a shadow stack of its own when the caller has one: of
 * stack_bytes, or of the stack limit's size when that is 0, at most 4 GiB (as Linux). 0 or -ENOMEM.
 */
MUST_CHECK int shstk_thread(struct task *thread, uint64_t stack_bytes);
/* Unmap the stack that shstk_thread() or exec mapped for task. If no other task uses the address
 * space, leave it: it goes with the address space. */
void shstk_thread_end(struct task *task);
/* The task's features in bits, known or not, can no longer be changed, or, by its tracer, can. */
void shstk_lock(struct task *task, uint64_t bits, bool locked);
/* arch_prctl() with ARCH_SHSTK_ENABLE, DISABLE, LOCK, UNLOCK or STATUS. */
long shstk_prctl(int option, uint64_t features);

#endif
