/* SPDX-License-Identifier: MIT */
/* arch_prctl(): the FS and GS bases, and the shadow stack's switches (shstk.c). */
#include "arch/x86/arch.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/shstk.h"
#include "uapi/errno.h"
#include "uapi/mman.h"

static long base_get(uint64_t base, uaddr_t to)
{
    return arch_copy_to_user(to, &base, sizeof(base)) ? -EFAULT : 0;
}

long sys_arch_prctl(int option, uint64_t value)
{
    switch (option) {
    case ARCH_SET_FS:
        if (value >= USER_END)
            return -EPERM;
        arch_set_fs_base(value);
        return 0;
    case ARCH_SET_GS:
        if (value >= USER_END)
            return -EPERM;
        arch_set_gs_base(value);
        return 0;
    case ARCH_GET_FS: return base_get(arch_get_fs_base(), uaddr(value));
    case ARCH_GET_GS: return base_get(arch_get_gs_base(), uaddr(value));
    case ARCH_SHSTK_ENABLE:
    case ARCH_SHSTK_DISABLE:
    case ARCH_SHSTK_LOCK:
    case ARCH_SHSTK_UNLOCK:
    case ARCH_SHSTK_STATUS: return shstk_prctl(option, value);
    default: return -EINVAL;
    }
}
