/* SPDX-License-Identifier: MIT */
/* The first line of a script: "#!INTERPRETER [ARGUMENT]". */
#ifndef KERNEL_TASK_SCRIPT_H
#define KERNEL_TASK_SCRIPT_H

#include "base/types.h"

/* What is read of a script; a longer interpreter is refused, a longer argument is cut, as Linux. */
#define SCRIPT_LINE_BYTES 256

/*
 * Take the line apart in place. line holds the file's first len bytes, at most SCRIPT_LINE_BYTES,
 * with a zero behind them. 0 with *interpreter and *argument, which is NULL when there is none;
 * -ENOEXEC for what is no script or names no interpreter.
 */
MUST_CHECK int script_parse(char *line, size_t len, char **interpreter, char **argument);

#endif
