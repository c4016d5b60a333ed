/* SPDX-License-Identifier: MIT */
/*
 * Proves: whatever bytes the command line holds, the parser finds the words that a plain model
 * finds, in order, and touches nothing beside them.
 *
 * Links: kernel/cmdline.c base/words.c
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/words.h"
#include "kernel/cmdline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BLANKS " \t"

/* The words of a text, in place; returns how many. */
static size_t split(char *text, char *words[], size_t max)
{
    size_t count = 0;
    char *rest = NULL;
    for (char *word = strtok_r(text, BLANKS, &rest); word && count < max;
         word = strtok_r(NULL, BLANKS, &rest))
        words[count++] = word;
    return count;
}

/* Where "--" stands alone: how many words come before it. */
static size_t options_count(char *words[], size_t count)
{
    size_t at = 0;
    while (at < count && strcmp(words[at], "--") != 0)
        at++;
    return at;
}

/* The value of name as the last of these words that gives it says; NULL when none does. */
static const char *model_get(char *words[], size_t count, const char *name)
{
    const char *value = NULL;
    size_t len = strlen(name);
    for (size_t i = 0; i < count; i++) {
        if (strncmp(words[i], name, len) == 0 && (words[i][len] == '=' || !words[i][len]))
            value = words[i][len] ? words[i] + len + 1 : "";
    }
    return value;
}

static void get_agrees(char *words[], size_t count, const char *name, size_t room)
{
    char *saw = malloc(room); /* the sanitizer watches its end */
    const char *want = model_get(words, count, name);
    assert(cmdline_get(name, saw, room) == (want != NULL));
    assert(!want || strncmp(saw, want, room - 1) == 0);
    assert(!want || strlen(saw) < room);
    free(saw);
}

static void args_agree(char *words[], size_t count)
{
    const char *argv[INIT_ARGS_MAX + 1];
    argv[INIT_ARGS_MAX] = argv[0] = "kept";
    unsigned saw = cmdline_init_args(argv, 1);
    assert(saw < INIT_ARGS_MAX && !argv[saw] && !strcmp(argv[INIT_ARGS_MAX], "kept"));
    assert(saw - 1 == count);
    for (unsigned i = 1; i < saw; i++)
        assert(strcmp(argv[i], words[i - 1]) == 0);
}

/* base/words.c takes the same text apart: it ends, and no word is longer than its room. */
static void words_end(const char *text)
{
    const char *rest = text, *end = text + strlen(text);
    char word[16];
    while (word_take(&rest, word, sizeof(word)))
        assert(strlen(word) < sizeof(word) && rest <= end);
    uint64_t number;
    for (rest = text; number_take(&rest, 0, &number);)
        assert(rest <= end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "init", "console", "shstk", "a", "--" };
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = 0;
    cmdline_init(text);
    words_end(text);
    free(text);

    char *copy = strdup(cmdline_text()), **words = calloc(strlen(copy) + 1, sizeof(*words));
    size_t count = split(copy, words, strlen(copy) + 1), options = options_count(words, count);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        get_agrees(words, options, names[i], 1);
        get_agrees(words, options, names[i], 64);
    }
    size_t behind = options < count ? options + 1 : count;
    args_agree(words + behind, count - behind);
    free(words);
    free(copy);
    return 0;
}
