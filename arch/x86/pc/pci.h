/* SPDX-License-Identifier: MIT */
/* PCI configuration space, mechanism 1. Private to arch/x86/. */
#ifndef ARCH_X86_PCI_H
#define ARCH_X86_PCI_H

#include "base/types.h"

uint32_t pci_read(unsigned bus, unsigned device, unsigned function, unsigned offset);

#endif
