/* SPDX-License-Identifier: MIT */
/* Proves: how a shadow stack lives from exec to exit: marked programs, arch_prctl(), context
 * switches, vfork() and stacks of 2 MiB. */
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#include "test.h"

static uint64_t features(void)
{
    uint64_t value = ~0ul;
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_STATUS, (long)&value), 0);
    return value;
}

TEST_SHSTK(a_marked_program_starts_protected, "")
{
    CHECK(rdssp() != 0);
    CHECK_EQ(features(), ARCH_SHSTK_SHSTK);
}

static void run_victim(void)
{
    static char *const argv[] = { "/bin/victim", NULL };
    execv(argv[0], argv);
}

TEST(an_unmarked_program_starts_unprotected, "")
{
    CHECK_EQ(WEXITSTATUS(in_child(run_victim, NULL)), 66);
}

TEST_SHSTK(enabling_twice_is_no_error, "")
{
    uint64_t ssp = rdssp();
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_ENABLE, ARCH_SHSTK_SHSTK), 0);
    CHECK_EQ(rdssp(), ssp);
}

TEST_SHSTK(arch_prctl_checks_its_arguments, "")
{
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_ENABLE, 3), -EINVAL);
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_ENABLE, 4), -EINVAL);
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_UNLOCK, 1), -EINVAL);
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_STATUS, 0), -EFAULT);
    CHECK_EQ(raw_arch_prctl(0x4711, 0), -EINVAL);
}

static void locked_stays_on(void)
{
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_LOCK, ARCH_SHSTK_SHSTK), 0);
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_DISABLE, ARCH_SHSTK_SHSTK), -EPERM);
    CHECK_EQ(features(), ARCH_SHSTK_SHSTK);
}

TEST_SHSTK(a_locked_feature_cannot_be_switched_off, "")
{
    CHECK_EQ(in_child(locked_stays_on, NULL), 0);
}

static void disable_and_enable(void)
{
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_DISABLE, ARCH_SHSTK_SHSTK), 0);
    CHECK_EQ(features(), 0);
    CHECK_EQ(rdssp(), 0);
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_ENABLE, ARCH_SHSTK_WRSS), -EPERM);
    /* from here on this function must not return: the new shadow stack is empty */
    long err = raw_arch_prctl(ARCH_SHSTK_ENABLE, ARCH_SHSTK_SHSTK);
    raw_exit(err == 0 && rdssp() != 0 ? 0 : 1);
}

TEST_SHSTK(disable_unmaps_and_enable_maps_again, "")
{
    CHECK_EQ(in_child(disable_and_enable, NULL), 0);
}

TEST(arch_prctl_refuses_what_is_no_feature_first, "")
{
    uint64_t now = ~0ul;
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_ENABLE, 0), -EINVAL);
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_ENABLE, 4), -EINVAL);
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_ENABLE, 3), -EINVAL);
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_DISABLE, 0), -EINVAL);
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_DISABLE, 3), -EINVAL);
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_UNLOCK, 1), -EINVAL); /* for debuggers */
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_STATUS, (long)&now), 0);
    CHECK_EQ(now & ~3ul, 0);
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_STATUS, 8), -EFAULT);
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_LOCK, 1l << 40), 0); /* bits without a meaning as well */
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_ENABLE, 1l << 40), -EPERM);
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_ENABLE, 1l << 40 | 1), -EPERM);
}

static void features_locked(void)
{
    _exit(raw_arch_prctl(ARCH_SHSTK_DISABLE, 1l << 41) == -EPERM ? 0 : 1);
}

TEST(a_childs_features_are_locked_as_its_parents, "")
{
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_DISABLE, 1l << 41), -EINVAL);
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_LOCK, 1l << 41), 0);
    CHECK_EQ(in_child(features_locked, NULL), 0);
}

TEST(arch_prctl_says_when_the_cpu_cannot, "")
{
    long err = raw_arch_prctl(ARCH_SHSTK_ENABLE, ARCH_SHSTK_SHSTK);
    CHECK_EQ(err, has_user_shstk() ? 0 : -EOPNOTSUPP);
}

static void attack_again(void)
{
    static char *const argv[] = { "/bin/ps", NULL };
    raw_arch_prctl(ARCH_SHSTK_ENABLE, ARCH_SHSTK_WRSS);
    raw_arch_prctl(ARCH_SHSTK_LOCK, ARCH_SHSTK_SHSTK);
    freopen("/dev/null", "w", stdout);
    execv(argv[0], argv);
}

