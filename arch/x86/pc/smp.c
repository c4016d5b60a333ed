/* SPDX-License-Identifier: MIT */
/*
 * The other CPUs: found, started, interrupted, stopped.
 *
 * Where ACPI has a MADT, each CPU that it names is started on its own, and one that does not answer
 * is reported. Where not, INIT and SIPI go to all CPUs, and every one that arrives counts. CPUs are
 * numbered in order of arrival (trampoline.asm, ap_entry). The trampoline's page is a free one
 * below 640 KiB, which the frame allocator leaves alone. While CPUs are being started, a table of
 * its own maps it, read and execute only.
 */
#include "arch/x86/pc/smp.h"

#include "arch/x86/arch.h"
#include "arch/x86/cpu/cet.h"
#include "arch/x86/cpu/control.h"
#include "arch/x86/cpu/fpu.h"
#include "arch/x86/cpu/gdt.h"
#include "arch/x86/cpu/percpu.h"
#include "arch/x86/cpu/planted.h"
#include "arch/x86/cpu/registers.h"
#include "arch/x86/cpu/report.h"
#include "arch/x86/entry/idt.h"
#include "arch/x86/pc/acpi.h"
#include "arch/x86/pc/apic.h"
#include "arch/x86/pc/tsc.h"
#include "arch/x86/pgtable.h"
#include "arch/x86/start/trampoline.h"
#include "arch/x86/upcalls.h"
#include "base/log.h"
#include "base/panic.h"
#include "base/string.h"
#include "base/symbols.h"
#include "boot_info.h"
#include "mm/phys/kmap.h"
#include "mm/phys/ram.h"

/* Intel SDM vol. 3, "Interrupt Command Register". */
#define ICR_NMI        0x00400u
#define ICR_INIT       0x04500u
#define ICR_STARTUP    0x04600u
#define ICR_ALL_OTHERS 0xc0000u

#define TRAMPOLINE_LIMIT 0xa0000ull
#define ANSWER_US        1000000ull /* a CPU that has not arrived by then is left out */
/* without a MADT: when none has arrived for this long, all have */
#define QUIET_US         10000ull
#define REPORT_US        2000000ull
#define STOP_US          250000ull
#define STAY_OUT         1ull

extern char __kernel_start[];

uint32_t ap_arrived = 1; /* the boot CPU is number 0 */
uint64_t ap_stacks[CPUS_MAX], ap_root;

static uint64_t online = 1; /* [A] */
static uint64_t image_base; /* physical */
static uint64_t trampoline_page;
static int stopper = -1; /* [A] the CPU that stops all others for good */
static uint64_t stopped; /* [A] those that have obeyed */
static bool reporting;   /* [A] */

/* The trampoline's table: its page at its own address, and the kernel's half. */
static uint64_t tables[4][PT_ENTRIES] __attribute__((aligned(4096)));

uint64_t arch_cpus_online(void) { return __atomic_load_n(&online, __ATOMIC_SEQ_CST); }

static uint64_t others(void) { return arch_cpus_online() & ~(1ull << arch_cpu_id()); }

/* ---- The trampoline ----------------------------------------------------- */

void smp_init(const struct boot_info *info)
{
    image_base = info->kernel.start;
    const struct boot_memory *memory = NULL;
    while ((memory = boot_memory_next(info, memory))) {
        uint64_t start = max_u64(memory->start, PAGE_SIZE),
                 stop = min_u64(memory->start + memory->page_count * PAGE_SIZE, TRAMPOLINE_LIMIT);
        if (memory->type == BOOT_MEMORY_CONVENTIONAL && start + PAGE_SIZE <= stop)
            trampoline_page = stop - PAGE_SIZE;
    }
}

static uint64_t image_pa(const void *p)
{
    return image_base + ((uint64_t)p - (uint64_t)__kernel_start);
}

