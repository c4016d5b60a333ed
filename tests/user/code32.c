/* SPDX-License-Identifier: MIT */
/* Proves: a program may run 32-bit code of its own, which signals interrupt and INT 80h serves, and
 * gets no right by it. */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>

#include "signals.h"

#ifndef MAP_32BIT
#define MAP_32BIT 0x40
#endif
#define LOW_BYTES 65536
#define CS32      0x23
#define MARK      0x12345678
#define WORD(v)   (uint8_t)(v), (uint8_t)((v) >> 8), (uint8_t)((v) >> 16), (uint8_t)((v) >> 24)

/* Memory below 2 GiB: 32-bit code, from 1024 the way back, from 2048 data, its stack at the end. */
static uint8_t *low;
static volatile uint32_t *data;
static uint32_t data_at;
static uint64_t saved_sp;

static void low_map(void)
{
    low = mmap(NULL, LOW_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
               MAP_32BIT | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK((uint64_t)low < 1ull << 31);
    data = (volatile uint32_t *)(low + 2048);
    data_at = (uint32_t)(uint64_t)data;
}

/* The same without a shadow stack, which 32-bit code cannot use. */
static void low_begin(void)
{
    raw_arch_prctl(ARCH_SHSTK_DISABLE, ARCH_SHSTK_SHSTK);
    low_map();
}

/* Run 32-bit code, which must not touch EBP; its EAX. The jumps need no stack. */
static uint32_t run32(const uint8_t *code, size_t len)
{
    uint64_t back = (uint64_t)low + 1024;
    struct {
        uint32_t offset;
        uint16_t selector;
    } __attribute__((packed)) enter = { (uint32_t)(uint64_t)low, CS32 };
    const uint8_t leave[] = { 0xea, WORD(back), USER_CS, 0 };
    uint32_t result;
    memcpy(low, code, len);
    memcpy(low + len, leave, sizeof(leave));
    memcpy(low + 1024, "\x49\xbb________\x41\xff\xe3", 13); /* mov r11, address; jmp r11 */
    __asm__ volatile("mov %%rsp, %1\n lea 1f(%%rip), %%r11\n mov %%r11, 2(%3)\n ljmp *%2\n"
                     "1: mov %1, %%rsp"
                     : "=&a"(result), "+m"(saved_sp)
                     : "m"(enter), "r"(back)
                     : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13",
                       "r14", "r15", "memory", "cc");
    return result;
}
#define RUN32(...)                               \
    ({                                           \
        const uint8_t code_[] = { __VA_ARGS__ }; \
        run32(code_, sizeof(code_));             \
    })
#define EAX(v) 0xb8, WORD(v)
#define EBX(v) 0xbb, WORD(v)
#define ECX(v) 0xb9, WORD(v)
#define EDX(v) 0xba, WORD(v)
#define INT80  0xcd, 0x80
/* esp = the end of low; ds = 0x2b */
#define STACK_AND_DS \
    0xbc, WORD((uint32_t)(uint64_t)low + LOW_BYTES - 64), 0x66, 0xb8, 0x2b, 0, 0x8e, 0xd8
/* until the first word of data is not 0 */
#define WAIT_DATA 0x83, 0x3d, WORD(data_at), 0, 0x74, 0xf7

static long int80(long number, long b, long c, long d, long si)
{
    __asm__ volatile("int $0x80"
                     : "+a"(number)
                     : "b"(b), "c"(c), "d"(d), "S"(si)
                     : "r8", "r9", "r10", "r11", "memory");
    return number;
}

static void alarm_soon(void)
{
    struct itimerval soon = { { 0, 0 }, { 0, 20000 } };
    CHECK_EQ(setitimer(ITIMER_REAL, &soon, NULL), 0);
}

/* ---- Code and calls ----------------------------------------------------- */

TEST(a_program_may_run_32_bit_code, "")
{
    low_begin();
    CHECK_EQ(RUN32(EAX(42)), 42);
    CHECK_EQ(RUN32(0x8c, 0xc8), CS32); /* mov eax, cs */
}

TEST(int_80h_serves_code_of_either_width, "")
{
    int ends[2];
    char got[4] = "";
    low_begin();
    CHECK_EQ(int80(20, 0, 0, 0, 0), getpid());
    CHECK_EQ(int80(20l | 7l << 32, 0, 0, 0, 0), getpid());
    CHECK_EQ(int80(7777, 0, 0, 0, 0), -ENOSYS);
    CHECK_EQ(RUN32(EAX(20), INT80), getpid());
    CHECK_EQ(pipe(ends), 0);
    memcpy((void *)data, "abc", 4);
    CHECK_EQ(RUN32(EAX(4), EBX(ends[1]), ECX(data_at), EDX(3), INT80), 3);
    CHECK(read(ends[0], got, 4) == 3 && strcmp(got, "abc") == 0);
    CHECK_EQ((int)RUN32(EAX(4), EBX(ends[1]), ECX(4096), EDX(3), INT80), -EFAULT);
}

static void exits(void) { RUN32(EAX(1), EBX(7), INT80); }

TEST(code_of_32_bits_may_exit, "")
{
    low_begin();
    CHECK_EQ(in_child(exits, NULL), 7 << 8);
}

/* Where SYSCALL exists in such code, as on AMD's CPUs, it leads nowhere. */
static void calls_syscall(void) { RUN32(EAX(20), 0x0f, 0x05); }

TEST(syscall_of_32_bit_code_is_an_invalid_opcode, "")
{
    penumbra_only();
    low_begin();
    int status = in_child(calls_syscall, NULL);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGILL);
}

