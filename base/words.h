/* SPDX-License-Identifier: MIT */
/* Taking apart a line of words that have one blank between them. */
#ifndef BASE_WORDS_H
#define BASE_WORDS_H

#include "base/types.h"

/* Copy the next word, cut to size, and move *line behind it and its blank. False: there is no
 * word. */
bool word_take(const char **line, char *word, size_t size);
/* The same for a number. base 10: decimal; 0: hexadecimal as well, with 0x. False: there is no
 * word, or it is not a number. */
MUST_CHECK bool number_take(const char **line, unsigned base, uint64_t *number);

#endif
