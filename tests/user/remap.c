/* SPDX-License-Identifier: MIT */
/* Proves: mremap() makes mappings longer and shorter and moves them, with their pages and their
 * rights, and refuses what Linux refuses. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>

#include "test.h"

#define PAGE  4096ul
#define MIB_2 (2ul << 20)
#define RW    (PROT_READ | PROT_WRITE)
#define ANON  (MAP_PRIVATE | MAP_ANONYMOUS)
#define HIGH  ((char *)0x7000000000ul)
#define MOVE  MREMAP_MAYMOVE
#define FIXED (MREMAP_MAYMOVE | MREMAP_FIXED)
#define LEAVE (MREMAP_MAYMOVE | 4) /* MREMAP_DONTUNMAP */

/* Pages that say which they are, with room above. */
static char *numbered(unsigned long pages)
{
    char *at = mmap(HIGH, (pages + 8) * PAGE, RW, ANON | MAP_FIXED, -1, 0);
    CHECK_EQ(munmap(at + pages * PAGE, 8 * PAGE), 0);
    for (unsigned long i = 0; i < pages; i++)
        at[i * PAGE] = (char)(i + 1);
    return at;
}

static void check_numbers(const char *at, unsigned long pages)
{
    for (unsigned long i = 0; i < pages; i++)
        CHECK_EQ(at[i * PAGE], i + 1);
}

static char *volatile target;
static void load(void) { _exit(*target); }
static void check_gone(char *at)
{
    target = at;
    check_killed(load, SIGSEGV, SEGV_MAPERR, -1);
}

/* The errno of a call that must fail. */
static int refusal(void *at, size_t old_bytes, size_t new_bytes, int flags, void *to)
{
    errno = 0;
    CHECK(mremap(at, old_bytes, new_bytes, flags, to) == MAP_FAILED);
    return errno;
}

TEST(a_mapping_shrinks_and_grows_where_it_is, "")
{
    char *at = numbered(3);
    CHECK_EQ(mremap(at, 3 * PAGE, PAGE, 0), at);
    check_gone(at + PAGE);
    CHECK_EQ(mremap(at, PAGE, 4 * PAGE, 0), at);
    CHECK_EQ(at[0], 1);
    CHECK_EQ(at[3 * PAGE], 0);
    at[3 * PAGE] = 1;
    CHECK_EQ(mmap(at + 4 * PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0), at + 4 * PAGE);
    CHECK_EQ(refusal(at, 4 * PAGE, 5 * PAGE, 0, NULL), ENOMEM);
    CHECK_EQ(refusal(at, PAGE, 2 * PAGE, 0, NULL), ENOMEM); /* not the mapping's end */
}

TEST(a_mapping_moves_with_its_pages, "remap_empty")
{
    char *at = numbered(4);
    CHECK_EQ(mmap(at + 4 * PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0), at + 4 * PAGE);
    char *moved = mremap(at, 4 * PAGE, 600 * PAGE, MOVE);
    CHECK(moved != MAP_FAILED && moved != at);
    check_numbers(moved, 4);
    check_gone(at);
    moved[599 * PAGE] = 1;
    /* a part, to where something is, and shorter */
    CHECK_EQ(mmap(at, 4 * PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0), at);
    CHECK_EQ(mremap(moved, 3 * PAGE, 2 * PAGE, FIXED, at + PAGE), at + PAGE);
    check_numbers(at + PAGE, 2);
    check_gone(moved + 2 * PAGE);
    CHECK_EQ(moved[3 * PAGE], 4);
    CHECK_EQ(at[3 * PAGE], 0);
    at[PAGE] = 9;
    target = at + 3 * PAGE;
    CHECK(read(open("/dev/zero", O_RDONLY), target, 1) == -1 && errno == EFAULT);
}

TEST(a_moved_mapping_can_leave_an_empty_one, "remap_empty")
{
    char *at = numbered(2), *moved = mremap(at, 2 * PAGE, 2 * PAGE, LEAVE, NULL);
    CHECK(moved != MAP_FAILED && moved != at);
    check_numbers(moved, 2);
    CHECK_EQ(at[0], 0);
    at[0] = 7;
    CHECK_EQ(moved[0], 1);
    CHECK_EQ(mremap(at, 2 * PAGE, 2 * PAGE, LEAVE | FIXED, at + 4 * PAGE), at + 4 * PAGE);
    CHECK_EQ(at[4 * PAGE], 7);
    CHECK_EQ(at[0], 0);
    CHECK_EQ(refusal(at, 2 * PAGE, 3 * PAGE, LEAVE, NULL), EINVAL);
    CHECK_EQ(refusal(at, 2 * PAGE, 2 * PAGE, 4, NULL), EINVAL);
}