static void word_patch(const uint8_t *word, uint32_t base)
{
    uint32_t value;
    uint8_t *copy = (uint8_t *)arch_phys_to_virt(paddr(trampoline_page))
                    + (word - trampoline_start);
    memcpy(&value, copy, sizeof(value));
    value += base;
    memcpy(copy, &value, sizeof(value));
}

static bool trampoline_prepare(void)
{
    ap_root = kmap_root().v;
    if (!trampoline_page || image_pa(tables) >> 32) {
        log_line("cpus: %s", trampoline_page ? "the kernel lies beyond 4 GiB"
                                             : "no free page below 640 KiB to start others from");
        return false;
    }
    for (int level = 4; level > 1; level--)
        tables[4 - level][level_index(trampoline_page, level)] =
            pte_mktable(image_pa(tables[5 - level]) >> PAGE_SHIFT, false).raw;
    tables[3][level_index(trampoline_page, 1)] = PTE_P | PTE_A | trampoline_page;
    kmap_fill_root(tables[0]);
    memcpy(arch_phys_to_virt(paddr(trampoline_page)), trampoline_start,
           (size_t)(trampoline_end - trampoline_start));
    word_patch(trampoline_gdt_base, (uint32_t)trampoline_page);
    word_patch(trampoline_far, (uint32_t)trampoline_page);
    word_patch(trampoline_cr3, (uint32_t)image_pa(tables));
    return true;
}

/*
 * No CPU starts after this. The page stays mapped in the direct map alone; the table keeps the
 * kernel's half, because CPUs that were left out halt on it. A CPU that arrives too late finds a
 * halt in real mode, or waits for a stack and is told to stay out.
 */
static void trampoline_remove(unsigned taken)
{
    static const uint8_t halt[] = { 0xfa, 0xf4, 0xeb, 0xfd }; /* cli; hlt; jmp to the hlt */
    for (unsigned cpu = taken; cpu < CPUS_MAX; cpu++)
        __atomic_store_n(&ap_stacks[cpu], STAY_OUT, __ATOMIC_RELEASE);
    tables[0][level_index(trampoline_page, 4)] = 0;
    void *page = arch_phys_to_virt(paddr(trampoline_page));
    memset(page, 0, PAGE_SIZE);
    memcpy(page, halt, sizeof(halt));
}

/* ---- Starting ----------------------------------------------------------- */

/* Make CPU number cpu's stacks for some exceptions, and its first stack, whose top is returned; 0
 * with nothing kept when memory is out. */
static uint64_t stacks_make(unsigned cpu)
{
    uint64_t tops[IST_COUNT + 1];
    for (int i = 0; i <= IST_COUNT; i++) {
        tops[i] = kmap_stack_alloc();
        if (!tops[i]) {
            while (i > 0)
                kmap_stack_free(tops[--i]);
            return 0;
        }
    }
    gdt_prepare(cpu, tops);
    return tops[IST_COUNT];
}

/* Give CPU number cpu, which has arrived, its stacks, and wait until it is online. Out of
 * memory: it stays out. */
static void arrival_welcome(unsigned cpu)
{
    uint64_t stack = stacks_make(cpu);
    if (!stack) {
        log_line("cpus: no memory for the stacks of CPU %u; it is left out", cpu);
        stack = STAY_OUT;
    }
    __atomic_store_n(&ap_stacks[cpu], stack, __ATOMIC_RELEASE);
    uint64_t deadline = arch_clock_ns() + ANSWER_US * 1000;
    while (stack != STAY_OUT && !(arch_cpus_online() & 1ull << cpu)) {
        tsc_answer();
        arch_pause();
        if (arch_clock_ns() > deadline) {
            log_line("cpus: CPU %u arrived but did not become ready", cpu);
            return;
        }
    }
}

/*
 * Welcome CPUs as they arrive, until there are limit of them or none has arrived for quiet_us.
 * Those beyond max stay out. Returns how many have arrived, the boot CPU included.
 */
