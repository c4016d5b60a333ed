/* SPDX-License-Identifier: MIT */
/* Proves: mmap() and its kin do what they are asked, or report that they cannot. */
#define _GNU_SOURCE
#include <cpuid.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "test.h"

#define RW      (PROT_READ | PROT_WRITE)
#define ANON    (MAP_PRIVATE | MAP_ANONYMOUS)
#define MIB_2   (2ul << 20)
#define ONE_GIB (1ul << 30)
#define HIGH    ((char *)0x7000000000ul)
#define LOWEST  ((char *)0x10000ul)
#define HUGE_2M (MAP_HUGETLB | 21 << 26)
#define HUGE_1G (MAP_HUGETLB | 30 << 26)

/* The errno of an mmap(); 0, with the memory unmapped again, when the call succeeded. */
static int refusal(void *at, size_t bytes, int flags, int fd)
{
    void *got = mmap(at, bytes, RW, flags, fd, 0);
    if (got == MAP_FAILED)
        return errno;
    munmap(got, bytes);
    return 0;
}

TEST(a_growing_mapping_has_small_private_pages, "")
{
    int fd = open("/bin/ps", O_RDONLY);
    CHECK_EQ(refusal(HIGH, MIB_2, ANON | MAP_GROWSDOWN | MAP_FIXED | HUGE_2M, -1), EINVAL);
    CHECK_EQ(refusal(HIGH, MIB_2, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, -1), EINVAL);
    CHECK_EQ(refusal(HIGH, MIB_2, MAP_PRIVATE | MAP_GROWSDOWN, fd), EINVAL);
    CHECK_EQ(refusal(HIGH, MIB_2, ANON | MAP_GROWSDOWN | MAP_FIXED, -1), 0);
}

TEST(one_gib_leaves_exist_where_the_cpu_has_them, "")
{
    unsigned a, b, c, d = 0;
    penumbra_only(); /* Linux gives none that nobody has set aside */
    CHECK(__get_cpuid(0x80000001, &a, &b, &c, &d));
    int has = d >> 26 & 1;
    printf("# the CPU has %s\n", has ? "them" : "none");
    CHECK_EQ(refusal(HIGH, ONE_GIB, ANON | MAP_FIXED | HUGE_1G, -1), has ? 0 : EINVAL);
}

/* ---- Near NULL ---------------------------------------------------------- */

TEST(nothing_is_mapped_near_null, "")
{
    penumbra_only(); /* Linux lets root do it */
    CHECK_EQ(refusal(NULL, 4096, ANON | MAP_FIXED, -1), EPERM);
    CHECK_EQ(refusal(LOWEST - 4096, 4096, ANON | MAP_FIXED, -1), EPERM);
    CHECK_EQ(refusal(LOWEST - 4096, 4096, ANON | MAP_FIXED_NOREPLACE, -1), EPERM);
    CHECK_EQ(refusal(LOWEST, 4096, ANON | MAP_FIXED, -1), 0);
    char *hint = mmap((void *)0x2000, 4096, RW, ANON, -1, 0);
    CHECK_EQ(hint, LOWEST);
    munmap(hint, 4096);
}

static char *volatile target;
static void store(void) { *target = 1; }

TEST(no_mapping_grows_to_null, "")
{
    void *at = (void *)0x100000;
    CHECK_EQ(mmap(at, 4096, RW, ANON | MAP_GROWSDOWN | MAP_FIXED, -1, 0), at);
    target = (char *)8;
    check_killed(store, SIGSEGV, SEGV_MAPERR, 6);
    target = LOWEST;
    store(); /* the mapping may grow down to here */
    target = LOWEST - 1;
    check_killed(store, SIGSEGV, SEGV_MAPERR, 6);
}

/* ---- Flags -------------------------------------------------------------- */

#ifndef MAP_SHARED_VALIDATE
#define MAP_SHARED_VALIDATE 3
#endif
#define MAP_SYNC_BIT 0x80000
#define MAP_ABOVE4G  0x80
#define WIPEONFORK   18
#define KEEPONFORK   19
#define TWO_GIB      (2ul << 30)

static int scratch(int flags)
{
    int fd = open("/tmp/mappings", flags | O_CREAT, 0644);
    CHECK(fd >= 0);
    return fd;
}

static void scratch_remove(void) { CHECK_EQ(unlink("/tmp/mappings"), 0); }

TEST(unknown_flags_are_refused_where_linux_refuses_them, "")
{
    int fd = scratch(O_RDWR);
    scratch_remove();
    CHECK_EQ(refusal(NULL, 4096, MAP_SHARED_VALIDATE | MAP_SYNC_BIT, fd), EOPNOTSUPP);
    CHECK_EQ(refusal(NULL, 4096, MAP_SHARED_VALIDATE | MAP_NORESERVE, fd), 0);
    CHECK_EQ(refusal(NULL, 4096, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1), EINVAL);
    CHECK_EQ(refusal(NULL, 4096, MAP_ANONYMOUS, -1), EINVAL);
    void *at = (void *)syscall(SYS_mmap, 0, 8192, RW, MAP_SHARED, fd, -4096l);
    CHECK(at == MAP_FAILED && errno == EOVERFLOW);
    at = mmap(NULL, 4096, RW, ANON, -1, 0);
    CHECK(mprotect(at, 4096, PROT_READ | 0x10) == -1 && errno == EINVAL);
    CHECK_EQ(mprotect(at, 4096, PROT_READ | 8), 0); /* PROT_SEM */
}

