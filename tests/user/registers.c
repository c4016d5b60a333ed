/* SPDX-License-Identifier: MIT */
/* Proves: on every CPU, each register that the kernel relies on holds the kernel's value, whatever
 * a reset or the firmware left there. */
#include <cpuid.h>

#include "test.h"

#define CR4_PAE        (1ul << 5)
#define CR4_MCE        (1ul << 6)
#define CR4_PGE        (1ul << 7)
#define CR4_OSFXSR     (1ul << 9)
#define CR4_OSXMMEXCPT (1ul << 10)
#define CR4_UMIP       (1ul << 11)
#define CR4_OSXSAVE    (1ul << 18)
#define CR4_SMEP       (1ul << 20)
#define CR4_SMAP       (1ul << 21)
#define CR4_CET        (1ul << 23)

/* The value of this CPU's register, by its name in /proc/registers. */
static uint64_t reg(const char *name)
{
    char wanted[40];
    const char *text = file_text("/proc/registers");
    snprintf(wanted, sizeof(wanted), "%s ", name);
    const char *at = strncmp(text, wanted, strlen(wanted)) ? strstr(text, wanted) : text;
    while (at && at != text && at[-1] != '\n')
        at = strstr(at + 1, wanted);
    CHECK(at != NULL);
    return strtoul(at + strlen(wanted), NULL, 16);
}

static struct {
    unsigned a, b, c, d;
} id;
static void cpuid(unsigned leaf, unsigned subleaf)
{
    memset(&id, 0, sizeof(id));
    __get_cpuid_count(leaf, subleaf, &id.a, &id.b, &id.c, &id.d);
}

/* The bits of CR4 that the kernel uses and this CPU has; no other may be set. */
static uint64_t cr4_expected(void)
{
    uint64_t cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    cpuid(1, 0);
    cr4 |= (id.d & 1u << 7 ? CR4_MCE : 0) | (id.d & 1u << 13 ? CR4_PGE : 0)
           | (id.c & 1u << 26 ? CR4_OSXSAVE : 0);
    cpuid(7, 0);
    cr4 |= (id.c & 1u << 2 ? CR4_UMIP : 0) | (id.b & 1u << 7 ? CR4_SMEP : 0)
           | (id.b & 1u << 20 ? CR4_SMAP : 0);
    return cr4 | (has_user_shstk() ? CR4_CET : 0);
}

static void check_control(void)
{
    CHECK_EQ(reg("cr0"), 0x80010033);
    uint64_t cr4 = cr4_expected();
    CHECK_EQ(reg("cr4"), cr4);
    CHECK_EQ(reg("cr8"), 0);
    CHECK_EQ(reg("efer"), 0xd01);
    CHECK_EQ(reg("flags") & 0x3000, 0); /* IOPL */
    CHECK_EQ(reg("dr7"), 0x400);
    cpuid(0xd, 0);
    CHECK_EQ(reg("xcr0"), cr4 & CR4_OSXSAVE ? id.a & 7 : 0);
}

static void check_entry(void)
{
    CHECK_EQ(reg("fmask"), 0x57700); /* AC RF NT IOPL DF IF TF */
    CHECK_EQ(reg("star") >> 32, 0x230010);
    CHECK_EQ(reg("cstar") >> 47, 0x1ffff); /* 32-bit SYSCALL has an entry, in the kernel */
    CHECK_EQ(reg("sysenter_cs"), 0);
    CHECK_EQ(reg("sysenter_esp"), 0);
    CHECK_EQ(reg("sysenter_eip"), 0);
    CHECK_EQ(reg("pat"), 0x0007040100070406);
    CHECK_EQ(reg("ldtr"), 0);
    CHECK_EQ(reg("tss_limit"), 103);
    CHECK(reg("io_map") > reg("tss_limit")); /* no port is open */
}

static void check_cet(void)
{
    CHECK_EQ(reg("s_cet"), 0);
    CHECK_EQ(reg("pl0_ssp"), 0);
    CHECK_EQ(reg("pl1_ssp"), 0);
    CHECK_EQ(reg("pl2_ssp"), 0);
    CHECK_EQ(reg("interrupt_ssp_table"), 0);
}

TEST(every_cpus_registers_hold_the_kernels_values, "")
{
    for (int cpu = 0, cpus = cpu_count(); cpu < cpus; cpu++) {
        pin(cpu);
        check_control();
        check_entry();
        if (has_user_shstk())
            check_cet();
    }
}

/* ---- What a program sees of them ---------------------------------------- */

static void segment_of_the_ldt(void)
{
    __asm__ volatile("mov %0, %%fs" : : "r"((unsigned short)0xf));
}
static void call_through_the_ldt(void)
{
    static const struct {
        unsigned offset;
        unsigned short selector;
    } __attribute__((packed)) target = { 0, 0x17 };
    __asm__ volatile("lcall *%0" : : "m"(target) : "memory");
}
static void sysenter(void) { __asm__ volatile("sysenter"); }
static void counter(void) { __asm__ volatile("rdpmc" : : "c"(0) : "eax", "edx"); }
static void port(void) { __asm__ volatile("inb $0x80, %%al" : : : "eax"); }

/* A reset leaves base 0 and limit 0xffff in LDTR: the LDT would be the program's lowest pages. */
TEST(no_cpu_has_an_ldt, "")
{
    for (int cpu = 0, cpus = cpu_count(); cpu < cpus; cpu++) {
        pin(cpu);
        check_killed(segment_of_the_ldt, SIGSEGV, 128, 0xc);
        check_killed(call_through_the_ldt, SIGSEGV, 128, 0x14);
    }
}

TEST(no_cpu_opens_a_port_a_counter_or_sysenter, "")
{
    for (int cpu = 0, cpus = cpu_count(); cpu < cpus; cpu++) {
        pin(cpu);
        check_killed(port, SIGSEGV, 128, 0);
        check_killed(counter, SIGSEGV, 128, 0);
        int status = in_child(sysenter, NULL); /* SIGILL on a CPU without it in 64-bit mode */
        CHECK(WIFSIGNALED(status));
        CHECK(WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGILL);
    }
}

/* RDTSCP returns the CPU's number, as on Linux. */
TEST(rdtscp_returns_the_cpu_number, "")
{
    __get_cpuid(0x80000001, &id.a, &id.b, &id.c, &id.d);
    if (!(id.d & 1u << 27))
        return;
    for (int cpu = 0, cpus = cpu_count(); cpu < cpus; cpu++) {
        unsigned low, high, aux;
        pin(cpu);
        __asm__ volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(aux));
        CHECK_EQ(aux, cpu);
    }
}
