/* SPDX-License-Identifier: MIT */
/*
 * Which address space each CPU has in CR3, and how its translations are flushed from the TLBs.
 *
 * A change of entries is finished once every CPU that runs the address space has dropped the old
 * translations. The CPU that made the change leaves a request, interrupts the CPUs concerned and
 * waits until each has taken itself off the request. A CPU that waits, here or for a lock, serves
 * the requests of others meanwhile (arch_pause()), interrupts on or off, so no two can wait for
 * each other.
 *
 * An idle CPU keeps the address space it ran last in CR3, because it may well run it next. It is
 * not interrupted: the generation, which counts flushes, tells it afterwards whether it missed any.
 * Only when page tables are freed must idle CPUs let go at once, because a CPU may walk tables, and
 * set A in them, at any time.
 *
 * Two orders make this safe. A CPU enters itself in arch_mm.cpus, then reads the generation, then
 * loads CR3; the CPU that flushes raises the generation, then reads arch_mm.cpus. So one of the two
 * sees the other. The same holds for leaving `lazy`.
 */
#include "arch/x86/cpu/tlb.h"

#include "arch/x86/arch.h"
#include "arch/x86/cpu/percpu.h"
#include "arch/x86/cpu/planted.h"
#include "arch/x86/cpu/registers.h"
#include "arch/x86/entry/idt.h"
#include "arch/x86/pc/apic.h"
#include "arch/x86/pc/timer.h"
#include "arch/x86/pgtable.h"
#include "base/panic.h"

/* Beyond this many pages one reload of CR3 is cheaper than INVLPG for each. */
#define FLUSH_PAGES_MAX    32
#define ANSWER_SECONDS_MAX 20ull

enum request_kind { FLUSH_USER, FLUSH_KERNEL, LET_GO };

/* A CPU's request to others. A CPU writes only its own request, and only while no CPU must answer
 * it. */
struct request {
    enum request_kind kind;
    struct arch_mm *mm;
    uint64_t va, len_bytes;
    uint64_t generation;
    uint64_t waiting; /* [A] the CPUs that have not answered yet */
};
static struct request requests[CPUS_MAX];
static uint64_t lazy;       /* [A] idle CPUs that keep an address space they do not run */
static paddr_t kernel_root; /* [I] the kernel's own table */

static uint64_t bit(unsigned cpu) { return 1ull << cpu; }
static uint64_t self_bit(void) { return bit(percpu()->cpu_id); }

/* ---- This CPU's TLB. Interrupts off. ------------------------------------ */

static bool is_large(uint64_t len_bytes)
{
    return len_bytes == 0 || len_bytes > FLUSH_PAGES_MAX * PAGE_SIZE;
}

static void flush_pages(uint64_t va, uint64_t len_bytes)
{
    for (uint64_t end = va + len_bytes; va < end; va += PAGE_SIZE)
        invlpg(va);
}

/* Catch up with everything flushed so far. */
static void flush_all(struct percpu *cpu)
{
    cpu->generation = __atomic_load_n(&cpu->loaded->generation, __ATOMIC_SEQ_CST);
    write_cr3(cpu->loaded->root.v);
}

/* On this CPU, whose data is cpu, flush [va, va + len_bytes) of mm if the CPU has mm loaded.
 * generation: the number of this flush. */
static void flush_user_here(struct percpu *cpu, const struct arch_mm *mm, uint64_t va,
                            uint64_t len_bytes, uint64_t generation)
{
    if (cpu->loaded != mm || generation <= cpu->generation)
        return; /* mm is not loaded here, or a later full flush covered this one */
    if (generation != cpu->generation + 1 || is_large(len_bytes)) {
        flush_all(cpu);
        return;
    }
    cpu->generation = generation;
    flush_pages(va, len_bytes);
}

static void flush_kernel_here(uint64_t va, uint64_t len_bytes)
{
    if (!is_large(len_bytes)) {
        flush_pages(va, len_bytes);
        return;
    }
    uint64_t cr4 = read_cr4();
    if (cr4 & CR4_PGE) {
        write_cr4(cr4 & ~CR4_PGE); /* drops global entries too */
        write_cr4(cr4);
    } else {
        write_cr3(read_cr3());
    }
}

static void let_go_here(struct arch_mm *mm)
{
    struct percpu *cpu = percpu();
    if (cpu->loaded != mm)
        return;
    ASSERT(!cpu->mm); /* idle, or on the way there */
    write_cr3(kernel_root.v);
    cpu->loaded = NULL;
    __atomic_and_fetch(&lazy, ~self_bit(), __ATOMIC_SEQ_CST);
    __atomic_and_fetch(&mm->cpus, ~self_bit(), __ATOMIC_SEQ_CST);
}

/* ---- Requests ----------------------------------------------------------- */

static void request_serve(const struct request *request)
{
    switch (request->kind) {
    case FLUSH_USER:
        flush_user_here(percpu(), request->mm, request->va, request->len_bytes,
                        request->generation);
        break;
    case FLUSH_KERNEL: flush_kernel_here(request->va, request->len_bytes); break;
    case LET_GO: let_go_here(request->mm); break;
    }
}