TEST_SHSTK(exec_gives_a_fresh_shadow_stack, "") { CHECK_EQ(in_child(attack_again, NULL), 0); }

TEST_SHSTK(the_stack_limit_sizes_the_shadow_stack, "")
{
    struct rlimit limit;
    CHECK_EQ(getrlimit(RLIMIT_STACK, &limit), 0);
    char line[160];
    unsigned long start, end, ssp = rdssp();
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof(line), maps)) {
        if (sscanf(line, "%lx-%lx", &start, &end) == 2 && ssp >= start && ssp < end)
            CHECK_EQ(end - start, limit.rlim_cur);
    }
    fclose(maps);
}

/* ---- Context switches --------------------------------------------------- */

/* Recurse, and yield at every level: SSP and the words on the shadow stack must survive each
 * switch. */
__attribute__((noinline)) static int deep(int levels)
{
    uint64_t ssp = rdssp();
    raw0(SYS_sched_yield);
    if (rdssp() != ssp)
        return -1000000;
    if (levels == 0)
        return 0;
    int below = deep(levels - 1);
    __asm__ volatile("" : : : "memory");
    return below + 1;
}

static void two_recurse_in_turns(void)
{
    pin(0);
    int child = fork();
    int reached = deep(200);
    if (child == 0)
        raw_exit(reached == 200 ? 0 : 1);
    int status;
    waitpid(child, &status, 0);
    exit(reached == 200 && status == 0 ? 0 : 1);
}

TEST_SHSTK(ssp_is_kept_across_context_switches, "ssp_not_switched")
{
    CHECK_EQ(in_child(two_recurse_in_turns, NULL), 0);
}

/* ---- vfork, without a CALL that would overwrite the parent's frame ------ */

TEST_SHSTK(vfork_runs_on_the_parents_shadow_stack, "")
{
    volatile int mark = 0;
    uint64_t ssp = rdssp();
    long child = raw0(SYS_vfork);
    if (child == 0) {
        mark = rdssp() == ssp ? 1 : 2;
        raw_exit(0);
    }
    CHECK(child > 0);
    CHECK_EQ(mark, 1);
    CHECK_EQ(pte_of(getpid(), ssp).state, 'c');
    CHECK_EQ(waitpid((int)child, NULL, 0), child);
}

/* ---- 2 MiB shadow stacks (shstk_huge=1) --------------------------------- */

#define TWO_MIB (2ul << 20)

TEST_SHSTK(a_2m_shadow_stack_is_one_leaf_and_copied_whole, "skip_copy")
{
    uint64_t stack = (uint64_t)raw3(SYS_map_shadow_stack, 0, TWO_MIB, SHADOW_STACK_SET_TOKEN),
             ssp = rdssp();
    CHECK((long)stack > 0);
    struct pte pte = pte_of(getpid(), stack);
    CHECK(pte.bytes == TWO_MIB && pte.state == 'c');
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_ENABLE, ARCH_SHSTK_WRSS), 0);
    wrss(stack + 64, 0x1234);
    rstorssp(stack + TWO_MIB - 8);
    saveprevssp();
    int status;
    /* the parent waits without touching the shadow stack, so the child copies */
    long child = raw0(SYS_fork);
    if (child == 0) {
        struct pte copy = pte_of(getpid(), stack);
        CHECK(copy.bytes == TWO_MIB && copy.state == 'c' && copy.pfn != pte.pfn);
        CHECK_EQ(*(volatile uint64_t *)(stack + 64), 0x1234);
        raw_exit(0);
    }
    raw6(SYS_wait4, child, (long)&status, 0, 0, 0, 0);
    rstorssp(ssp - 8);
    saveprevssp();
    CHECK_EQ(status, 0);
    CHECK_EQ(pte_of(getpid(), stack).bytes, TWO_MIB);
    CHECK_EQ(munmap((void *)stack, TWO_MIB), 0);
}

TEST_SHSTK(a_2m_shadow_stack_goes_whole_or_not_at_all, "")
{
    char *stack = (char *)raw3(SYS_map_shadow_stack, 0, TWO_MIB, 0);
    CHECK(munmap(stack, 4096) == -1 && errno == EINVAL);
    CHECK_EQ(munmap(stack, TWO_MIB), 0);
}
