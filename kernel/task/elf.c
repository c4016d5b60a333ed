/* SPDX-License-Identifier: MIT */
/*
 * ELF executables: what a file says about itself becomes a plan of mappings. Every number in the
 * file may be wrong. Everything in the plan has been checked, except for the entry point: a wrong
 * one harms only the program itself.
 */
#include "kernel/task/elf.h"

#include <elf.h>

#include "base/string.h"
#include "uapi/errno.h"

/* Where Linux puts static-PIE programs without randomisation. */
#define PIE_BASE 0x555555554000ull

/* The layouts come from the system's headers; the sizes are checked here. */
_Static_assert(sizeof(Elf64_Ehdr) == ELF_HEADER_BYTES, "elf.h: ELF_HEADER_BYTES");
_Static_assert(sizeof(Elf64_Phdr) == ELF_PROGRAM_HEADER_BYTES, "elf.h: ELF_PROGRAM_HEADER_BYTES");

int elf_begin(struct elf_plan *plan, const void *header)
{
    Elf64_Ehdr ehdr;
    memcpy(&ehdr, header, sizeof(ehdr));
    *plan = (struct elf_plan){ 0 };
    if (memcmp(ehdr.e_ident, ELFMAG, SELFMAG) != 0 || ehdr.e_ident[EI_CLASS] != ELFCLASS64
        || ehdr.e_ident[EI_DATA] != ELFDATA2LSB || ehdr.e_machine != EM_X86_64
        || (ehdr.e_type != ET_EXEC && ehdr.e_type != ET_DYN)
        || ehdr.e_phentsize != ELF_PROGRAM_HEADER_BYTES || ehdr.e_phnum == 0
        || ehdr.e_phnum > ELF_PROGRAM_HEADERS_MAX)
        return -ENOEXEC;
    plan->bias = ehdr.e_type == ET_DYN ? PIE_BASE : 0;
    plan->entry = ehdr.e_entry + plan->bias;
    plan->headers_at = ehdr.e_phoff;
    plan->headers_bytes = (uint64_t)ehdr.e_phnum * ELF_PROGRAM_HEADER_BYTES;
    plan->header_count = ehdr.e_phnum;
    return 0;
}

/* Do [start, start + len) and its end lie below limit? */
static bool range_below(uint64_t start, uint64_t len, uint64_t limit)
{
    return start <= limit && len <= limit - start;
}

/* Program headers in memory: where the segment that holds them is mapped. */
static void headers_find(struct elf_plan *plan, const Elf64_Phdr *header, uint64_t va)
{
    uint64_t at = plan->headers_at - header->p_offset;
    if (!plan->headers_va && plan->headers_at >= header->p_offset && at < header->p_filesz)
        plan->headers_va = va + at;
}

static int segment_add(struct elf_plan *plan, const Elf64_Phdr *header, uint64_t limit)
{
    uint64_t va = header->p_vaddr + plan->bias;
    if (!header->p_memsz)
        return 0;
    if (va < plan->bias || !range_below(va, header->p_memsz, limit)
        || header->p_filesz > header->p_memsz
        || !range_below(header->p_offset, header->p_filesz, INT64_MAX)
        || va % PAGE_SIZE != header->p_offset % PAGE_SIZE)
        return -ENOEXEC;
    uint64_t bytes_end = va + header->p_filesz, start = align_down(va, PAGE_SIZE);
    uint64_t file_end = header->p_filesz ? align_up(bytes_end, PAGE_SIZE) : start;
    uint64_t end = align_up(va + header->p_memsz, PAGE_SIZE);
    plan->segment[plan->segment_count++] = (struct elf_segment){
        .start = start,
        .file_end = file_end,
        .end = end,
        .file_page = header->p_offset >> PAGE_SHIFT,
        .tail = header->p_filesz ? bytes_end : start,
        .tail_end = header->p_filesz ? min_u64(file_end, va + header->p_memsz) : start,
        .read = header->p_flags & PF_R,
        .write = header->p_flags & PF_W,
        .execute = header->p_flags & PF_X,
    };
    plan->end = max_u64(plan->end, va + header->p_memsz);
    headers_find(plan, header, va);
    return 0;
}

int elf_finish(struct elf_plan *plan, const void *headers, uint64_t limit)
{
    int err = 0;
    for (unsigned i = 0; i < plan->header_count && !err; i++) {
        Elf64_Phdr header;
        memcpy(&header, (const char *)headers + i * sizeof(header), sizeof(header));
        if (header.p_type == PT_INTERP)
            err = -ENOEXEC; /* dynamic programs need a loader that is not here */
        if (header.p_type == PT_LOAD)
            err = segment_add(plan, &header, limit);
        if (header.p_type == PT_GNU_PROPERTY) {
            plan->note_at = header.p_offset;
            plan->note_bytes = min_u64(header.p_filesz, ELF_NOTE_BYTES_MAX);
        }
    }
    return err ? err : plan->end ? 0 : -ENOEXEC;
}

/* ---- The property note -------------------------------------------------- */

#define NOTE_NAME_BYTES 4  /* "GNU" and its zero */
#define NOTE_HEAD_BYTES 16 /* name size, descriptor size, type, name */

static uint32_t word_at(const char *bytes, size_t at)
{
    uint32_t word;
    memcpy(&word, bytes + at, sizeof(word));
    return word;
}

/* The descriptor is a list of properties: type, size, and data padded to 8 bytes. */
bool elf_note_marks_shstk(const void *note, size_t len)
{
    const char *bytes = note;
    if (len < NOTE_HEAD_BYTES || word_at(bytes, 0) != NOTE_NAME_BYTES
        || word_at(bytes, 8) != NT_GNU_PROPERTY_TYPE_0 || memcmp(bytes + 12, "GNU", 4) != 0)
        return false;
    size_t end = min_u64(NOTE_HEAD_BYTES + (uint64_t)word_at(bytes, 4), len);
    for (size_t at = NOTE_HEAD_BYTES; at + 12 <= end;) {
        uint32_t type = word_at(bytes, at), size = word_at(bytes, at + 4);
        if (type == GNU_PROPERTY_X86_FEATURE_1_AND && size >= 4)
            return word_at(bytes, at + 8) & GNU_PROPERTY_X86_FEATURE_1_SHSTK;
        if (size > end)
            return false;
        at += 8 + align_up(size, 8);
    }
    return false;
}
