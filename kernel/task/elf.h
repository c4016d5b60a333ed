/* SPDX-License-Identifier: MIT */
/*
 * ELF executables: bytes in, plan out. Nothing is allocated and no file is read here, so that the
 * same code can be fuzzed on the build machine.
 */
#ifndef KERNEL_TASK_ELF_H
#define KERNEL_TASK_ELF_H

#include "base/types.h"

#define ELF_HEADER_BYTES         64
#define ELF_PROGRAM_HEADER_BYTES 56
#define ELF_PROGRAM_HEADERS_MAX  32
/* At most so many bytes of a property note are read. */
#define ELF_NOTE_BYTES_MAX       512

/* One mapping of the program: pages of the file, then pages of zeros. Every part may be empty. */
struct elf_segment {
    uint64_t start;          /* page aligned, as are the two below */
    uint64_t file_end;       /* [start, file_end) are pages of the file ... */
    uint64_t end;            /* ... and [file_end, end) zeros */
    uint64_t file_page;      /* the first page of the file */
    uint64_t tail, tail_end; /* to be zeroed in the file's last page; in [start, file_end] */
    bool read, write, execute;
};

/* How to start a program. All addresses are final. */
struct elf_plan {
    uint64_t headers_at, headers_bytes; /* in the file, the program headers */
    uint64_t entry;                     /* any value at all */
    uint64_t end;                       /* where the last segment ends */
    uint64_t headers_va;                /* the program headers in memory, 0 where they are not */
    unsigned header_count;
    uint64_t note_at, note_bytes; /* the property note in the file; 0 bytes: none */
    uint64_t bias;                /* added to every address of the file */
    unsigned segment_count;
    struct elf_segment segment[ELF_PROGRAM_HEADERS_MAX];
};

/* Begin *plan from the file's first ELF_HEADER_BYTES: where its program headers are. 0, or -ENOEXEC
 * for anything but a static x86-64 executable. */
MUST_CHECK int elf_begin(struct elf_plan *plan, const void *header);
/*
 * Finish *plan from the bytes of all program headers. 0, or -ENOEXEC when a segment makes no sense
 * or does not end below limit, which is page aligned, or when a dynamic loader is wanted.
 */
MUST_CHECK int elf_finish(struct elf_plan *plan, const void *headers, uint64_t limit);
/* Does a property note of len bytes, at most ELF_NOTE_BYTES_MAX, ask for a shadow stack? */
bool elf_note_marks_shstk(const void *note, size_t len);

#endif
