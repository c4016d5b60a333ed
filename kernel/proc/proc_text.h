/* SPDX-License-Identifier: MIT */
/* The text files of /proc: what each shows, and what may be written to it. Private to
 * kernel/proc. */
#ifndef KERNEL_PROC_TEXT_H
#define KERNEL_PROC_TEXT_H

#include "base/types.h"

struct mm;
struct process;

struct text; /* kernel/proc/text.h */

/* A file has show, or, as a file of a process, next. */
struct proc_file {
    const char *name;
    /* Write the whole text. For a file of a process, process and its mm (NULL once it has ended);
     * otherwise both are NULL. */
    void (*show)(struct text *text, struct process *process, struct mm *mm);
    /* take one line, without its end; process as for show. NULL: the file is read-only */
    long (*write)(struct process *process, const char *line);
    /* Write the record at *cursor (0: the first), and move *cursor behind it. False: there is
     * none. */
    bool (*next)(struct text *text, struct mm *mm, uint64_t *cursor);
};

/* File number index of each process's folder or of /proc itself; NULL when there is none. */
const struct proc_file *proc_file_at(bool of_process, size_t index);

/* The same for the files that only the test kernel has in /proc itself. */
#ifdef CONFIG_TEST
const struct proc_file *proc_test_file(size_t index);
#else
static inline const struct proc_file *proc_test_file(size_t index) { return NULL; }
#endif

#endif
