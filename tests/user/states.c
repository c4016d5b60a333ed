/* SPDX-License-Identifier: MIT */
/* Proves: every page-table state that the book describes appears where it should, with its letter,
 * bits and number of users. */
#include <fcntl.h>
#include <sys/mman.h>

#include "test.h"

static volatile uint64_t page[512] __attribute__((aligned(4096)));
static const uint64_t constant[512] __attribute__((aligned(4096))) = { 7 };

static char *map(size_t bytes, int prot, int flags)
{
    if (flags & MAP_HUGETLB)
        penumbra_only(); /* Linux gives none that nobody has set aside */
    char *at = mmap(NULL, bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
    CHECK(at != MAP_FAILED);
    return at;
}

static struct pte own(const volatile void *at) { return pte_of(getpid(), (uint64_t)at); }

/* From here on fork shares leaves, so that their states can be seen. */
static void share_leaves(void) { CHECK_EQ(file_put_text("/proc/self/fork", "leaves"), 0); }

TEST(state_w_private_writable, "")
{
    page[0] = 1;
    struct pte pte = own(page);
    CHECK_EQ(pte.state, 'w');
    CHECK(pte.w && pte.d && !pte.cow && pte.refs == 1);
}

TEST(state_r_zero_page_shared_by_reads, "")
{
    volatile char *a = map(8192, PROT_READ | PROT_WRITE, 0);
    CHECK_EQ(a[0] + a[4096], 0);
    struct pte first = own(a), second = own(a + 4096);
    CHECK_EQ(first.state, 'r');
    CHECK_EQ(first.pfn, second.pfn);
    a[0] = 1;
    CHECK_EQ(own(a).state, 'w');
    CHECK(own(a).pfn != second.pfn);
    CHECK_EQ(a[4096], 0);
}

TEST(state_r_file_pages_are_shared_between_processes, "")
{
    (void)*(volatile const uint64_t *)constant;
    struct pte mine = own(constant), parents = pte_of(getppid(), (uint64_t)constant);
    CHECK_EQ(mine.state, 'r');
    if (parents.state)
        CHECK_EQ(mine.pfn, parents.pfn);
}

TEST(state_a_after_fork, "cow_not_moved")
{
    share_leaves();
    page[0] = 1;
    int hold[2];
    CHECK(pipe(hold) == 0);
    int child = fork();
    if (child == 0) {
        char c;
        close(hold[1]);
        (void)!read(hold[0], &c, 1);
        _exit(0);
    }
    close(hold[0]);
    struct pte mine = own(page), theirs = pte_of(child, (uint64_t)page);
    CHECK_EQ(mine.state, 'a');
    CHECK_EQ(theirs.state, 'a');
    CHECK(mine.pfn == theirs.pfn && mine.refs == 2 && !mine.w && !mine.d && mine.cow);
    page[0] = 2;
    CHECK_EQ(own(page).state, 'w');
    CHECK(own(page).pfn != theirs.pfn);
    CHECK_EQ(pte_of(child, (uint64_t)page).refs, 1);
    close(hold[1]);
    wait(NULL);
}

static void child_sees_one(void)
{
    CHECK_EQ(page[1], 1);
    page[1] = 2;
    CHECK_EQ(page[1], 2);
}

TEST(copy_on_write_keeps_both_sides_apart, "skip_cow_copy")
{
    page[1] = 1;
    page[511] = 3;
    CHECK_EQ(in_child(child_sees_one, NULL), 0);
    CHECK_EQ(page[1], 1);
    page[2] = 5;
    CHECK_EQ(page[511], 3);
    int child = fork();
    if (child == 0) {
        page[3] = 1;
        _exit(page[511] == 3 && page[1] == 1 && page[2] == 5 ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    CHECK_EQ(status, 0);
}

TEST(stores_after_fork_are_not_seen_through_a_stale_tlb, "no_flush")
{
    pin(0);
    page[4] = 1; /* the TLB now holds a writable translation */
    int hold[2];
    CHECK(pipe(hold) == 0);
    long child = raw0(SYS_fork);
    if (child == 0) {
        char c;
        raw_read(hold[0], &c, 1);
        raw_exit((int)page[4]);
    }
    page[4] = 2;
    int status;
    (void)!write(hold[1], "x", 1);
    waitpid((int)child, &status, 0);
    CHECK_EQ(WEXITSTATUS(status), 1);
}

TEST(state_b_after_a_debuggers_write, "")
{
    (void)*(volatile const uint64_t *)constant;
    uint64_t file_frame = own(constant).pfn, value = 9;
    int fd = open("/proc/self/mem", O_RDWR);
    CHECK(fd >= 0);
    CHECK_EQ(pwrite(fd, &value, sizeof(value), (off_t)constant), sizeof(value));
    struct pte pte = own(constant);
    CHECK_EQ(pte.state, 'b');
    CHECK(!pte.w && !pte.d && pte.cow && pte.refs == 1 && pte.pfn != file_frame);
    CHECK_EQ(*(volatile const uint64_t *)constant, 9);
    value = 10;
    CHECK_EQ(pwrite(fd, &value, sizeof(value), (off_t)constant), sizeof(value));
    CHECK_EQ(own(constant).pfn, pte.pfn); /* the page is its own already: no second copy */
}

TEST_SHSTK(state_c_owned_shadow_stack, "")
{
    struct pte pte = own((void *)rdssp());
    CHECK_EQ(pte.state, 'c');
    CHECK(!pte.w && pte.d && !pte.cow && pte.refs == 1);
}

/* A process that forks, and writes the child's pid and its own SSP to the pipe `to`. Neither it nor
 * the child touches the shadow stack until the pipe `hold` is closed. */
static void subject_of_state_d(int to, int hold)
{
    uint64_t report[2];
    char c;
    report[1] = rdssp();
    report[0] = (uint64_t)raw0(SYS_fork);
    if (report[0])
        raw_write(to, report, sizeof(report));
    raw_read(hold, &c, 1);
    raw_exit(0);
}

TEST_SHSTK(state_d_shared_shadow_stack, "fork_keeps_dirty fork_parent_only cow_not_moved")
{
    int report_pipe[2], hold[2];
    uint64_t report[2];
    share_leaves();
    CHECK(pipe(report_pipe) == 0 && pipe(hold) == 0);
    int subject = fork();
    if (subject == 0) {
        close(report_pipe[0]);
        close(hold[1]);
        subject_of_state_d(report_pipe[1], hold[0]);
    }
    close(report_pipe[1]);
    CHECK_EQ(read(report_pipe[0], report, sizeof(report)), sizeof(report));
    struct pte parents = pte_of(subject, report[1]), childs = pte_of((int)report[0], report[1]);
    close(hold[1]);
    CHECK_EQ(waitpid(subject, NULL, 0), subject);
    CHECK_EQ(parents.state, 'd');
    CHECK_EQ(childs.state, 'd');
    CHECK(!parents.w && !parents.d && parents.cow && parents.pfn == childs.pfn
          && parents.refs == 2);
}

TEST(state_n_prot_none_keeps_the_page, "")
{
    volatile char *a = map(4096, PROT_READ | PROT_WRITE, 0);
    a[5] = 42;
    uint64_t pfn = own(a).pfn;
    CHECK_EQ(mprotect((void *)a, 4096, PROT_NONE), 0);
    CHECK_EQ(own(a).state, 'n');
    CHECK_EQ(own(a).pfn, pfn);
    CHECK_EQ(mprotect((void *)a, 4096, PROT_READ | PROT_WRITE), 0);
    CHECK_EQ(a[5], 42);
    a[5] = 43;
    CHECK_EQ(own(a).pfn, pfn);
    CHECK_EQ(own(a).state, 'w');
}

/* ---- Huge leaves -------------------------------------------------------- */

#define TWO_MIB (2ul << 20)

TEST(huge_2m_leaf_is_copied_whole_on_write, "skip_cow_copy")
{
    volatile char *a = map(TWO_MIB, PROT_READ | PROT_WRITE, MAP_HUGETLB);
    share_leaves();
    a[0] = 1;
    a[TWO_MIB - 1] = 2;
    struct pte pte = own(a);
    CHECK(pte.bytes == TWO_MIB && pte.state == 'w');
    int child = fork();
    if (child == 0) {
        CHECK_EQ(own(a).state, 'a');
        a[1] = 3;
        struct pte copy = own(a);
        CHECK(copy.bytes == TWO_MIB && copy.state == 'w' && copy.pfn != pte.pfn);
        CHECK(a[0] == 1 && a[TWO_MIB - 1] == 2);
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    CHECK_EQ(status, 0);
    CHECK_EQ(a[1], 0);
    a[1] = 4; /* the last owner */
    CHECK_EQ(own(a).pfn, pte.pfn);
}

TEST(huge_leaves_go_in_whole_leaves_only, "")
{
    char *a = map(2 * TWO_MIB, PROT_READ | PROT_WRITE, MAP_HUGETLB);
    CHECK(munmap(a + 4096, 4096) == -1 && errno == EINVAL);
    CHECK(mprotect(a, 4096, PROT_READ) == -1 && errno == EINVAL);
    CHECK_EQ(munmap(a + TWO_MIB, TWO_MIB), 0);
    a[0] = 1;
    CHECK_EQ(munmap(a, TWO_MIB), 0);
}
