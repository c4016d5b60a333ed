/* SPDX-License-Identifier: MIT */
#include "kernel/cmdline.h"

#include "base/string.h"

static char line[BOOT_CMDLINE_BYTES];  /* as the loader passed it */
static char words[BOOT_CMDLINE_BYTES]; /* the same with zeros between the words */
static size_t words_end;               /* bytes of words before "--" */
static size_t args_start, args_end;    /* and behind it */

void cmdline_init(const char *text)
{
    snprintf(line, sizeof(line), "%s", text);
    size_t len = strlen(line);
    for (size_t i = 0; i <= len; i++)
        words[i] = line[i] == ' ' || line[i] == '\t' ? 0 : line[i];
    words_end = args_start = args_end = len;
    for (size_t i = 0; i + 2 <= len; i++) {
        bool alone = (i == 0 || !words[i - 1]) && !words[i + 2];
        if (alone && words[i] == '-' && words[i + 1] == '-') {
            words_end = i;
            args_start = i + 2;
            return;
        }
    }
}

const char *cmdline_text(void) { return line; }

bool cmdline_get(const char *name, char *value, size_t size)
{
    bool found = false;
    size_t name_len = strlen(name);
    for (size_t at = 0; at < words_end; at += strlen(words + at) + 1) {
        const char *word = words + at;
        if (strncmp(word, name, name_len) != 0 || (word[name_len] != '=' && word[name_len] != 0))
            continue;
        snprintf(value, size, "%s", word[name_len] ? word + name_len + 1 : "");
        found = true;
    }
    return found;
}

unsigned cmdline_init_args(const char *argv[], unsigned first)
{
    unsigned count = first;
    for (size_t at = args_start; at < args_end && count < INIT_ARGS_MAX - 1;
         at += strlen(words + at) + 1) {
        if (words[at])
            argv[count++] = words + at;
    }
    argv[count] = NULL;
    return count;
}