/* ---- Signals ------------------------------------------------------------ */

static void note_cs(int signal, siginfo_t *info, void *context)
{
    (void)info;
    *data = ((ucontext_t *)context)->uc_mcontext.gregs[REG_CSGSFS] & 0xffff;
    note(signal);
}

/* Whatever runs meanwhile, it finds CS, DS and its registers again. */
TEST(a_handler_may_interrupt_32_bit_code, "")
{
    low_begin();
    handle(SIGALRM, note_cs, 0);
    int other = fork();
    for (uint32_t mark = 0; !other;)
        mark += RUN32(EAX(1));
    for (int i = 0; i < 3; i++) {
        *data = 0;
        alarm_soon();
        CHECK_EQ(RUN32(STACK_AND_DS, ECX(MARK), WAIT_DATA, 0x8c, 0xc8, 0x01, 0xc8), MARK + CS32);
        CHECK_EQ(*data, CS32);
    }
    kill(other, SIGKILL);
    CHECK_EQ(calls, 3);
}

struct action32 {
    uint32_t handler, mask_or_flags, flags_or_restorer, restorer_or_mask, mask_high;
};

/* A handler that stores what data_at gets, and its restorer. */
static void handler32(const uint8_t *handler, size_t len, const uint8_t *restorer, size_t more)
{
    memcpy(low + 3072, handler, len);
    memcpy(low + 3200, restorer, more);
}

TEST(handlers_may_be_32_bit_code, "")
{
    low_begin();
    uint32_t at = (uint32_t)(uint64_t)low;
    struct action32 *action = (struct action32 *)(low + 2304), *old = action + 1;
    const uint8_t store_signal[] = { 0x8b, 0x44, 0x24, 0x04, 0xa3, WORD(data_at), 0xc3 };
    const uint8_t sigreturn[] = { 0x58, EAX(119), INT80 };
    handler32(store_signal, sizeof(store_signal), sigreturn, sizeof(sigreturn));
    *action = (struct action32){ at + 3072, 0, SA_RESTORER, at + 3200, 0 };
    CHECK_EQ(int80(67, SIGALRM, (long)action, 0, 0), 0);
    alarm_soon();
    CHECK_EQ(RUN32(STACK_AND_DS, ECX(MARK), WAIT_DATA, 0x89, 0xc8), MARK);
    CHECK_EQ(*data, SIGALRM);
    CHECK_EQ(int80(67, SIGALRM, 0, (long)old, 0), 0);
    CHECK(memcmp(old, action, 16) == 0);
    CHECK_EQ(int80(67, SIGKILL, (long)action, 0, 0), -EINVAL);
    CHECK_EQ(int80(67, SIGALRM, 4096, 0, 0), -EFAULT);
}

