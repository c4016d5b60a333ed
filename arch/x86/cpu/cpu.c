/* SPDX-License-Identifier: MIT */
/* This CPU's control registers and the small services of arch.h that are an instruction or two. */
#include "arch/x86/cpu/cpu.h"

#include "arch/x86/cpu/percpu.h"
#include "arch/x86/x86.h"
#include "base/log.h"
#include "base/string.h"

/* ---- Features ----------------------------------------------------------- */

struct smap_site {
    uint8_t *code;      /* three bytes of NOP */
    uint64_t last_byte; /* CAh CLAC, CBh STAC */
};
extern const struct smap_site __smap_sites_start[], __smap_sites_end[];

static bool has_smep(void) { return cpuid(7, 0).ebx & 1u << 7; }
static bool has_smap(void) { return cpuid(7, 0).ebx & 1u << 20; }
static bool has_umip(void) { return cpuid(7, 0).ecx & 1u << 2; }
static bool has_rdrand(void) { return cpuid(1, 0).ecx & 1u << 30; }

static void smap_patch(void)
{
    for (const struct smap_site *site = __smap_sites_start; site < __smap_sites_end; site++) {
        site->code[0] = 0x0f;
        site->code[1] = 0x01;
        site->code[2] = (uint8_t)site->last_byte;
    }
}

/*
 * SYSCALL enters with interrupts off and DF, TF, AC, NT, RF and IOPL clear. STAR: SYSRET adds 16 to
 * its base for CS and 8 for SS (Intel SDM vol. 2, "SYSRET").
 */
static void syscall_enable(void)
{
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE | EFER_NXE);
    wrmsr(MSR_STAR, (uint64_t)(USER_DS - 8) << 48 | (uint64_t)KERNEL_CS << 32);
    wrmsr(MSR_LSTAR, (uint64_t)syscall_entry);
    wrmsr(MSR_CSTAR, 0);
    wrmsr(MSR_FMASK,
          RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_RF | RFLAGS_AC);
}

/* PAT: the power-on values, but for entry 4, which becomes write combining (mm/kmap.c uses it
 * for the framebuffer). */
static void pat_set(void) { wrmsr(MSR_IA32_PAT, 0x0007040100070406ull); }

void cpu_init_this(void)
{
    uint64_t cr4 = read_cr4() & ~(CR4_FSGSBASE | CR4_CET);
    if (has_smep())
        cr4 |= CR4_SMEP;
    if (has_umip())
        cr4 |= CR4_UMIP;
    if (has_smap())
        cr4 |= CR4_SMAP;
    write_cr4(cr4 | CR4_PGE);
    syscall_enable();
    pat_set();
}

void cpu_init_early(void)
{
    if (has_smap())
        smap_patch();
    cpu_init_this();
}

void cpu_log_features(void)
{
    uint64_t cr4 = read_cr4();
    log_line("cpu: WP NX%s%s%s on%s%s%s", cr4 & CR4_SMEP ? " SMEP" : "",
             cr4 & CR4_SMAP ? " SMAP" : "", cr4 & CR4_UMIP ? " UMIP" : "",
             cr4 & CR4_SMEP ? "" : ", no SMEP", cr4 & CR4_SMAP ? "" : ", no SMAP",
             cr4 & CR4_UMIP ? "" : ", no UMIP");
}

/* ---- This CPU ----------------------------------------------------------- */

unsigned arch_cpu_id(void) { return percpu()->cpu_id; }
struct task *arch_current_task(void) { return percpu()->task; }
int arch_current_pid(void) { return percpu()->pid; }
struct mm *arch_current_mm(void) { return percpu()->mm; }
void arch_request_user_return(void) { percpu()->user_work = 1; }
const struct trap_frame *arch_kernel_fault_frame(void) { return percpu()->fault_frame; }

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

uint32_t pci_read(unsigned bus, unsigned device, unsigned function, unsigned offset)
{
    arch_outl(0xcf8, 0x80000000u | bus << 16 | device << 11 | function << 8 | (offset & 0xfc));
    return arch_inl(0xcfc);
}

/*
 * Bochs and QEMU's chipsets: the host bridge is an Intel 440FX or Q35, parts no machine with a CPU
 * of this century carries, and a hypervisor bit or the Bochs/QEMU display adapter confirms it.
 */
bool arch_on_emulator(void)
{
    static int known = -1;
    if (known < 0) {
        uint32_t bridge = pci_read(0, 0, 0, 0);
        bool chipset = bridge == 0x12378086u || bridge == 0x29c08086u;
        arch_outw(0x1ce, 0);
        bool dispi = chipset && (arch_inw(0x1cf) & 0xfff0) == 0xb0c0;
        known = chipset && (dispi || cpuid(1, 0).ecx & 1u << 31);
    }
    return known;
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
