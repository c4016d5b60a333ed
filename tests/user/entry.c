/* SPDX-License-Identifier: MIT */
/* Proves: nothing that a program leaves in its registers or flags disturbs the kernel's entry and
 * exit. */
#include <sys/mman.h>

#include "test.h"

#define FLAG_TF (1ul << 8)
#define FLAG_DF (1ul << 10)
#define FLAG_NT (1ul << 14)
#define FLAG_AC (1ul << 18)

static void set_flags(uint64_t flags)
{
    __asm__ volatile("pushfq\n or %0, (%%rsp)\n popfq" : : "r"(flags) : "memory", "cc");
}

static uint64_t get_flags(void)
{
    uint64_t flags;
    __asm__ volatile("pushfq\n pop %0" : "=r"(flags));
    return flags;
}

TEST(direction_flag_is_clear_in_the_kernel_and_kept_for_the_program, "")
{
    char buffer[64];
    int ends[2];
    CHECK(pipe(ends) == 0);
    set_flags(FLAG_DF);
    long put = raw_write(ends[1], "forwards", 8), got = raw_read(ends[0], buffer, 8);
    uint64_t flags = get_flags();
    __asm__ volatile("cld");
    CHECK(put == 8 && got == 8 && memcmp(buffer, "forwards", 8) == 0);
    CHECK(flags & FLAG_DF);
}

TEST(alignment_check_and_nested_task_do_not_reach_the_kernel, "")
{
    char buffer[64];
    int ends[2];
    CHECK(pipe(ends) == 0);
    set_flags(FLAG_AC | FLAG_NT);
    long put = raw_write(ends[1], "aligned?", 8), got = raw_read(ends[0], buffer + 1, 8);
    __asm__ volatile("pushfq\n andq %0, (%%rsp)\n popfq"
                     :
                     : "r"(~(FLAG_AC | FLAG_NT))
                     : "memory", "cc");
    CHECK(put == 8 && got == 8);
}

/* With AC set the kernel could touch user memory in spite of SMAP, so entry must clear AC. */
TEST(bad_pointers_stay_efault_with_ac_set, "")
{
    set_flags(FLAG_AC);
    long put = raw_write(1, (void *)8, 8);
    __asm__ volatile("pushfq\n andq %0, (%%rsp)\n popfq" : : "r"(~FLAG_AC) : "memory", "cc");
    CHECK_EQ(put, -EFAULT);
}

static void single_step_over_syscall(void)
{
    __asm__ volatile("pushfq\n orq $0x100, (%%rsp)\n popfq\n mov $39, %%eax\n syscall\n nop"
                     :
                     :
                     : "rax", "rcx", "r11", "memory", "cc");
}

TEST(single_step_over_syscall_traps_the_program_alone, "")
{
    check_killed(single_step_over_syscall, SIGTRAP, 0, -1);
}

/* After a SYSCALL at the very end of the highest user page the return address is not canonical. */
static void syscall_at_the_end(void)
{
    char *page = mmap((void *)0x7fffffffe000, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (page == MAP_FAILED)
        raw_exit(77);
    page[4094] = 0x0f;
    page[4095] = 0x05;
    ((void (*)(void))(uintptr_t)(page + 4094))();
}

TEST(syscall_at_the_end_of_user_space_harms_only_itself, "")
{
    int status = in_child(syscall_at_the_end, NULL);
    CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 77)
          || (WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV));
}

static void return_to_nowhere(void) { file_put_text("/proc/crash", "return_to_nowhere"); }
static void sysret_to_nowhere(void) { file_put_text("/proc/crash", "sysret_to_nowhere"); }
static void return_to_no_code(void) { file_put_text("/proc/crash", "return_to_no_code"); }
static void return_to_ldt(void) { file_put_text("/proc/crash", "return_to_ldt"); }
static void return_on_no_stack(void) { file_put_text("/proc/crash", "return_on_no_stack"); }

/* IRETQ and SYSRET check in ring 0 what they load. Whatever a frame holds, only its own program
 * dies of it. */
TEST(a_bad_return_frame_ends_its_program_alone, "")
{
    check_killed(return_to_nowhere, SIGSEGV, 128, 0);
    check_killed(sysret_to_nowhere, SIGSEGV, 128, 0);
    check_killed(return_to_no_code, SIGSEGV, 128, -1);
    check_killed(return_to_ldt, SIGSEGV, 128, -1);
    check_killed(return_on_no_stack, SIGSEGV, 128, -1);
}

TEST(fs_and_gs_bases_must_be_user_addresses, "")
{
    uint64_t base;
    CHECK_EQ(raw_arch_prctl(0x1001, (long)0xffff888000000000), -EPERM);
    CHECK_EQ(raw_arch_prctl(0x1001, (long)0x8000000000000000), -EPERM);
    CHECK_EQ(raw_arch_prctl(0x1002, (long)0xffff888000000000), -EPERM);
    CHECK_EQ(raw_arch_prctl(0x1001, 0x1234000), 0);
    CHECK_EQ(raw_arch_prctl(0x1004, (long)&base), 0);
    CHECK_EQ(base, 0x1234000);
}

static void privileged(void) { __asm__ volatile("cli"); }
static void port(void) { __asm__ volatile("outb %%al, $0x80" : : "a"(0)); }
static void divide(void)
{
    __asm__ volatile("xor %%ecx, %%ecx\n mov $1, %%eax\n cltd\n idiv %%ecx"
                     :
                     :
                     : "rax", "rcx", "rdx");
}
static void undefined(void) { __asm__ volatile("ud2"); }
static void breakpoint(void) { __asm__ volatile("int3"); }
static void soft_fault(void) { __asm__ volatile("int $14"); }

TEST(exceptions_become_their_signals, "")
{
    check_killed(privileged, SIGSEGV, 128, 0);
    check_killed(port, SIGSEGV, 128, 0);
    check_killed(divide, SIGFPE, 0, -1);
    check_killed(undefined, SIGILL, 0, -1);
    check_killed(breakpoint, SIGTRAP, 0, -1);
    check_killed(soft_fault, SIGSEGV, 128, -1);
}

/* Two processes with different values in XMM7 and MXCSR yield to each other. */
static void keep_registers(void)
{
    uint32_t mxcsr = 0x1f80, seen;
    uint64_t mine = (uint64_t)getpid() * 0x123456789, there;
    __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
    for (int i = 0; i < 200; i++) {
        __asm__ volatile("movq %2, %%xmm7\n mov $24, %%eax\n syscall\n movq %%xmm7, %0\n stmxcsr %1"
                         : "=r"(there), "=m"(seen)
                         : "r"(mine)
                         : "rax", "rcx", "r11", "xmm7", "memory");
        CHECK(there == mine && seen == mxcsr);
    }
}

TEST(sse_registers_are_kept_across_context_switches, "fpu_not_switched")
{
    pin(0);
    int child = fork();
    keep_registers();
    if (child == 0)
        _exit(0);
    int status;
    waitpid(child, &status, 0);
    CHECK_EQ(status, 0);
}

TEST(unknown_system_calls_are_enosys, "")
{
    CHECK_EQ(raw0(999), -ENOSYS);
    CHECK_EQ(raw0(-1), -ENOSYS);
    CHECK_EQ(raw0(0x7fffffffffffffff), -ENOSYS);
}