TEST(an_old_length_of_0_maps_shared_memory_a_second_time, "")
{
    char *at = mmap(NULL, 2 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    at[PAGE] = 1;
    char *again = mremap(at, 0, 2 * PAGE, MOVE);
    CHECK(again != MAP_FAILED && again != at);
    CHECK_EQ(again[PAGE], 1);
    again[PAGE] = 2;
    CHECK_EQ(at[PAGE], 2);
    char *own = numbered(1);
    CHECK_EQ(refusal(own, 0, PAGE, MOVE, NULL), EINVAL);
    CHECK_EQ(refusal(at, 0, PAGE, 0, NULL), ENOMEM);
}

TEST(mremap_refuses_what_linux_refuses, "")
{
    char *at = numbered(5);
    munmap(at + 4 * PAGE, PAGE);
    CHECK_EQ(refusal(at, PAGE, PAGE, 0x80, NULL), EINVAL);
    CHECK_EQ(refusal(at, PAGE, PAGE, MREMAP_FIXED, at + 8 * PAGE), EINVAL);
    CHECK_EQ(refusal(at + 1, PAGE, PAGE, 0, NULL), EINVAL);
    CHECK_EQ(refusal(at, PAGE, 0, 0, NULL), EINVAL);
    CHECK_EQ(refusal(at, PAGE, PAGE, FIXED, at + 8 * PAGE + 1), EINVAL);
    CHECK_EQ(refusal(at, 2 * PAGE, 2 * PAGE, FIXED, at + PAGE), EINVAL);
    CHECK_EQ(refusal(at, PAGE, PAGE, FIXED, (void *)(1ul << 47)), EINVAL);
    CHECK_EQ(refusal(at + 4 * PAGE, PAGE, PAGE, 0, NULL), EFAULT);
    CHECK_EQ(refusal(at, 5 * PAGE, 6 * PAGE, MOVE, NULL), EFAULT);
    CHECK_EQ(refusal(at, PAGE, 1ul << 47, MOVE, NULL), ENOMEM);
    check_numbers(at, 4);
}

TEST(huge_mappings_move_in_whole_leaves, "remap_empty")
{
    penumbra_only(); /* Linux gives none that nobody has set aside */
    char *at = mmap(HIGH, 2 * MIB_2, RW, ANON | MAP_FIXED | MAP_HUGETLB | 21 << 26, -1, 0);
    CHECK_EQ(at, HIGH);
    at[MIB_2] = 5;
    CHECK_EQ(mremap(at + MIB_2, MIB_2, MIB_2, FIXED, at + 8 * MIB_2), at + 8 * MIB_2);
    CHECK_EQ(at[8 * MIB_2], 5);
    CHECK_EQ(at[0], 0);
    check_gone(at + MIB_2);
    CHECK_EQ(refusal(at, MIB_2, 2 * MIB_2, MOVE, NULL), EINVAL);
    CHECK_EQ(refusal(at, MIB_2, MIB_2, FIXED, at + 4 * MIB_2 + PAGE), EINVAL);
    CHECK_EQ(refusal(at + PAGE, PAGE, PAGE, MOVE, NULL), EINVAL);
}

/* Both sides of a fork move the same pages, each for itself. */
TEST(pages_shared_after_a_fork_move_on_one_side_only, "remap_empty")
{
    char *at = numbered(5);
    int status, child = fork();
    char *moved = mremap(at, 5 * PAGE, 5 * PAGE, FIXED, at + (child ? 16 : 64) * PAGE);
    CHECK(moved != MAP_FAILED);
    check_numbers(moved, 5);
    moved[0] = child ? 11 : 12;
    check_gone(at);
    if (child == 0)
        _exit(moved[0]);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 12 << 8);
    CHECK_EQ(moved[0], 11);
}

/* ---- Shadow stacks ------------------------------------------------------ */

static void store(void) { *target = 1; }

static uint64_t with_token(uint64_t bytes)
{
    uint64_t stack = (uint64_t)raw3(SYS_map_shadow_stack, 0, bytes, SHADOW_STACK_SET_TOKEN);
    CHECK_EQ(stack % PAGE, 0);
    return stack;
}

TEST_SHSTK(a_moved_shadow_stack_stays_one, "remap_empty")
{
    uint64_t stack = with_token(2 * PAGE), to = (uint64_t)HIGH;
    uint64_t token = *(uint64_t *)(stack + 2 * PAGE - 8);
    CHECK_EQ(mremap((void *)stack, 2 * PAGE, 2 * PAGE, FIXED, HIGH), HIGH);
    CHECK_EQ(*(uint64_t *)(to + 2 * PAGE - 8), token);
    CHECK_EQ(pte_of(getpid(), to + PAGE).state, 'c');
    target = HIGH;
    check_killed(store, SIGSEGV, SEGV_ACCERR, -1);
    target = HIGH + PAGE;
    check_killed(store, SIGSEGV, SEGV_ACCERR, 7);
    CHECK(mprotect(HIGH, PAGE, PROT_READ | PROT_EXEC) == -1 && errno == EINVAL);
}

TEST_SHSTK(a_shadow_stack_that_grows_or_moves_keeps_its_guards, "")
{
    uint64_t stack = with_token(PAGE);
    char *above = (char *)stack + 2 * PAGE;
    munmap(above, PAGE);
    CHECK_EQ(mmap(above, PAGE, RW, ANON | MAP_FIXED, -1, 0), above);
    CHECK_EQ(refusal((void *)stack, PAGE, 2 * PAGE, 0, NULL), ENOMEM);
    uint64_t moved = (uint64_t)mremap((void *)stack, PAGE, 2 * PAGE, MOVE);
    struct mapping mapping;
    CHECK(mapping_of(getpid(), moved, &mapping));
    CHECK(mapping.free_below >= PAGE && mapping.free_above >= PAGE);
    CHECK_EQ(mapping.end - mapping.start, 2 * PAGE);
}
