/* SPDX-License-Identifier: MIT */
/* From the boot assembly to kernel_main(): this CPU's tables, and a copy of all the loader left
 * behind. */
#include "arch/x86/cpu/cpu.h"
#include "arch/x86/upcalls.h"
#include "arch/x86/x86.h"
#include "base/panic.h"
#include "base/string.h"

#define MAP_BYTES_MAX     32768
#define CMDLINE_BYTES_MAX 4096

extern uint64_t early_map_bytes;
extern char __kernel_start[];
void x86_start(const struct boot_info *loaders);

/* The loader's memory is handed to the allocator, so everything in it that stays of use is
 * copied here first. */
static struct boot_info info;
static uint8_t memory_map[MAP_BYTES_MAX] __attribute__((aligned(16)));
static char cmdline[CMDLINE_BYTES_MAX];

uint64_t arch_early_map_end(void) { return early_map_bytes; }

/* Physical address of something in the kernel image. */
static uint64_t image_pa(const void *p)
{
    return info.kernel.start + ((uint64_t)p - (uint64_t)__kernel_start);
}

/* Copy a range to room bytes in the image and point it there. Returns what did not fit. */
static uint64_t range_keep(struct boot_range *range, void *to, uint64_t room)
{
    uint64_t kept = min_u64(range->bytes, room), lost = range->bytes - kept;
    memcpy(to, arch_phys_to_virt(paddr(range->start)), kept);
    range->start = image_pa(to);
    range->bytes = kept;
    return lost;
}

extern uint64_t __stack_chk_guard;
uint64_t __stack_chk_guard = 0x595e9fbd94fda766ull;
NORETURN void __stack_chk_fail(void);
NORETURN void __stack_chk_fail(void) { panic("a kernel stack frame was overwritten"); }

/* Not protected itself: it changes the guard. */
__attribute__((no_stack_protector, noreturn)) void x86_start(const struct boot_info *loaders)
{
    gdt_init(0);
    idt_init();
    cpu_init_early();
    uint64_t guard;
    arch_random(&guard, sizeof(guard));
    __stack_chk_guard = guard & ~0xffull; /* a zero byte stops string overruns */
    info = *loaders;
    uint64_t lost = range_keep(&info.memory_map, memory_map, sizeof(memory_map));
    lost += range_keep(&info.cmdline, cmdline, sizeof(cmdline) - 1);
    if (info.magic != BOOT_INFO_MAGIC || info.version != BOOT_INFO_VERSION || lost)
        panic("the loader's boot information is of another version or too long");
    kernel_main(&info);
}
