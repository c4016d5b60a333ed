/* SPDX-License-Identifier: MIT */
/* PCI configuration space, and what the host bridge tells of the machine. */
#include "arch/x86/pc/pci.h"

#include "arch/x86/arch.h"
#include "arch/x86/cpu/registers.h"

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
