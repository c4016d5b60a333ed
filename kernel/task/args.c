/* SPDX-License-Identifier: MIT */
/*
 * A new program's arguments, and the first stack as the System V ABI and Linux have it. From the
 * top, which is STACK_TOP, downwards:
 *
 *    8 bytes of zeros, the path, the strings of argv and envp, "x86_64", 16 random bytes,
 *    the auxiliary vector, NULL, envp[], NULL, argv[], argc     <- *sp, 16-byte aligned
 */
#include "kernel/task/args.h"

#include <elf.h>

#include "arch/x86/arch.h"
#include "base/string.h"
#include "kernel/task/elf.h"
#include "mm/mm.h"
#include "mm/phys/slab.h"
#include "uapi/errno.h"

#define ARG_BYTES_MAX (128u << 10) /* of strings: what sysconf(_SC_ARG_MAX) promises */
#define STACK_SPARE   (32 * PAGE_SIZE)

/* ---- Strings ------------------------------------------------------------ */

int args_begin(struct arguments *args, const char *path)
{
    *args = (struct arguments){ .bytes = kmalloc(ARG_BYTES_MAX), .path = path };
    return args->bytes ? 0 : -ENOMEM;
}

void args_free(struct arguments *args) { kfree(args->bytes); }

static int add(struct arguments *args, const char *text)
{
    size_t len = strlen(text) + 1;
    if (len > ARG_BYTES_MAX - args->len)
        return -E2BIG;
    memcpy(args->bytes + args->len, text, len);
    args->len += len;
    return 0;
}

static int add_user(struct arguments *args, uaddr_t text)
{
    long len = arch_strncpy_from_user(args->bytes + args->len, text, ARG_BYTES_MAX - args->len);
    if (len < 0)
        return len == -ENAMETOOLONG ? -E2BIG : (int)len;
    args->len += (size_t)len + 1;
    return 0;
}

/* Add the strings that a user array points to, up to its NULL. */
static int add_user_array(struct arguments *args, uaddr_t array, unsigned *count)
{
    for (; array.v; array.v += sizeof(uint64_t), (*count)++) {
        uint64_t pointer;
        if (arch_copy_from_user(&pointer, array, sizeof(pointer)))
            return -EFAULT;
        if (!pointer)
            return 0;
        int err = add_user(args, uaddr(pointer));
        if (err)
            return err;
    }
    return 0;
}

static int add_array(struct arguments *args, const char *const array[], unsigned *count)
{
    int err = 0;
    for (; !err && array && array[*count]; (*count)++)
        err = add(args, array[*count]);
    return err;
}

/* Programs rely on an argv[0]. */
static int add_missing_first(struct arguments *args)
{
    if (args->argc)
        return 0;
    args->argc = 1;
    return add(args, "");
}

int args_from_user(struct arguments *args, uaddr_t argv, uaddr_t envp)
{
    int err = add_user_array(args, argv, &args->argc);
    if (!err)
        err = add_missing_first(args);
    return err ? err : add_user_array(args, envp, &args->envc);
}

int args_from_kernel(struct arguments *args, const char *const argv[], const char *const envp[])
{
    int err = add_array(args, argv, &args->argc);
    if (!err)
        err = add_missing_first(args);
    return err ? err : add_array(args, envp, &args->envc);
}

int args_prepend(struct arguments *args, const char *interpreter, const char *argument,
                 const char *script)
{
    size_t first = strlen(args->bytes) + 1, rest = args->len - first;
    size_t before = strlen(interpreter) + 1 + (argument ? strlen(argument) + 1 : 0) + strlen(script)
                    + 1;
    if (before > ARG_BYTES_MAX - rest)
        return -E2BIG;
    memmove(args->bytes + before, args->bytes + first, rest);
    args->len = 0;
    int err = add(args, interpreter);
    if (!err && argument)
        err = add(args, argument);
    if (!err)
        err = add(args, script);
    args->len += rest;
    args->argc += argument ? 2 : 1;
    return err;
}

/* ---- The first stack ---------------------------------------------------- */

#define AUXV_PAIRS 19

/* The words below the strings: argc, argv, envp, each with its NULL, and the vector. */
static uint64_t words_bytes(const struct arguments *args)
{
    return (1 + args->argc + 1 + args->envc + 1 + 2ull * AUXV_PAIRS) * sizeof(uint64_t);
}

