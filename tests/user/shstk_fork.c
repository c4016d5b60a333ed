/* SPDX-License-Identifier: MIT */
/* Proves: a shadow stack shared at fork is copied in parent and child, RET alone is enough to copy
 * it, and both return through frames pushed before the fork. */
#include <fcntl.h>

#include "test.h"

static int hold[2];

/* Wait without touching the shadow stack. */
RAW void wait_raw(void)
{
    char c;
    raw_read(hold[0], &c, 1);
}

TEST_SHSTK(shadow_stack_is_copied_in_the_child, "share_frame fork_keeps_dirty")
{
    uint64_t ssp = rdssp(), pfn = pte_of(getpid(), ssp).pfn;
    CHECK(pipe(hold) == 0);
    long child = raw0(SYS_fork);
    if (child == 0) {
        struct pte pte = pte_of(getpid(), ssp); /* this CALL is the first access */
        CHECK_EQ(pte.state, 'c');
        CHECK(pte.pfn != pfn);
        _exit(0);
    }
    int status;
    raw6(SYS_wait4, child, (long)&status, 0, 0, 0, 0); /* no access by the parent yet */
    CHECK_EQ(status, 0);
    CHECK_EQ(pte_of(getpid(), ssp).pfn, pfn); /* ... and, as the last owner, keeps the frame */
}

TEST_SHSTK(shadow_stack_is_copied_in_the_parent, "share_frame fork_keeps_dirty")
{
    uint64_t ssp = rdssp(), pfn = pte_of(getpid(), ssp).pfn;
    CHECK(pipe(hold) == 0);
    long child = raw0(SYS_fork);
    if (child == 0) {
        wait_raw();
        CHECK_EQ(pte_of(getpid(), ssp).pfn, pfn);
        CHECK_EQ(pte_of(getpid(), ssp).state, 'c');
        _exit(0);
    }
    struct pte pte = pte_of(getpid(), ssp);
    CHECK_EQ(pte.state, 'c');
    CHECK(pte.pfn != pfn);
    (void)!write(hold[1], "x", 1);
    int status;
    waitpid((int)child, &status, 0);
    CHECK_EQ(status, 0);
}

/* Fork; the child returns by one RET. */
__attribute__((noinline)) static long fork_and_return(void)
{
    long child = raw0(SYS_fork);
    __asm__ volatile("" : : : "memory");
    return child;
}

TEST_SHSTK(one_ret_is_enough_to_copy, "skip_copy share_frame")
{
    uint64_t ssp = rdssp();
    trace_on();
    long child = fork_and_return();
    if (child == 0)
        raw_exit(55); /* nothing but that RET */
    int status;
    raw6(SYS_wait4, child, (long)&status, 0, 0, 0, 0);
    CHECK_EQ(WEXITSTATUS(status), 55);
    /* parent and child share the page until one of them returns: one copied the page, the other
     * reused it */
    int copies = trace_count((int)child, "shstk-copy", ssp, ~0ul)
                 + trace_count(getpid(), "shstk-copy", ssp, ~0ul);
    CHECK(copies >= 1);
}

/* Three frames deep, the innermost forks. Each level checks that it returned to its caller. */
__attribute__((noinline)) static long level3(int child_first)
{
    long child = raw0(SYS_fork);
    if ((child == 0) != child_first)
        wait_raw();
    return child;
}
__attribute__((noinline)) static long level2(int child_first, volatile int *mark)
{
    long r = level3(child_first);
    *mark += 1;
    return r;
}
__attribute__((noinline)) static long level1(int child_first, volatile int *mark)
{
    long r = level2(child_first, mark);
    *mark += 10;
    return r;
}

static void returns_in_order(int child_first)
{
    volatile int mark = 0;
    int status;
    CHECK(pipe(hold) == 0);
    long child = level1(child_first, &mark);
    raw_write(hold[1], "x", 1); /* now the other process */
    CHECK_EQ(mark, 11);
    if (child == 0)
        _exit(0);
    waitpid((int)child, &status, 0);
    CHECK_EQ(status, 0);
}

