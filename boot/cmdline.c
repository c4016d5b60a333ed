/* SPDX-License-Identifier: MIT */
#include "cmdline.h"

#define END_OF_TEXT 0x1a /* ^Z, where some editors end a file */

static int is_blank(char c) { return c == ' ' || c == '\t'; }
static int is_end(char c) { return c == '\n' || c == '\r'; }

int64_t cmdline_clean(char *text, uint64_t bytes)
{
    const unsigned char *mark = (const unsigned char *)text;
    uint64_t len = 0;
    uint64_t at = bytes >= 3 && mark[0] == 0xef && mark[1] == 0xbb && mark[2] == 0xbf ? 3 : 0;
    while (at < bytes && text[at] != END_OF_TEXT) {
        while (at < bytes && (is_blank(text[at]) || is_end(text[at])))
            at++;
        uint64_t start = at;
        while (at < bytes && !is_end(text[at]) && text[at] != END_OF_TEXT) {
            if (!text[at++])
                return -1;
        }
        uint64_t end = at;
        while (end > start && is_blank(text[end - 1]))
            end--;
        if (start == end || text[start] == '#')
            continue;
        if (len)
            text[len++] = ' ';
        while (start < end)
            text[len++] = text[start++];
    }
    text[len] = 0;
    return (int64_t)len;
}
