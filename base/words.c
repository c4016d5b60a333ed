/* SPDX-License-Identifier: MIT */
/* Lines of words. */
#include "base/words.h"

#include "base/string.h"

bool word_take(const char **line, char *word, size_t size)
{
    size_t len = 0;
    for (; **line && **line != ' '; ++*line) {
        if (len + 1 < size)
            word[len++] = **line;
    }
    word[len] = 0;
    *line += **line == ' ';
    return len;
}

bool number_take(const char **line, unsigned base, uint64_t *number)
{
    char word[24];
    if (!word_take(line, word, sizeof(word)))
        return false;
    const char *digit = word;
    if (base == 0) {
        base = strncmp(word, "0x", 2) == 0 ? 16 : 10;
        digit += base == 16 ? 2 : 0;
    }
    for (*number = 0; *digit; digit++) {
        unsigned value = *digit >= 'a' ? (unsigned)(*digit - 'a') + 10 : (unsigned)(*digit - '0');
        if (value >= base)
            return false;
        *number = *number * base + value;
    }
    return true;
}
