/* SPDX-License-Identifier: MIT */
/* Proves: a near or far RET to an address that no CALL pushed is refused. */
#include "smash.h"
#include "test.h"

static void smash_return_address(void) { smash(gadget); }

TEST_SHSTK(rop_by_near_ret_is_refused, "")
{
    check_killed(smash_return_address, SIGSEGV, SEGV_CPERR, 1);
}

/* Push a chain of two gadgets, as an exploit lays it out. */
static void rop_chain(void)
{
    __asm__ volatile("push %0\n push %0\n ret" : : "r"(gadget) : "memory");
}

TEST_SHSTK(rop_chain_stops_at_its_first_ret, "")
{
    check_killed(rop_chain, SIGSEGV, SEGV_CPERR, 1);
}

static void without_shadow_stack(void)
{
    CHECK_EQ(raw_arch_prctl(ARCH_SHSTK_DISABLE, ARCH_SHSTK_SHSTK), 0);
    smash(gadget);
}

/* The control experiment: the same attack works where there is no shadow stack. */
TEST(rop_works_without_a_shadow_stack, "")
{
    CHECK_EQ(WEXITSTATUS(
                 in_child(has_user_shstk() ? without_shadow_stack : smash_return_address, NULL)),
             GADGET_STATUS);
}

static void far_ret(void)
{
    __asm__ volatile("push $0x33\n push %0\n lretq" : : "r"(gadget) : "memory");
}

TEST_SHSTK(rop_by_far_ret_is_refused, "") { check_killed(far_ret, SIGSEGV, SEGV_CPERR, 2); }

/* LCALL pushes three words on the shadow stack, and IRETQ pops three. */
TEST_SHSTK(far_transfers_keep_the_shadow_stack_balanced, "")
{
    static struct far_pointer target = { .selector = USER_CS };
    uint64_t before, inside, after;
    before = rdssp();
    __asm__ volatile(
        "lea 1f(%%rip), %%rax\n mov %%rax, (%2)\n mov %%rsp, %%r11\n jmp 2f\n"
        "1: xor %%r8d, %%r8d\n rdsspq %%r8\n pop %%rax\n pop %%rcx\n"
        "mov %%ss, %%edx\n push %%rdx\n push %%r11\n pushfq\n push %%rcx\n push %%rax\n iretq\n"
        "2: rex.W lcall *(%2)\n xor %%r9d, %%r9d\n rdsspq %%r9\n mov %%r8, %0\n mov %%r9, %1"
        : "=r"(inside), "=r"(after)
        : "r"(&target)
        : "rax", "rcx", "rdx", "r8", "r9", "r11", "memory", "cc");
    CHECK_EQ(before - inside, 24);
    CHECK_EQ(after, before);
}

TEST_SHSTK(the_log_names_both_return_addresses, "")
{
    char both[100];
    check_killed(smash_return_address, SIGSEGV, SEGV_CPERR, 1);
    snprintf(both, sizeof(both), "the stack says %#lx", (unsigned long)(uintptr_t)gadget);
    CHECK(strstr(file_text("/proc/kmsg"), both) != NULL);
}