static unsigned arrivals_take(unsigned taken, unsigned limit, unsigned max, uint64_t quiet_us)
{
    uint64_t deadline = arch_clock_ns() + quiet_us * 1000;
    while (taken < limit && arch_clock_ns() < deadline) {
        if (__atomic_load_n(&ap_arrived, __ATOMIC_ACQUIRE) <= taken) {
            arch_pause();
            continue;
        }
        if (taken < max)
            arrival_welcome(taken);
        else
            __atomic_store_n(&ap_stacks[taken], STAY_OUT, __ATOMIC_RELEASE);
        taken++;
        deadline = arch_clock_ns() + quiet_us * 1000;
    }
    return taken;
}

/* INIT, 10 ms, SIPI, and a second SIPI for CPUs that want two (Intel SDM vol. 3, "MP
 * Initialization"). */
static void startup_send(uint32_t to, uint32_t shorthand)
{
    uint32_t startup = ICR_STARTUP | shorthand | (uint32_t)(trampoline_page >> PAGE_SHIFT);
    apic_command(to, ICR_INIT | shorthand);
    arch_delay_us(10000);
    apic_command(to, startup);
    arch_delay_us(200);
    apic_command(to, startup);
}

static unsigned start_listed(const uint32_t *ids, unsigned count, unsigned max)
{
    unsigned taken = 1;
    for (unsigned i = 0; i < count && taken < max; i++) {
        if (ids[i] == percpu()->apic_id)
            continue;
        if (planted_startup(true))
            startup_send(ids[i], 0);
        unsigned now = arrivals_take(taken, taken + 1, max, ANSWER_US);
        if (now == taken) {
            /* INIT again: should it arrive after all, the trampoline would be gone */
            apic_command(ids[i], ICR_INIT);
            log_line("cpus: the CPU with APIC id %u does not answer, it is left out", ids[i]);
        }
        taken = now;
    }
    return taken;
}

void arch_cpus_start(unsigned max)
{
    static uint32_t ids[CPUS_MAX];
    max = max < CPUS_MAX ? max : CPUS_MAX;
    unsigned listed = acpi_cpus(ids, CPUS_MAX);
    if (max > 1 && trampoline_prepare()) {
        unsigned taken;
        if (listed) {
            taken = start_listed(ids, listed, max);
        } else {
            startup_send(0, ICR_ALL_OTHERS);
            taken = arrivals_take(1, CPUS_MAX, max, QUIET_US);
        }
        trampoline_remove(taken);
    }
    unsigned running = 0;
    for (uint64_t rest = arch_cpus_online(); rest; rest &= rest - 1)
        running++;
    log_line("cpus: %u running, %s%s", running, listed ? "found by ACPI" : "found by asking all",
             apic_is_x2() ? ", x2APIC" : "");
}

/* The first C code of another CPU, on its own stack and the kernel's table. */
void x86_ap_start(unsigned cpu)
{
    gdt_init(cpu);
    idt_load();
    control_init_this();
    fpu_init_this();
    cet_init_this();
    apic_init_this();
    tsc_follow();
    entry_cpu_begin(ap_stacks[cpu]);
}

void arch_cpu_ready(void) { __atomic_or_fetch(&online, 1ull << arch_cpu_id(), __ATOMIC_SEQ_CST); }

/* ---- Interrupting others ------------------------------------------------ */

void arch_cpu_kick(unsigned cpu) { apic_send(1ull << cpu, VECTOR_KICK); }

void arch_request_user_return_of(unsigned cpu)
{
    __atomic_store_n(&percpu_of(cpu)->user_work, 1, __ATOMIC_SEQ_CST);
    if (cpu != arch_cpu_id())
        arch_cpu_kick(cpu);
}

uint64_t arch_ipi_count(void)
{
    uint64_t count = 0;
    unsigned cpu;
    for_each_cpu (cpu, arch_cpus_online())
        count += percpu_of(cpu)->ipis_sent;
    return count;
}

