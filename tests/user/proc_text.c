/* SPDX-License-Identifier: MIT */
/* Proves: the texts of /proc about a process can be read however long they are, in pieces of any
 * size and from any position. */
#include <fcntl.h>
#include <sys/mman.h>

#include "test.h"

#define LARGE (320ul << 20) /* the text of its entries exceeds the kernel's largest allocation */

/* Map the zero page many times: this takes no memory but for the page tables. */
static char *large_mapping(void)
{
    char *at = mmap(NULL, LARGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(at != MAP_FAILED);
    for (size_t i = 0; i < LARGE; i += 4096)
        (void)*(volatile char *)(at + i);
    return at;
}

TEST(a_large_processs_entries_can_be_read, "")
{
    static char piece[60000];
    char *at = large_mapping(), line[160];
    unsigned long va, entries = 0;
    penumbra_only();
    FILE *file = fopen("/proc/self/ptes", "r");
    CHECK(file && setvbuf(file, piece, _IOFBF, sizeof(piece)) == 0);
    while (fgets(line, sizeof(line), file)) {
        CHECK(sscanf(line, "%lx", &va) == 1 && strchr(line, '\n'));
        if (va >= (unsigned long)at && va < (unsigned long)at + LARGE)
            CHECK_EQ(va, (unsigned long)at + 4096 * entries++);
    }
    CHECK_EQ(entries, LARGE / 4096);
    fclose(file);
}

TEST(a_text_of_proc_is_the_same_from_every_position, "")
{
    static char whole[40000], part[40000];
    for (int i = 0; i < 200; i++) /* mappings that do not merge: a text of several pages */
        CHECK(mmap(NULL, 4096, i & 1 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
              != MAP_FAILED);
    int fd = open("/proc/self/maps", O_RDONLY);
    long len = 0;
    for (long got; (got = read(fd, whole + len, 777)) > 0;)
        len += got;
    CHECK(len > 8192);
    penumbra_only(); /* one read of Linux gives about a page */
    CHECK_EQ(pread(fd, part, sizeof(part), 0), len);
    CHECK(memcmp(whole, part, (size_t)len) == 0);
    for (long from = len; from > 0; from -= 1234) {
        long got = pread(fd, part, 100, from);
        CHECK(got == (len - from < 100 ? len - from : 100));
        CHECK(memcmp(part, whole + from, (size_t)got) == 0);
    }
    CHECK(lseek(fd, 5, SEEK_SET) == 5 && read(fd, part, 10) == 10 && !memcmp(part, whole + 5, 10));
    CHECK_EQ(pread(fd, part, 10, len + 1000000), 0);
}
