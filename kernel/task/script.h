/* SPDX-License-Identifier: MIT */
/* The first line of a script: "#!INTERPRETER [ARGUMENT]". */
#ifndef KERNEL_TASK_SCRIPT_H
#define KERNEL_TASK_SCRIPT_H

#include "base/types.h"

/* So many bytes of a script are read. As on Linux, a longer interpreter path is refused, and a
 * longer argument is cut. */
#define SCRIPT_LINE_BYTES 256

/*
 * Take the line apart in place. line holds the file's first len bytes, at most SCRIPT_LINE_BYTES,
 * with a zero behind them. 0 with *interpreter and *argument, which is NULL when there is none;
 * -ENOEXEC when the file is not a script or names no interpreter.
 */
MUST_CHECK int script_parse(char *line, size_t len, char **interpreter, char **argument);

#endif
