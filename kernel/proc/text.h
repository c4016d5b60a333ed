/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_PROC_TEXT_FILE_H
#define KERNEL_PROC_TEXT_FILE_H

#include "base/types.h"

struct file;
struct process;
struct proc_file;
struct text;

/* Add to what a file shows; at most one line, of less than 512 bytes. Without memory the file
 * cannot be opened, or read further. */
void text_printf(struct text *text, const char *format, ...) PRINTF_LIKE(2, 3);
/* Make the text what write(to, size) puts into size bytes. write returns how many it put. */
void text_take(struct text *text, size_t (*write)(char *to, size_t size), size_t size);

/* Make file, which keeps process (NULL: the kernel's) by its inode, the text of node. 0 or
 * -ENOMEM. */
MUST_CHECK int text_open(const struct proc_file *node, struct process *process, struct file *file);

#endif
