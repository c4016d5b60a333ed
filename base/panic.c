/* SPDX-License-Identifier: MIT */
/* The end of a kernel that found one of its own invariants broken. */
#include "base/panic.h"

#include "arch/x86/inline.h"
#include "base/log.h"
#include "base/string.h"

void panic(const char *format, ...)
{
    static bool panicking;
    char text[400];
    arch_irq_disable();
    if (__atomic_exchange_n(&panicking, true, __ATOMIC_ACQ_REL))
        arch_halt(); /* a second one, from the report itself or another CPU */
    arch_cpus_stop();
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    log_line("panic: %s", text);
    arch_panic_report();
    log_line("panic: end");
    arch_halt();
}