TEST(placement_flags_decide_the_address, "")
{
    for (int i = 0; i < 4; i++) {
        char *low = mmap(NULL, 1 << 20, RW, ANON | MAP_32BIT, -1, 0);
        CHECK(low != MAP_FAILED && (unsigned long)low + (1 << 20) <= TWO_GIB);
        char *high = mmap(NULL, 1 << 20, RW, ANON | MAP_ABOVE4G, -1, 0);
        CHECK(high != MAP_FAILED && (unsigned long)high >= 2 * TWO_GIB);
    }
    char *hint = (char *)0x20000; /* an address that is free wins */
    CHECK(mmap(hint, 1 << 12, RW, ANON | MAP_ABOVE4G, -1, 0) == hint);
    CHECK((unsigned long)mmap(hint, 1 << 12, RW, ANON | MAP_ABOVE4G, -1, 0) >= 2 * TWO_GIB);
    CHECK_EQ(refusal(NULL, TWO_GIB, ANON | MAP_32BIT, -1), ENOMEM);
}

static int is_there(char *at) { return pte_of(getpid(), (uint64_t)at).state != 0; }

TEST(locked_memory_is_present_at_once, "")
{
    char *locked = mmap(NULL, 8192, RW, ANON | MAP_LOCKED, -1, 0),
         *populated = mmap(NULL, 8192, RW, ANON | MAP_POPULATE, -1, 0),
         *neither = mmap(NULL, 8192, RW, ANON | MAP_POPULATE | MAP_NONBLOCK, -1, 0);
    CHECK(is_there(locked + 4096) && is_there(populated + 4096) && !is_there(neither + 4096));
}

TEST(a_shared_mapping_of_a_read_only_file_stays_read_only, "")
{
    CHECK_EQ(ftruncate(scratch(O_RDWR), 4096), 0);
    int fd = scratch(O_RDONLY);
    scratch_remove();
    CHECK_EQ(refusal(NULL, 4096, MAP_SHARED, fd), EACCES);
    char *at = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    CHECK(at != MAP_FAILED);
    CHECK(mprotect(at, 4096, RW) == -1 && errno == EACCES);
    CHECK_EQ(mprotect(at, 4096, PROT_READ | PROT_EXEC), 0);
    target = at;
    check_killed(store, SIGSEGV, SEGV_ACCERR, -1);
    at = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0); /* a private copy may become writable */
    CHECK_EQ(mprotect(at, 4096, RW), 0);
    at[0] = 1;
}

/* ---- Advice ------------------------------------------------------------- */

static char *advised;
static void look_at_it(void) { _exit(*(volatile char *)advised); }

TEST(unknown_advice_is_refused, "")
{
    char *at = mmap(NULL, 3 * 4096, RW, ANON, -1, 0);
    static const int unknown[] = { -1, 5, 9, 99, 1000 };
    for (size_t i = 0; i < sizeof(unknown) / sizeof(*unknown); i++)
        CHECK(madvise(at, 4096, unknown[i]) == -1 && errno == EINVAL);
    CHECK_EQ(madvise(at, 4096, MADV_WILLNEED), 0);
    CHECK(madvise(at + 1, 4096, MADV_WILLNEED) == -1 && errno == EINVAL);
    munmap(at + 4096, 4096);
    CHECK(madvise(at, 3 * 4096, MADV_RANDOM) == -1 && errno == ENOMEM);
    CHECK(madvise(at, 3 * 4096, MADV_DONTFORK) == -1 && errno == ENOMEM);
}

/* Merging, collapsing and poisoning pages: what Linux can be built without. */
TEST(advice_that_is_left_out_is_refused, "")
{
    char *at = mmap(NULL, 4096, RW, ANON, -1, 0);
    penumbra_only();
    static const int left_out[] = { 12, 13, 25, 100, 101 };
    for (size_t i = 0; i < sizeof(left_out) / sizeof(*left_out); i++)
        FAILS(madvise(at, 4096, left_out[i]), EINVAL);
}

/* Three regions side by side, in page tables that a fork shares as a whole. */
#define REGION (2l << 20)
static char *region;

static void look_at_regions(void)
{
    _exit(region[0] * 16 + region[REGION + 4096] * 4 + region[2 * REGION + REGION - 1]);
}

static void look_behind_a_hole(void) { _exit(region[REGION + 8192]); }

static void free_a_part(void)
{
    CHECK_EQ(madvise(region + REGION / 2, REGION + 4096, 8 /* MADV_FREE */), 0);
    madvise(region + REGION / 2, REGION + 4096, MADV_DONTNEED); /* Linux may free it later */
    _exit(region[0] * 16 + region[REGION] * 4 + region[2 * REGION]);
}

