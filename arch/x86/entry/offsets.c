/* SPDX-License-Identifier: MIT */
/* Holds frame.inc's numbers against the C they mirror. Generates no code. */
#include "arch/x86/cpu/percpu.h"
#include "arch/x86/cpu/registers.h"
#include "base/defect.h"
#include "uapi/errno.h"

#define MIRRORS(number, type, member) \
    _Static_assert(offsetof(struct type, member) == (number), "frame.inc: offset of " #member)

MIRRORS(48, trap_frame, r11);
MIRRORS(88, trap_frame, rcx);
MIRRORS(120, trap_frame, vector);
MIRRORS(136, trap_frame, rip);
MIRRORS(144, trap_frame, cs);
MIRRORS(152, trap_frame, rflags);
MIRRORS(160, trap_frame, rsp);
_Static_assert(sizeof(struct trap_frame) == 176, "frame.inc: TF_BYTES");
MIRRORS(8, percpu, kernel_stack);
MIRRORS(16, percpu, user_rsp);
MIRRORS(24, percpu, user_work);
_Static_assert(offsetof(struct percpu, cpu_id) == 28 && offsetof(struct percpu, task) == 32,
               "arch/x86/inline.h");
_Static_assert(KERNEL_CS == 0x10 && KERNEL_DS == 0x18 && USER_CS32 == 0x23 && USER_DS == 0x2b
                   && USER_CS == 0x33,
               "frame.inc: selectors");
_Static_assert(TRAP_SYSCALL == 0x100 && (RFLAGS_TF | RFLAGS_RF) == 0x10100, "frame.inc: numbers");
_Static_assert(DIRECT_MAP_BASE == 0xffff888000000000ull && (DIRECT_MAP_BASE >> 39 & 511) == 273,
               "frame.inc: direct map");
_Static_assert(KERNEL_BASE == 0xffffffff80000000ull && USER_END == 0x00007ffffffff000ull,
               "frame.inc: layout");
_Static_assert(DEFECT_IST_BY_CS == 21 && DEFECT_NMI_DOES_WORK == 22
                   && DEFECT_RETURN_NOT_MENDED == 23,
               "frame.inc: defects");
_Static_assert(CPUS_MAX == 64, "frame.inc: CPUS_MAX");
_Static_assert(EFAULT == 14, "frame.inc: EFAULT");
