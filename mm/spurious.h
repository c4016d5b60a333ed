/* SPDX-License-Identifier: MIT */
/* Faults that leave nothing to do, and when to call them a bug. Private to mm/. */
#ifndef MM_SPURIOUS_H
#define MM_SPURIOUS_H

#include "mm/fault.h"

/*
 * Count a fault on an entry that allows the access already. FAULT_OK_SPURIOUS: let the instruction
 * try again. Otherwise the reason to give up. mm.lock is held, no table is locked.
 */
MUST_CHECK enum fault_outcome fault_spurious(struct mm *mm, const struct fault *fault);

#endif
