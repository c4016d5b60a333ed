/* SPDX-License-Identifier: MIT */
/* A broken invariant ends here. User data never reaches an assertion. */
#ifndef BASE_PANIC_H
#define BASE_PANIC_H

#include "base/types.h"

/* Print "panic: ..." with registers and backtrace on every console, then stop all CPUs for good. */
NORETURN void panic(const char *format, ...) PRINTF_LIKE(1, 2);

#define ASSERT(condition) \
    ((condition)          \
         ? (void)0        \
         : panic("%s:%d: %s: assertion failed: %s", __FILE__, __LINE__, __func__, #condition))

#endif