int stack_map(struct mm *mm, const struct arguments *args)
{
    uint64_t bytes = align_up(args->len + words_bytes(args) + strlen(args->path), PAGE_SIZE)
                     + STACK_SPARE;
    struct map_request request = {
        .start = STACK_TOP - bytes,
        .len = bytes,
        .flags = VM_READ | VM_WRITE | VM_STACK | VM_GROWSDOWN,
        .fixed = true,
    };
    return mm_map(mm, &request, &request.start);
}

/* Writes a stack upwards, word after word. After the first error nothing more is written. */
struct writer {
    struct mm *mm;
    uint64_t at; /* where words[0] goes */
    unsigned count;
    int err;
    uint64_t words[32];
};

static int put_bytes(struct mm *mm, uint64_t at, const void *from, size_t len)
{
    long done = mm_access(mm, at, (void *)from, len, GUP_WRITE);
    return done < 0 ? (int)done : (size_t)done == len ? 0 : -ENOMEM;
}

static void words_flush(struct writer *writer)
{
    size_t bytes = writer->count * sizeof(uint64_t);
    if (!writer->err)
        writer->err = put_bytes(writer->mm, writer->at, writer->words, bytes);
    writer->at += bytes;
    writer->count = 0;
}

static void put_word(struct writer *writer, uint64_t word)
{
    if (writer->count == ARRAY_SIZE(writer->words))
        words_flush(writer);
    writer->words[writer->count++] = word;
}

/* Pointers to count strings that lie one behind the other from *at on, and a NULL. */
static void put_pointers(struct writer *writer, unsigned count, const char **text, uint64_t *at)
{
    for (unsigned i = 0; i < count; i++) {
        size_t len = strlen(*text) + 1;
        put_word(writer, *at);
        *at += len;
        *text += len;
    }
    put_word(writer, 0);
}

static void put_auxv(struct writer *writer, const struct elf_plan *plan, uint64_t random,
                     uint64_t platform, uint64_t execfn)
{
    const uint64_t pairs[AUXV_PAIRS][2] = {
        { AT_PAGESZ, PAGE_SIZE },
        { AT_PHDR, plan->headers_va },
        { AT_PHENT, ELF_PROGRAM_HEADER_BYTES },
        { AT_PHNUM, plan->header_count },
        { AT_BASE, 0 },
        { AT_FLAGS, 0 },
        { AT_ENTRY, plan->entry },
        { AT_UID, 0 },
        { AT_EUID, 0 },
        { AT_GID, 0 },
        { AT_EGID, 0 },
        { AT_SECURE, 0 },
        { AT_CLKTCK, ARCH_TICK_HZ },
        { AT_HWCAP, 0 },
        { AT_HWCAP2, 0 },
        { AT_RANDOM, random },
        { AT_PLATFORM, platform },
        { AT_EXECFN, execfn },
        { AT_NULL, 0 },
    };
    for (unsigned i = 0; i < AUXV_PAIRS; i++) {
        put_word(writer, pairs[i][0]);
        put_word(writer, pairs[i][1]);
    }
}

int stack_build(struct mm *mm, const struct arguments *args, const struct elf_plan *plan,
                uint64_t *sp)
{
    uint64_t random[2];
    size_t path_len = strlen(args->path) + 1;
    uint64_t execfn = STACK_TOP - 8 - path_len, strings = execfn - args->len;
    uint64_t platform = align_down(strings - 8, 16), random_at = platform - sizeof(random);
    arch_random(random, sizeof(random));
    *sp = align_down(random_at - words_bytes(args), 16);

    struct writer writer = { .mm = mm, .at = *sp };
    const char *text = args->bytes;
    uint64_t at = strings;
    put_word(&writer, args->argc);
    put_pointers(&writer, args->argc, &text, &at);
    put_pointers(&writer, args->envc, &text, &at);
    put_auxv(&writer, plan, random_at, platform, execfn);
    words_flush(&writer);

    int err = writer.err;
    if (!err)
        err = put_bytes(mm, execfn, args->path, path_len);
    if (!err)
        err = put_bytes(mm, strings, args->bytes, args->len);
    if (!err)
        err = put_bytes(mm, platform, "x86_64", 7);
    return err ? err : put_bytes(mm, random_at, random, sizeof(random));
}
