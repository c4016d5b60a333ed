/* SPDX-License-Identifier: MIT */
/* What cmdline.txt holds, made one line. Knows no firmware. */
#ifndef BOOT_CMDLINE_H
#define BOOT_CMDLINE_H

#include <stdint.h>

/*
 * Make text, bytes long and with room for one more, the command line, zero at its end. Its lines
 * are joined by a blank; a byte-order mark, empty lines and lines that begin with # do not count.
 * Returns its length; -1 when the file is not text, as one in UTF-16 is not.
 */
int64_t cmdline_clean(char *text, uint64_t bytes);

#endif
