/* SPDX-License-Identifier: MIT */
/* The small services of arch.h that are an instruction or two. */
#include "arch/x86/arch.h"
#include "arch/x86/cpu/percpu.h"
#include "arch/x86/cpu/registers.h"
#include "arch/x86/cpu/tlb.h"
#include "base/log.h"
#include "base/string.h"

/* ---- This CPU ----------------------------------------------------------- */

uint64_t arch_fault_count(void) { return percpu()->faults; }
int arch_current_pid(void) { return percpu()->pid; }
struct mm *arch_current_mm(void) { return percpu()->mm; }
void arch_request_user_return(void) { percpu()->user_work = 1; }

void arch_pause(void)
{
    if (__builtin_expect(__atomic_load_n(&percpu()->flush_from, __ATOMIC_RELAXED) != 0, 0))
        tlb_serve();
    __asm__ volatile("pause");
}
void arch_wait_for_interrupt(void) { __asm__ volatile("sti; hlt; cli" : : : "memory"); }
uint64_t arch_cycles(void) { return rdtsc(); }

void arch_halt(void)
{
    for (;;)
        __asm__ volatile("cli; hlt");
}

static bool has_rdrand(void) { return cpuid(1, 0).ecx & 1u << 30; }

static uint64_t rdrand(void)
{
    uint64_t value = 0;
    for (int i = 0; i < 10; i++) {
        uint8_t ok;
        __asm__ volatile("rdrand %0; setc %1" : "=r"(value), "=qm"(ok));
        if (ok)
            break;
    }
    return value;
}

void arch_random(void *buffer, size_t len_bytes)
{
    static uint64_t state;
    bool hardware = has_rdrand();
    uint8_t *to = buffer;
    for (size_t done = 0; done < len_bytes; done += 8) {
        /* splitmix64 over the TSC, so that the numbers differ even where the CPU has no
         * generator */
        uint64_t z = __atomic_add_fetch(&state, 0x9e3779b97f4a7c15ull ^ rdtsc(), __ATOMIC_RELAXED);
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
        z = (z ^ z >> 27) * 0x94d049bb133111ebull;
        z ^= z >> 31;
        if (hardware)
            z ^= rdrand();
        memcpy(to + done, &z, min_u64(8, len_bytes - done));
    }
}

/* ---- Ports -------------------------------------------------------------- */

uint8_t arch_inb(uint16_t port)
{
    uint8_t v;
    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}
uint16_t arch_inw(uint16_t port)
{
    uint16_t v;
    __asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}
uint32_t arch_inl(uint16_t port)
{
    uint32_t v;
    __asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}
void arch_outb(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}
void arch_outw(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}
void arch_outl(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

/* ---- Memory ------------------------------------------------------------- */

uint64_t arch_entry_or(uint64_t *entry, uint64_t bits)
{
    return __atomic_fetch_or(entry, bits, __ATOMIC_SEQ_CST);
}
uint64_t arch_entry_and(uint64_t *entry, uint64_t bits)
{
    return __atomic_fetch_and(entry, bits, __ATOMIC_SEQ_CST);
}
void arch_entry_store(uint64_t *entry, uint64_t value)
{
    __atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

void arch_page_zero(void *page)
{
    uint64_t count = PAGE_SIZE / 8;
    __asm__ volatile("rep stosq" : "+D"(page), "+c"(count) : "a"(0ull) : "memory");
}

void arch_page_copy(void *to, const void *from)
{
    uint64_t count = PAGE_SIZE / 8;
    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}

bool arch_has_1g_pages(void) { return cpuid(0x80000001u, 0).edx & 1u << 26; }
