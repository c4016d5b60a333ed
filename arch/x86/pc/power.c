/* SPDX-License-Identifier: MIT */
/* Powering off and rebooting, by every way a machine may have, one after the other. */
#include "arch/x86/arch.h"
#include "arch/x86/cpu/registers.h"
#include "arch/x86/pc/acpi.h"
#include "arch/x86/pc/efi.h"
#include "base/log.h"

#define EFI_RESET_COLD     0
#define EFI_RESET_SHUTDOWN 2
#define PIIX4_PM1A_CONTROL 0xb004 /* where OVMF puts it on QEMU's and Bochs' 440FX */
#define ICH9_PM1A_CONTROL  0x604  /* ... and on QEMU's Q35 */
#define SLP_EN             0x2000
#define BOCHS_SHUTDOWN     0x8900

/* Give the chipset time to do what it was told. */
static void settle(void) { arch_delay_us(100000); }

static void acpi_power_off(void)
{
    uint16_t port[2], value[2];
    if (!acpi_s5(port, value))
        return;
    arch_outw(port[0], value[0]);
    if (port[1])
        arch_outw(port[1], value[1]);
    settle();
}

static void emulator_power_off(void)
{
    if (!arch_on_emulator())
        return;
    for (const char *c = "Shutdown"; *c; c++)
        arch_outb(BOCHS_SHUTDOWN, (uint8_t)*c);
    arch_outw(PIIX4_PM1A_CONTROL, SLP_EN);
    arch_outw(ICH9_PM1A_CONTROL, SLP_EN);
    settle();
}

void arch_power_off(void)
{
    arch_cpus_stop();
    log_line("power: off");
    efi_reset(EFI_RESET_SHUTDOWN);
    acpi_power_off();
    emulator_power_off();
    log_line("power: the machine did not switch itself off; it is safe to do so by hand");
    arch_halt();
}

void arch_reboot(void)
{
    arch_cpus_stop();
    log_line("power: reboot");
    efi_reset(EFI_RESET_COLD);
    arch_outb(0xcf9, 0x06); /* the chipset's reset register */
    settle();
    arch_outb(0x64, 0xfe); /* the keyboard controller's reset line */
    settle();
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) nothing = { 0, 0 };
    __asm__ volatile("lidt %0; int3" : : "m"(nothing)); /* triple fault */
    arch_halt();
}
