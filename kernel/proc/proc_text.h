/* SPDX-License-Identifier: MIT */
/* The text files of /proc: what each shows, and what may be written to it. Private to
 * proc_text.c and procfs.c. */
#ifndef KERNEL_PROC_TEXT_H
#define KERNEL_PROC_TEXT_H

#include "base/types.h"

struct mm;
struct process;

/* What a file showed when it was opened. */
struct text {
    char *bytes; /* from kmalloc() */
    size_t len, room;
    bool failed; /* memory ran out */
    const struct proc_file *node;
};

struct proc_file {
    const char *name;
    /* process and its mm (NULL once it has ended) for the files of a process, else both NULL. */
    void (*show)(struct text *text, struct process *process, struct mm *mm);
    long (*write)(const char *line); /* one line, without its end; NULL: read-only */
};

/* File number index, or the one of this name, of each process's folder or of /proc itself; NULL
 * when there is none. */
const struct proc_file *proc_file_at(bool of_process, size_t index);
const struct proc_file *proc_file_find(bool of_process, const char *name);

#endif
