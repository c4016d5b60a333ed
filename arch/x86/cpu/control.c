/* SPDX-License-Identifier: MIT */
/*
 * What each CPU's control registers and model-specific registers hold while this kernel runs. Each
 * register that the kernel relies on is set, whatever a reset or the firmware left in it;
 * tests/user/registers.c reads them on every CPU. FPU and CET add their own. A bit that some 64-bit
 * CPUs lack is set only where CPUID reports it.
 */
#include "arch/x86/cpu/control.h"

#include "arch/x86/arch.h"
#include "arch/x86/cpu/planted.h"
#include "arch/x86/cpu/registers.h"
#include "arch/x86/entry/entry.h"
#include "base/log.h"
#include "base/panic.h"

struct smap_site {
    uint8_t *code;      /* three bytes of NOP */
    uint64_t last_byte; /* CAh CLAC, CBh STAC */
};
extern const struct smap_site __smap_sites_start[], __smap_sites_end[];

static bool has_mce(void) { return cpuid(1, 0).edx & 1u << 7; }
static bool has_sysenter(void) { return cpuid(1, 0).edx & 1u << 11; }
static bool has_pge(void) { return cpuid(1, 0).edx & 1u << 13; }
static bool has_smep(void) { return cpuid(7, 0).ebx & 1u << 7; }
static bool has_smap(void) { return cpuid(7, 0).ebx & 1u << 20; }
static bool has_umip(void) { return cpuid(7, 0).ecx & 1u << 2; }
static bool has_nx(void) { return cpuid(0x80000001u, 0).edx & 1u << 20; }
static bool has_tsc_aux(void) { return cpuid(0x80000001u, 0).edx & 1u << 27; }
static bool has_xss(void) { return cpuid(0xd, 1).eax & 1u << 3; }

static void smap_patch(void)
{
    for (const struct smap_site *site = __smap_sites_start; site < __smap_sites_end; site++) {
        site->code[0] = 0x0f;
        site->code[1] = 0x01;
        site->code[2] = (uint8_t)site->last_byte;
    }
}

/* These bits, among others, stay off: CR4.TSD and PCE (programs may read the TSC, not the
 * counters), FSGSBASE, PCIDE, PKE and CET. */
static void control_registers_set(void)
{
    write_cr0(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE);
    write_cr4(CR4_PAE | (has_pge() ? CR4_PGE : 0) | (has_mce() ? CR4_MCE : 0)
              | (has_smep() ? CR4_SMEP : 0) | (has_umip() ? CR4_UMIP : 0)
              | (has_smap() ? CR4_SMAP : 0));
    write_cr8(0);   /* no interrupt is held back */
    flags_write(0); /* IOPL 0, interrupts off */
}

/*
 * SYSCALL enters with interrupts off and DF, TF, AC, NT, RF and IOPL clear. STAR: SYSRET adds 16 to
 * its base for CS and 8 for SS (Intel SDM vol. 2, "SYSRET"). SYSENTER, which some CPUs have in
 * 64-bit mode as well, is refused: a null CS.
 */
static void syscall_enable(void)
{
    wrmsr(MSR_EFER, EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE);
    wrmsr(MSR_STAR, (uint64_t)(USER_DS - 8) << 48 | (uint64_t)KERNEL_CS << 32);
    wrmsr(MSR_LSTAR, (uint64_t)syscall_entry);
    wrmsr(MSR_CSTAR, (uint64_t)syscall32_entry);
    wrmsr(MSR_FMASK,
          RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_RF | RFLAGS_AC);
    if (has_sysenter()) {
        wrmsr(MSR_IA32_SYSENTER_CS, 0);
        wrmsr(MSR_IA32_SYSENTER_ESP, 0);
        wrmsr(MSR_IA32_SYSENTER_EIP, 0);
    }
}

/* No breakpoints, no branch tracing. */
static void debugging_off(void)
{
    write_dr7(DR7_NONE);
    write_dr6(DR6_NONE);
    wrmsr_if_there(MSR_IA32_DEBUGCTL, 0);
}

void control_init_this(void)
{
    control_registers_set();
    syscall_enable();
    debugging_off();
    /* the power-on values, but for entry 4: write combining, for the framebuffer (mm/phys/kmap.c)
     */
    if (planted_set(true))
        wrmsr(MSR_IA32_PAT, 0x0007040100070406ull);
    wrmsr(MSR_FS_BASE, 0);
    if (has_tsc_aux())
        wrmsr(MSR_TSC_AUX, arch_cpu_id()); /* what RDTSCP and RDPID tell programs */
    if (has_xss())
        wrmsr(MSR_IA32_XSS, 0);
}

void control_init_early(void)
{
    if (!has_nx())
        panic("this CPU has no NX, or the firmware's set-up hides it; this kernel needs it");
    if (has_smap())
        smap_patch();
    control_init_this();
}

void control_log(void)
{
    uint64_t cr4 = read_cr4();
    log_line("cpu: WP NX%s%s%s on%s%s%s", cr4 & CR4_SMEP ? " SMEP" : "",
             cr4 & CR4_SMAP ? " SMAP" : "", cr4 & CR4_UMIP ? " UMIP" : "",
             cr4 & CR4_SMEP ? "" : ", no SMEP", cr4 & CR4_SMAP ? "" : ", no SMAP",
             cr4 & CR4_UMIP ? "" : ", no UMIP");
}