TEST(handlers_of_32_bit_code_may_have_siginfo, "")
{
    low_begin();
    uint32_t at = (uint32_t)(uint64_t)low;
    struct action32 *action = (struct action32 *)(low + 2304), *old = action + 1;
    /* eax = info; data[1] = its code; data[0] = its signal */
    const uint8_t store_info[] = { 0x8b, 0x44, 0x24, 0x08,          0x8b,
                                   0x48, 0x08, 0x89, 0x0d,          WORD(data_at + 4),
                                   0x8b, 0x00, 0xa3, WORD(data_at), 0xc3 };
    const uint8_t rt_sigreturn[] = { EAX(173), INT80 };
    handler32(store_info, sizeof(store_info), rt_sigreturn, sizeof(rt_sigreturn));
    *action = (struct action32){ at + 3072, SA_RESTORER | SA_SIGINFO, at + 3200, 1, 2 };
    CHECK_EQ(int80(174, SIGALRM, (long)action, 0, 8), 0);
    CHECK_EQ(int80(174, SIGALRM, (long)action, 0, 4), -EINVAL);
    alarm_soon();
    CHECK_EQ(RUN32(STACK_AND_DS, ECX(MARK), WAIT_DATA, 0x89, 0xc8), MARK);
    CHECK(data[0] == SIGALRM && data[1] == SI_KERNEL);
    CHECK_EQ(int80(174, SIGALRM, 0, (long)old, 8), 0);
    CHECK(memcmp(old, action, sizeof(*old)) == 0);
}

/* ---- Rights ------------------------------------------------------------- */

static uint64_t next_rip;

static void return_to_32(int signal, siginfo_t *info, void *context)
{
    greg_t *gregs = ((ucontext_t *)context)->uc_mcontext.gregs;
    (void)signal, (void)info;
    gregs[REG_CSGSFS] = (gregs[REG_CSGSFS] & ~0xffffl) | CS32;
    gregs[REG_RIP] = gregs[REG_RCX] = (greg_t)next_rip; /* as SYSRET would have it */
    gregs[REG_R11] = gregs[REG_EFL];
}

static void return_to_low(void)
{
    const uint8_t code[] = { EAX(1), EBX(9), 0x8c, 0xcb, INT80 }; /* exit(cs) */
    memcpy(low, code, sizeof(code));
    next_rip = (uint64_t)low;
    handle(SIGUSR1, return_to_32, 0);
    raise(SIGUSR1);
}

static void return_too_far(void)
{
    next_rip = (uint64_t)low | 1ull << 40;
    handle(SIGUSR1, return_to_32, 0);
    raise(SIGUSR1);
}

TEST(a_handler_may_return_to_32_bit_code, "")
{
    low_begin();
    CHECK_EQ(in_child(return_to_low, NULL), CS32 << 8);
    int status = in_child(return_too_far, NULL);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

/* A far transfer, while SSP is above 4 GiB. */
static void far_jump(void) { RUN32(EAX(42)); }

static void handler_of_32_bits(void)
{
    struct action32 *action = (struct action32 *)(low + 2304);
    *action = (struct action32){ (uint32_t)(uint64_t)low, 0, 0, 0, 0 };
    CHECK_EQ(int80(67, SIGUSR1, (long)action, 0, 0), 0);
    raise(SIGUSR1);
}

/* What such a handler would return to, were there one: exit(7). */
static void sigreturn_of_32_bits(void)
{
    const uint8_t code[] = { EAX(1), EBX(7), INT80 };
    memcpy(low, code, sizeof(code));
    uint32_t *frame = (uint32_t *)(low + 8192);
    frame[2 + 14] = (uint32_t)(uint64_t)low; /* EIP, the sixteenth word of the registers less one */
    frame[2 + 15] = USER_CS;
    __asm__ volatile("mov %0, %%rsp; mov $119, %%eax; int $0x80" : : "r"(frame + 2));
    __builtin_unreachable();
}

TEST_SHSTK(code_of_32_bits_has_no_shadow_stack, "sigreturn_any_page")
{
    low_map();
    CHECK_EQ(int80(20, 0, 0, 0, 0), getpid());
    int status = in_child(far_jump, NULL);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    status = in_child(handler_of_32_bits, NULL);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    status = in_child(sigreturn_of_32_bits, NULL);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}