bool smp_nmi(const struct trap_frame *frame)
{
    int by = __atomic_load_n(&stopper, __ATOMIC_SEQ_CST);
    if (by >= 0 && by != (int)arch_cpu_id()) {
        __atomic_or_fetch(&stopped, 1ull << arch_cpu_id(), __ATOMIC_SEQ_CST);
        arch_halt();
    }
    struct cpu_report *report = &percpu()->report;
    uint32_t wanted = __atomic_load_n(&report->ready, __ATOMIC_ACQUIRE);
    if (wanted != REPORT_WANTED)
        return wanted == REPORT_READY; /* a second question, answered already */
    report->rip = frame->rip;
    report->rbp = trap_from_user(frame) ? 0 : frame->rbp;
    report->pid = percpu()->pid;
    __atomic_store_n(&report->ready, REPORT_READY, __ATOMIC_RELEASE);
    return true;
}

/* Ask cpus by NMI what they are doing, and wait for their answers; those that gave one. One CPU
 * asks at a time. */
static uint64_t reports_collect(uint64_t cpus)
{
    uint64_t answered = 0;
    unsigned cpu;
    for_each_cpu (cpu, cpus)
        __atomic_store_n(&percpu_of(cpu)->report.ready, REPORT_WANTED, __ATOMIC_RELEASE);
    apic_send(planted_nmi(cpus), ICR_NMI);
    uint64_t deadline = arch_clock_ns() + REPORT_US * 1000;
    for_each_cpu (cpu, cpus) {
        const struct cpu_report *report = &percpu_of(cpu)->report;
        while (__atomic_load_n(&report->ready, __ATOMIC_ACQUIRE) != REPORT_READY
               && arch_clock_ns() < deadline)
            arch_pause();
        if (__atomic_load_n(&report->ready, __ATOMIC_ACQUIRE) == REPORT_READY)
            answered |= 1ull << cpu;
    }
    return answered;
}

static void report_log(unsigned cpu, const struct cpu_report *report)
{
    uint64_t offset = 0;
    const char *name = symbol_lookup(report->rip, &offset);
    log_line("cpu %u: pid %d at %016lx %s+%#lx", cpu, report->pid, report->rip,
             name ? name : "(user)", offset);
    if (report->rbp)
        backtrace_report(report->rbp);
}

void arch_cpus_report(void)
{
    if (__atomic_exchange_n(&reporting, true, __ATOMIC_ACQUIRE))
        return; /* another CPU is at it */
    uint64_t asked = others(), answered = reports_collect(asked);
    unsigned cpu;
    for_each_cpu (cpu, asked) {
        if (answered & 1ull << cpu)
            report_log(cpu, &percpu_of(cpu)->report);
        else
            log_line("cpu %u: does not even answer an NMI", cpu);
    }
    __atomic_store_n(&reporting, false, __ATOMIC_RELEASE);
}

bool arch_cpus_answer(void)
{
    while (__atomic_exchange_n(&reporting, true, __ATOMIC_ACQUIRE))
        arch_pause();
    uint64_t asked = others();
    bool all = reports_collect(asked) == asked;
    __atomic_store_n(&reporting, false, __ATOMIC_RELEASE);
    return all;
}

void arch_cpus_stop(void)
{
    arch_irq_disable();
    int none = -1, self = (int)arch_cpu_id();
    if (!__atomic_compare_exchange_n(&stopper, &none, self, false, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST)
        && none != self)
        arch_halt(); /* another CPU was first, and stops this one */
    apic_send(others() & ~__atomic_load_n(&stopped, __ATOMIC_SEQ_CST), ICR_NMI);
    uint64_t give_up = arch_clock_ns() + STOP_US * 1000;
    while (others() & ~__atomic_load_n(&stopped, __ATOMIC_SEQ_CST) && arch_clock_ns() < give_up)
        arch_pause();
    log_take_over(); /* one of them may have been stopped with the console's lock */
}
