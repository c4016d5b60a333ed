/* SPDX-License-Identifier: MIT */
/*
 * Proves: whatever bytes an executable or a script begins with, the plan made of them is one that
 * can be mapped: every part lies where it should, and nothing beside the bytes is read.
 *
 * Links: kernel/task/elf.c kernel/task/script.c
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/task/elf.h"
#include "kernel/task/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LIMIT 0x00007fffffffe000ull

static int in_page(uint64_t a, uint64_t b) { return a / PAGE_SIZE == b / PAGE_SIZE; }

static void segment_is_sane(const struct elf_segment *segment, uint64_t end)
{
    assert(is_aligned(segment->start | segment->file_end | segment->end, PAGE_SIZE));
    assert(segment->start <= segment->file_end && segment->file_end <= segment->end);
    assert(segment->end <= LIMIT && end <= LIMIT && segment->start < end);
    assert(segment->start <= segment->tail && segment->tail <= segment->tail_end);
    assert(segment->tail_end <= segment->file_end);
    assert(segment->tail == segment->tail_end || in_page(segment->tail, segment->tail_end - 1));
    assert(segment->file_page <= UINT64_MAX >> PAGE_SHIFT);
    assert(segment->file_page + (segment->file_end - segment->start) / PAGE_SIZE <= UINT64_MAX
           >> PAGE_SHIFT);
}

static void plan_is_sane(const struct elf_plan *plan)
{
    assert(plan->segment_count >= 1 && plan->segment_count <= plan->header_count);
    assert(plan->end && plan->end <= LIMIT);
    assert(plan->headers_va < LIMIT);
    assert(plan->note_bytes <= ELF_NOTE_BYTES_MAX);
    uint64_t end = 0;
    for (unsigned i = 0; i < plan->segment_count; i++) {
        segment_is_sane(&plan->segment[i], plan->end);
        end = max_u64(end, plan->segment[i].end);
    }
    assert(end == align_up(plan->end, PAGE_SIZE));
}

/* Exactly these bytes, so that the sanitizer watches both ends; NULL when the file has fewer. */
static void *piece(const uint8_t *data, size_t size, uint64_t at, size_t len)
{
    if (at > size || len > size - at)
        return NULL;
    void *bytes = malloc(len ? len : 1);
    memcpy(bytes, data + at, len);
    return bytes;
}

static void try_elf(const uint8_t *data, size_t size)
{
    struct elf_plan plan;
    void *header = piece(data, size, 0, ELF_HEADER_BYTES), *headers = NULL;
    if (header && elf_begin(&plan, header) == 0) {
        assert(plan.header_count >= 1 && plan.header_count <= ELF_PROGRAM_HEADERS_MAX);
        assert(plan.headers_bytes == plan.header_count * ELF_PROGRAM_HEADER_BYTES);
        headers = piece(data, size, plan.headers_at, plan.headers_bytes);
    }
    if (headers && elf_finish(&plan, headers, LIMIT) == 0)
        plan_is_sane(&plan);
    free(header);
    free(headers);
}

static void try_note(const uint8_t *data, size_t size)
{
    size_t len = min_u64(size, ELF_NOTE_BYTES_MAX);
    void *note = piece(data, size, 0, len);
    (void)elf_note_marks_shstk(note, len);
    free(note);
}

static void try_script(const uint8_t *data, size_t size)
{
    size_t len = min_u64(size, SCRIPT_LINE_BYTES);
    char *line = calloc(SCRIPT_LINE_BYTES + 1, 1), *interpreter = NULL, *argument = NULL;
    memcpy(line, data, len);
    if (script_parse(line, len, &interpreter, &argument) == 0) {
        assert(interpreter > line + 1 && interpreter[0]);
        assert(!strpbrk(interpreter, " \t\n"));
        assert(interpreter + strlen(interpreter) <= line + SCRIPT_LINE_BYTES);
        assert(!argument || (argument > interpreter && argument[0] && !strchr(argument, '\n')));
        assert(!argument || !strchr(" \t", argument[0]));
        assert(!argument || !strchr(" \t", argument[strlen(argument) - 1]));
    }
    free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_elf(data, size);
    try_note(data, size);
    try_script(data, size);
    return 0;
}
