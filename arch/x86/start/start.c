/* SPDX-License-Identifier: MIT */
/* From the boot assembly to kernel_main(): this CPU's tables, the consoles, this CPU's features. */
#include "arch/x86/start/start.h"

#include "arch/x86/arch.h"
#include "arch/x86/cpu/control.h"
#include "arch/x86/cpu/gdt.h"
#include "arch/x86/entry/idt.h"
#include "arch/x86/upcalls.h"
#include "base/panic.h"

uint64_t arch_early_map_end(void) { return early_map_bytes; }

extern uint64_t __stack_chk_guard;
uint64_t __stack_chk_guard = 0x595e9fbd94fda766ull;
NORETURN void __stack_chk_fail(void);
NORETURN void __stack_chk_fail(void) { panic("a kernel stack frame was overwritten"); }

/* Not protected itself: it changes the guard. */
__attribute__((no_stack_protector, noreturn)) void x86_start(const struct boot_info *info)
{
    gdt_init(0);
    idt_init();
    entry_boot(info); /* from here on a fault is seen */
    control_init_early();
    uint64_t guard;
    arch_random(&guard, sizeof(guard));
    __stack_chk_guard = guard & ~0xffull; /* a zero byte stops string overruns */
    kernel_main(info);
}