TEST_SHSTK(frames_from_before_the_fork_child_first, "skip_copy") { returns_in_order(1); }
TEST_SHSTK(frames_from_before_the_fork_parent_first, "skip_copy share_frame")
{
    returns_in_order(0);
}

/* Fork at each of eight levels; every process returns through all frames above. The result is the
 * number of its descendants. */
__attribute__((noinline)) static int chain(int levels)
{
    int status;
    if (levels == 0)
        return 0;
    int child = fork();
    CHECK(child >= 0);
    if (child == 0)
        return chain(levels - 1) + 1;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status));
    exit(WEXITSTATUS(status));
}

static void chain_of_eight(void) { exit(chain(8)); }

TEST_SHSTK(chains_of_eight_forks_return, "skip_copy")
{
    CHECK_EQ(WEXITSTATUS(in_child(chain_of_eight, NULL)), 8);
}

/* ---- Every instruction that accesses a shadow stack --------------------- */

/*
 * Share the page, execute the operation in the child, and check in the trace that the copy came
 * before its end. The operation must leave SSP as it was.
 */
#define COPIES(operation)                                                       \
    do {                                                                        \
        uint64_t ssp_before = rdssp();                                          \
        int status_now;                                                         \
        trace_on();                                                             \
        long child_now = raw0(SYS_fork);                                        \
        if (child_now == 0) {                                                   \
            operation;                                                          \
            uint64_t done = rdtsc();                                            \
            CHECK_EQ(trace_count(getpid(), "shstk-copy", ssp_before, done), 1); \
            CHECK_EQ(pte_of(getpid(), ssp_before).state, 'c');                  \
            _exit(0);                                                           \
        }                                                                       \
        raw6(SYS_wait4, child_now, (long)&status_now, 0, 0, 0, 0);              \
        CHECK_EQ(status_now, 0);                                                \
    } while (0)

TEST_SHSTK(near_call_copies, "")
{
    COPIES(__asm__ volatile("call 1f\n1: add $8, %%rsp\n mov $1, %%eax\n incsspq %%rax"
                            :
                            :
                            : "rax", "memory", "cc"));
}

TEST_SHSTK(near_call_and_ret_copy, "")
{
    COPIES(__asm__ volatile("jmp 2f\n1: ret\n2: call 1b" : : : "memory"));
}

TEST_SHSTK(incssp_copies, "")
{
    /* an increment of zero accesses nothing: pop one word and push one by a call */
    COPIES(__asm__ volatile("mov $1, %%eax\n incsspq %%rax\n call 1f\n1: add $8, %%rsp"
                            :
                            :
                            : "rax", "memory", "cc"));
}

/* A far call pushes three shadow-stack words: CS, LIP and SSP. The far return pops them. */
TEST_SHSTK(far_call_and_ret_copy, "")
{
    static struct far_pointer target = { .selector = USER_CS };
    COPIES(__asm__ volatile(
        "lea 1f(%%rip), %%rax\n mov %%rax, (%0)\n jmp 2f\n1: lretq\n2: rex.W lcall *(%0)"
        :
        : "r"(&target)
        : "rax", "memory"));
}

/* IRETQ to the same privilege pops CS, LIP and SSP from the shadow stack; a far call pushed
 * them. */
TEST_SHSTK(iretq_in_ring_3_copies, "")
{
    static struct far_pointer target = { .selector = USER_CS };
    COPIES(__asm__ volatile(
        "lea 1f(%%rip), %%rax\n mov %%rax, (%0)\n"
        "mov %%rsp, %%r11\n"
        "jmp 2f\n"
        "1: pop %%rax\n pop %%rcx\n" /* RIP, CS of the far call */
        "mov %%ss, %%edx\n push %%rdx\n push %%r11\n pushfq\n push %%rcx\n push %%rax\n iretq\n"
        "2: rex.W lcall *(%0)"
        :
        : "r"(&target)
        : "rax", "rcx", "rdx", "r11", "memory", "cc"));
}

