/* SPDX-License-Identifier: MIT */
/* What a panic and a report of all CPUs show. Private to arch/x86/. */
#ifndef ARCH_X86_REPORT_H
#define ARCH_X86_REPORT_H

#include "base/types.h"

/* The return addresses from rbp upwards, one log line each. */
void backtrace_report(uint64_t rbp);

#endif
