/* SPDX-License-Identifier: MIT */
/* Proves: mmap does what it is asked, or says that it cannot. */
#include <cpuid.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "test.h"

#define RW      (PROT_READ | PROT_WRITE)
#define ANON    (MAP_PRIVATE | MAP_ANONYMOUS)
#define MIB_2   (2ul << 20)
#define ONE_GIB (1ul << 30)
#define HIGH    ((char *)0x7000000000ul)
#define LOWEST  ((char *)0x10000ul)
#define HUGE_2M (MAP_HUGETLB | 21 << 26)
#define HUGE_1G (MAP_HUGETLB | 30 << 26)

/* The errno of an mmap that must fail; 0, unmapped again, when it did not. */
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

TEST(one_gib_leaves_where_the_cpu_has_them, "")
{
    unsigned a, b, c, d = 0;
    CHECK(__get_cpuid(0x80000001, &a, &b, &c, &d));
    int has = d >> 26 & 1;
    printf("# the CPU has %s\n", has ? "them" : "none");
    CHECK_EQ(refusal(HIGH, ONE_GIB, ANON | MAP_FIXED | HUGE_1G, -1), has ? 0 : EINVAL);
}

/* ---- Near NULL ---------------------------------------------------------- */

TEST(nothing_is_mapped_near_null, "")
{
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
    store(); /* down to there it may */
    target = LOWEST - 1;
    check_killed(store, SIGSEGV, SEGV_MAPERR, 6);
}
