/* SPDX-License-Identifier: MIT */
/* Page faults. Their door, mm_fault(), is one of arch/x86/upcalls.h. */
#ifndef MM_FAULT_H
#define MM_FAULT_H

#include "arch/x86/upcalls.h"

/* Faults since boot that found nothing to do (FAULT_OK_SPURIOUS), on all CPUs. */
uint64_t mm_spurious_total(void);

#endif
