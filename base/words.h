/* SPDX-License-Identifier: MIT */
/* Taking a line of words, one blank between them, apart. */
#ifndef BASE_WORDS_H
#define BASE_WORDS_H

#include "base/types.h"

/* Copy the next word, cut to size, and move *line behind it and its blank; false when there is
 * none. */
bool word_take(const char **line, char *word, size_t size);
/* The same for a number. base 10: decimal; 0: hexadecimal as well, with 0x. False when there is
 * none, or another word. */
MUST_CHECK bool number_take(const char **line, unsigned base, uint64_t *number);

#endif