void tlb_serve(void)
{
    uint64_t irq = arch_irq_save();
    uint64_t from = __atomic_exchange_n(&percpu()->flush_from, 0, __ATOMIC_ACQUIRE);
    unsigned cpu;
    for_each_cpu (cpu, from) {
        struct request *request = &requests[cpu];
        request_serve(request);
        __atomic_and_fetch(&request->waiting, ~self_bit(), __ATOMIC_RELEASE);
    }
    arch_irq_restore(irq);
}

/* Send the request to each of cpus and wait until all have answered. Interrupts off. */
static void request_send(struct request request, uint64_t cpus)
{
    struct request *mine = &requests[percpu()->cpu_id];
    request.waiting = cpus;
    *mine = request;
    unsigned cpu;
    for_each_cpu (cpu, cpus)
        __atomic_or_fetch(&percpu_of(cpu)->flush_from, self_bit(), __ATOMIC_SEQ_CST);
    apic_send(cpus, VECTOR_FLUSH);
    uint64_t give_up = rdtsc() + ANSWER_SECONDS_MAX * timer_tsc_hz();
    while (__atomic_load_n(&mine->waiting, __ATOMIC_ACQUIRE)) {
        arch_pause();
        if ((int64_t)(rdtsc() - give_up) > 0)
            panic("CPUs %#lx do not answer a request to flush", mine->waiting);
    }
}

/* The same, but only for those of cpus that must not go on without the flush. */
COLD static void flush_elsewhere(struct arch_mm *mm, uint64_t cpus, uint64_t va, uint64_t len_bytes,
                                 uint64_t generation, bool tables)
{
    if (!tables)
        cpus &= ~__atomic_load_n(&lazy, __ATOMIC_SEQ_CST);
    cpus = planted_shootdown(cpus);
    if (cpus)
        request_send((struct request){ FLUSH_USER, mm, va, len_bytes, generation, 0 }, cpus);
}

void arch_tlb_flush(struct arch_mm *mm, uint64_t va, uint64_t len_bytes, bool tables)
{
    uint64_t irq = arch_irq_save();
    struct percpu *cpu = percpu();
    uint64_t generation = __atomic_add_fetch(&mm->generation, 1, __ATOMIC_SEQ_CST);
    uint64_t others = __atomic_load_n(&mm->cpus, __ATOMIC_SEQ_CST) & ~bit(cpu->cpu_id);
    flush_user_here(cpu, mm, va, len_bytes, generation);
    if (others)
        flush_elsewhere(mm, others, va, len_bytes, generation, tables);
    arch_irq_restore(irq);
}

void arch_tlb_flush_kernel(uint64_t va, uint64_t len_bytes)
{
    uint64_t irq = arch_irq_save();
    uint64_t others = arch_cpus_online() & ~self_bit();
    flush_kernel_here(va, len_bytes);
    if (others)
        request_send((struct request){ FLUSH_KERNEL, NULL, va, len_bytes, 0, 0 }, others);
    arch_irq_restore(irq);
}

/* ---- Address spaces ----------------------------------------------------- */

void arch_mm_load(struct arch_mm *mm, struct mm *whole)
{
    uint64_t irq = arch_irq_save();
    struct percpu *cpu = percpu();
    struct arch_mm *old = cpu->loaded;
    cpu->mm = whole;
    if (__atomic_load_n(&lazy, __ATOMIC_RELAXED) & self_bit())
        __atomic_and_fetch(&lazy, ~self_bit(), __ATOMIC_SEQ_CST);
    if (old == mm) {
        if (__atomic_load_n(&mm->generation, __ATOMIC_SEQ_CST) != cpu->generation)
            flush_all(cpu); /* flushes that it missed while idle */
    } else {
        __atomic_or_fetch(&mm->cpus, self_bit(), __ATOMIC_SEQ_CST);
        cpu->loaded = mm;
        flush_all(cpu);
        if (old)
            __atomic_and_fetch(&old->cpus, ~self_bit(), __ATOMIC_SEQ_CST);
    }
    arch_irq_restore(irq);
}

void arch_mm_idle(void)
{
    uint64_t irq = arch_irq_save();
    percpu()->mm = NULL;
    if (percpu()->loaded)
        __atomic_or_fetch(&lazy, self_bit(), __ATOMIC_SEQ_CST);
    arch_irq_restore(irq);
}

void arch_mm_forget(struct arch_mm *mm)
{
    uint64_t irq = arch_irq_save();
    let_go_here(mm);
    uint64_t cpus = __atomic_load_n(&mm->cpus, __ATOMIC_SEQ_CST);
    if (cpus)
        request_send((struct request){ LET_GO, mm, 0, 0, 0, 0 }, cpus);
    ASSERT(__atomic_load_n(&mm->cpus, __ATOMIC_SEQ_CST) == 0);
    arch_irq_restore(irq);
}

void arch_mm_load_kernel(paddr_t root)
{
    kernel_root = root;
    write_cr3(root.v);
    flush_kernel_here(0, 0);
}