TEST(advice_holds_in_page_tables_that_are_shared, "withheld_kept")
{
    region = mmap(NULL, 3 * REGION, RW, ANON, -1, 0);
    memset(region, 1, 3 * REGION);
    if (!portable())
        CHECK_EQ(file_put_text("/proc/self/fork", "tables"), 0);
    CHECK_EQ(in_child(look_at_regions, NULL), 21 << 8);
    CHECK_EQ(in_child(free_a_part, NULL), 17 << 8);
    CHECK_EQ(in_child(look_at_regions, NULL), 21 << 8);
    CHECK_EQ(madvise(region + REGION + 4096, 4096, WIPEONFORK), 0);
    CHECK_EQ(in_child(look_at_regions, NULL), 17 << 8);
    CHECK_EQ(madvise(region + REGION + 8192, 4096, MADV_DONTFORK), 0);
    int status = in_child(look_behind_a_hole, NULL);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    for (long i = 0; i < 3 * REGION; i++)
        CHECK_EQ(region[i], 1);
}

TEST(wipeonfork_memory_is_zero_in_a_child, "withheld_kept")
{
    advised = mmap(NULL, 4096, RW, ANON, -1, 0);
    advised[0] = 7;
    CHECK_EQ(madvise(advised, 4096, WIPEONFORK), 0);
    CHECK_EQ(in_child(look_at_it, NULL), 0);
    CHECK_EQ(advised[0], 7);
    CHECK_EQ(madvise(advised, 4096, KEEPONFORK), 0);
    CHECK_EQ(in_child(look_at_it, NULL), 7 << 8);
    char *file = mmap(NULL, 4096, RW, MAP_PRIVATE, scratch(O_RDWR), 0);
    scratch_remove();
    CHECK(madvise(file, 4096, WIPEONFORK) == -1 && errno == EINVAL);
    CHECK(madvise(file, 4096, MADV_FREE) == -1 && errno == EINVAL);
    CHECK_EQ(madvise(advised, 4096, MADV_FREE), 0);
}

TEST(dontfork_memory_is_missing_in_a_child, "withheld_kept")
{
    target = advised = mmap(NULL, 4096, RW, ANON, -1, 0);
    advised[0] = 7;
    CHECK_EQ(madvise(advised, 4096, MADV_DONTFORK), 0);
    check_killed(store, SIGSEGV, SEGV_MAPERR, 6);
    CHECK_EQ(madvise(advised, 4096, MADV_DOFORK), 0);
    CHECK_EQ(in_child(look_at_it, NULL), 7 << 8);
}

/* ---- Many --------------------------------------------------------------- */

#define MANY 10000
#define TWO  8192
static char *many[MANY];

static long maps_lines(void)
{
    static char piece[60000];
    char line[160];
    long lines = 0;
    FILE *file = fopen("/proc/self/maps", "r");
    CHECK(file && setvbuf(file, piece, _IOFBF, sizeof(piece)) == 0);
    while (fgets(line, sizeof(line), file))
        lines++;
    fclose(file);
    return lines;
}

/* Neighbours differ in their rights, so that they are not joined. */
static void many_map(void)
{
    for (int i = 0; i < MANY; i++) {
        many[i] = mmap(NULL, TWO, i % 2 ? PROT_READ : RW, ANON, -1, 0);
        CHECK(many[i] != MAP_FAILED && (i == 0 || many[i] + TWO == many[i - 1]));
    }
}

static void look_at_many(void)
{
    for (int i = 0; i < MANY; i++)
        CHECK_EQ(*(int *)many[i], i % 2 ? 0 : i);
}

TEST(ten_thousand_mappings_come_and_go, "stale_room")
{
    long lines = maps_lines();
    many_map();
    for (int i = 0; i < MANY; i += 2)
        *(int *)many[i] = i;
    long with_many = maps_lines();
    CHECK(with_many >= lines + MANY - 1 && with_many <= lines + MANY);
    CHECK_EQ(in_child(look_at_many, NULL), 0);
    look_at_many();
    for (int i = 1; i < MANY; i += 2)
        CHECK_EQ(munmap(many[i], TWO), 0);
    for (int i = 1; i < MANY; i += 2) /* the highest hole is filled first */
        CHECK_EQ(mmap(NULL, TWO, PROT_READ, ANON, -1, 0), many[i]);
    look_at_many();
    target = many[MANY / 2] + TWO - 1;
    for (int i = 0; i < MANY; i += 2)
        CHECK_EQ(munmap(many[i], TWO), 0);
    check_killed(store, SIGSEGV, SEGV_MAPERR, 6);
    CHECK_EQ(munmap(many[MANY - 1], MANY * TWO), 0);
    CHECK_EQ(maps_lines(), lines);
}

/* ---- Large -------------------------------------------------------------- */

TEST(shared_memory_of_3_gib_is_usable_to_its_last_byte, "")
{
    size_t bytes = 3ul << 30;
    char *at = mmap(NULL, bytes, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(at != MAP_FAILED);
    at[bytes - 1] = 1;
    CHECK_EQ(at[bytes - 1] + at[0], 1);
}
