/* SPDX-License-Identifier: MIT */
/*
 * Proves: whatever bytes cmdline.txt holds, the loader makes one line of it, or refuses it, and
 * touches nothing beside it; the line holds the file's words in their order, and no line ends.
 *
 * Links: boot/cmdline.c
 */
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "boot/cmdline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The next word of text, which is not terminated; its length. */
static size_t word_next(const char **at, const char *end, const char *blanks)
{
    while (*at < end && strchr(blanks, **at))
        ++*at;
    size_t len = 0;
    while (*at + len < end && !strchr(blanks, (*at)[len]))
        len++;
    return len;
}

/* Are the words of line those of the file's text that are in no comment? */
static void words_agree(const char *line, const char *text, const char *end)
{
    const char *line_end = line + strlen(line);
    while (text < end) {
        size_t row = 0;
        while (text + row < end && text[row] != '\n' && text[row] != '\r')
            row++;
        const char *at = text, *row_end = text + row;
        size_t len = word_next(&at, row_end, " \t");
        for (bool comment = len && *at == '#'; len && !comment;
             len = word_next(&at, row_end, " \t")) {
            assert(word_next(&line, line_end, " \t") == len && !memcmp(line, at, len));
            line += len;
            at += len;
        }
        text = row_end + 1;
    }
    assert(word_next(&line, line_end, " \t") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), *copy = malloc(size + 1);
    memcpy(text, data, size);
    memcpy(copy, data, size);
    const char *end = memchr(copy, 0x1a, size);
    end = end ? end : copy + size;
    const char *start = size >= 3 && !memcmp(copy, "\xef\xbb\xbf", 3) ? copy + 3 : copy;
    int64_t len = cmdline_clean(text, size);
    bool binary = start < end && memchr(start, 0, (size_t)(end - start));
    assert((len < 0) == binary);
    if (len >= 0) {
        assert((size_t)len <= size && strlen(text) == (size_t)len && !strpbrk(text, "\r\n"));
        words_agree(text, start, end);
    }
    free(text);
    free(copy);
    return 0;
}
