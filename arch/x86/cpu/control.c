/* SPDX-License-Identifier: MIT */
/* What each CPU's control registers and model-specific registers hold while this kernel runs. */
#include "arch/x86/cpu/control.h"

#include "arch/x86/arch.h"
#include "arch/x86/cpu/registers.h"
#include "arch/x86/entry/entry.h"
#include "base/log.h"

/* ---- Features ----------------------------------------------------------- */

struct smap_site {
    uint8_t *code;      /* three bytes of NOP */
    uint64_t last_byte; /* CAh CLAC, CBh STAC */
};
extern const struct smap_site __smap_sites_start[], __smap_sites_end[];

static bool has_smep(void) { return cpuid(7, 0).ebx & 1u << 7; }
static bool has_smap(void) { return cpuid(7, 0).ebx & 1u << 20; }
static bool has_umip(void) { return cpuid(7, 0).ecx & 1u << 2; }

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

void control_init_this(void)
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

void control_init_early(void)
{
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