TEST_SHSTK(wrss_copies, "")
{
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_ENABLE, ARCH_SHSTK_WRSS), 0);
    uint64_t ssp = rdssp(), value = *(volatile uint64_t *)ssp;
    COPIES(wrss(ssp, value));
}

/* RSTORSSP switches to another stack; SAVEPREVSSP then writes a token to the old stack, which is
 * shared. */
TEST_SHSTK(rstorssp_and_saveprevssp_copy, "")
{
    uint64_t stack = (uint64_t)raw3(SYS_map_shadow_stack, 0, 4096, SHADOW_STACK_SET_TOKEN);
    CHECK((long)stack > 0);
    uint64_t token = stack + 4096 - 8, ssp = rdssp();
    uint64_t back = (ssp & ~7ul) - 8;
    int status;
    trace_on();
    long child = raw0(SYS_fork);
    if (child == 0) {
        rstorssp(token);
        saveprevssp(); /* puts a restore token on the old stack */
        uint64_t done = rdtsc();
        rstorssp(back);
        saveprevssp();
        CHECK_EQ(rdssp(), ssp);
        CHECK(trace_count(getpid(), "shstk-copy", token, done) == 1);
        CHECK(trace_count(getpid(), "shstk-copy", back, done) == 1);
        _exit(0);
    }
    raw6(SYS_wait4, child, (long)&status, 0, 0, 0, 0);
    CHECK_EQ(status, 0);
}

/* ---- The kernel's WRUSS ------------------------------------------------- */

/* Have the kernel store value at va by WRUSS. */
static long wruss(uint64_t va, uint64_t value)
{
    char text[48];
    int fd = open("/proc/wruss", O_WRONLY);
    int len = snprintf(text, sizeof(text), "%lu %lu", va, value);
    long result = raw_write(fd, text, len);
    close(fd);
    return result == len ? 0 : result;
}

TEST_SHSTK(the_kernels_wruss_copies, "skip_copy")
{
    char text[48];
    uint64_t ssp = rdssp(), value = *(volatile uint64_t *)ssp;
    uint64_t word = (ssp & ~4095ul) + 8;
    int fd = open("/proc/wruss", O_WRONLY), status,
        len = snprintf(text, sizeof(text), "%lu 12345", word);
    uint64_t pfn = pte_of(getpid(), ssp).pfn;
    trace_on();
    long child = raw0(SYS_fork);
    if (child == 0) {
        long written = raw_write(fd, text, len);
        uint64_t done = rdtsc(); /* no CALL until here */
        CHECK_EQ(written, len);
        CHECK_EQ(trace_count(getpid(), "shstk-copy", ssp, done), 1);
        CHECK_EQ(*(volatile uint64_t *)word, 12345);
        CHECK_EQ(*(volatile uint64_t *)ssp, value);
        CHECK(pte_of(getpid(), ssp).pfn != pfn);
        _exit(0);
    }
    raw6(SYS_wait4, child, (long)&status, 0, 0, 0, 0);
    CHECK_EQ(status, 0);
    CHECK_EQ(*(volatile uint64_t *)word, 0);
}

TEST_SHSTK(the_kernels_wruss_is_refused_elsewhere, "")
{
    static volatile uint64_t data[512] __attribute__((aligned(4096)));
    data[0] = 7;
    CHECK_EQ(wruss((uint64_t)data, 1), -EFAULT);
    CHECK_EQ(data[0], 7);
    CHECK_EQ(wruss(0x10000000, 1), -EFAULT);
    CHECK_EQ(wruss(0xffff888000000000, 1), -EFAULT);
    CHECK_EQ(wruss(rdssp() + 4, 1), -EINVAL);
}
