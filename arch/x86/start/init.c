/* SPDX-License-Identifier: MIT */
/* The second half of bring-up, once memory can be mapped. */
#include "arch/x86/arch.h"
#include "arch/x86/cpu/cet.h"
#include "arch/x86/cpu/control.h"
#include "arch/x86/cpu/fpu.h"
#include "arch/x86/pc/acpi.h"
#include "arch/x86/pc/apic.h"
#include "arch/x86/pc/efi.h"
#include "arch/x86/pc/irq.h"
#include "arch/x86/pc/smp.h"
#include "arch/x86/pc/timer.h"
#include "base/string.h"
#include "boot_info.h"

/* Does the command line hold this word? */
static bool cmdline_has(const struct boot_info *info, const char *word)
{
    const char *line = arch_phys_to_virt(paddr(info->cmdline.start));
    size_t len = strlen(word);
    for (const char *at = line; *at; at++) {
        bool begins = at == line || at[-1] == ' ';
        if (begins && strncmp(at, word, len) == 0 && (at[len] == 0 || at[len] == ' '))
            return true;
    }
    return false;
}

void arch_init(const struct boot_info *info)
{
    control_log();
    efi_init(info);
    acpi_init(info->rsdp);
    fpu_init();
    cet_init(!cmdline_has(info, "shstk=off"));
    timer_init();
    apic_init(cmdline_has(info, "x2apic"));
    irq_init();
    smp_init(info);
}
