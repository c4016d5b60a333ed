/* SPDX-License-Identifier: MIT */
/* The first line of a script, taken apart; no file is read here. */
#include "kernel/task/script.h"

#include "uapi/errno.h"

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

/* The end of the line: at its newline, at the end of the file, or at that of what was read. */
static char *line_end(char *at)
{
    while (*at && *at != '\n')
        at++;
    return at;
}

static char *blanks_skip(char *at)
{
    while (is_blank(*at))
        at++;
    return at;
}

int script_parse(char *line, size_t len, char **interpreter, char **argument)
{
    if (len < 2 || line[0] != '#' || line[1] != '!')
        return -ENOEXEC;
    char *end = line_end(line + 2);
    bool cut = end == line + SCRIPT_LINE_BYTES; /* the line goes on beyond what was read */
    for (; end > line + 2 && is_blank(end[-1]); cut = false)
        end--;
    *end = 0;
    char *word = blanks_skip(line + 2), *word_end = word;
    while (*word_end && !is_blank(*word_end))
        word_end++;
    if (word == word_end || (cut && word_end == end))
        return -ENOEXEC;
    char *rest = blanks_skip(word_end);
    *word_end = 0;
    *interpreter = word;
    *argument = *rest ? rest : NULL;
    return 0;
}
