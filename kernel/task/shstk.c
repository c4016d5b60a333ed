/* SPDX-License-Identifier: MIT */
/*
 * A task's shadow stack through its life: exec resets, fork shares, arch_prctl switches it on and
 * off, exit frees it with the rest of the address space. The interface is Linux's
 * (Documentation/arch/x86/shstk.rst); in addition a marked executable starts with its shadow stack
 * on.
 */
#include "kernel/task/shstk.h"

#include "base/log.h"
#include "base/string.h"
#include "kernel/cmdline.h"
#include "kernel/planted.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/limits.h"
#include "uapi/errno.h"
#include "uapi/mman.h"

/* As Linux: the stack limit, at most 4 GiB. */
#define SHSTK_BYTES_MAX (4ull << 30)
#define HUGE_BYTES      (2ull << 20)

static enum shstk_mode mode = SHSTK_MARKED;
static bool huge_wanted;

void shstk_init(void)
{
    char value[16];
    if (cmdline_get("shstk", value, sizeof(value))) {
        mode = strcmp(value, "optin") == 0 ? SHSTK_OPTIN
               : strcmp(value, "off") == 0 ? SHSTK_OFF
                                           : SHSTK_MARKED;
        if (mode == SHSTK_MARKED && strcmp(value, "marked") != 0)
            log_line("shstk: \"%s\" is neither marked, optin nor off; marked", value);
    }
    huge_wanted = cmdline_get("shstk_huge", value, sizeof(value)) && strcmp(value, "1") == 0;
}

/* Others may look at a task's features at any time. */
static void features_set(struct task *task, uint64_t features)
{
    __atomic_store_n(&task->shstk_features, features, __ATOMIC_RELAXED);
}

static void locked_set(struct task *task, uint64_t locked)
{
    __atomic_store_n(&task->shstk_locked, locked, __ATOMIC_RELAXED);
}

/* IA32_U_CET for these features. */
static uint64_t features_msr(uint64_t features)
{
    if (!(features & ARCH_SHSTK_SHSTK))
        return 0;
    bool wrss = planted_wrss(features & ARCH_SHSTK_WRSS);
    return CET_SHSTK_EN | (wrss ? CET_WRSS_EN : 0);
}

static uint64_t stack_bytes_now(void)
{
    return align_up(min_u64(limit_now(RLIMIT_STACK), SHSTK_BYTES_MAX), PAGE_SIZE);
}

/* Map a stack in mm and make it the current task's, with SSP at its top. */
static int shstk_begin(struct task *task, struct mm *mm)
{
    uint64_t start, bytes = stack_bytes_now();
    int err = mm_map_shstk(mm, 0, bytes, false, false, &start);
    if (err)
        return err;
    task->shstk_start = start;
    task->shstk_bytes = bytes;
    features_set(task, ARCH_SHSTK_SHSTK);
    arch_shstk_write(features_msr(task->shstk_features), start + bytes);
    return 0;
}

int shstk_exec(struct task *task, struct mm *mm, bool marked)
{
    features_set(task, 0);
    task->shstk_start = task->shstk_bytes = 0;
    locked_set(task, 0);
    arch_shstk_write(0, 0);
    return marked && mode == SHSTK_MARKED && arch_has_shstk() ? shstk_begin(task, mm) : 0;
}

void shstk_fork(struct task *child)
{
    const struct task *parent = task_current();
    child->shstk_features = parent->shstk_features;
    child->shstk_locked = parent->shstk_locked;
    child->shstk_start = parent->shstk_start;
    child->shstk_bytes = parent->shstk_bytes;
    arch_shstk_read(&child->arch.u_cet, &child->arch.user_ssp);
}

int shstk_thread(struct task *thread, uint64_t stack_bytes)
{
    const struct task *self = task_current();
    uint64_t start, ssp;
    thread->shstk_features = self->shstk_features;
    thread->shstk_locked = self->shstk_locked;
    thread->shstk_start = thread->shstk_bytes = 0;
    arch_shstk_read(&thread->arch.u_cet, &ssp);
    if (!(self->shstk_features & ARCH_SHSTK_SHSTK))
        return 0;
    uint64_t bytes = stack_bytes ? align_up(min_u64(stack_bytes, SHSTK_BYTES_MAX), PAGE_SIZE)
                                 : stack_bytes_now();
    if (mm_map_shstk(self->mm, 0, bytes, false, false, &start))
        return -ENOMEM;
    thread->shstk_start = start;
    thread->shstk_bytes = bytes;
    thread->arch.user_ssp = start + bytes;
    return 0;
}

void shstk_thread_end(struct task *task)
{
    if (task->shstk_bytes && __atomic_load_n(&task->mm->users, __ATOMIC_RELAXED) > 1)
        (void)!mm_unmap(task->mm, task->shstk_start, task->shstk_bytes, NULL);
    task->shstk_start = task->shstk_bytes = 0;
}

/* ---- arch_prctl --------------------------------------------------------- */

/* One feature at a time, as on Linux. */
static long shstk_enable(struct task *task, uint64_t feature)
{
    uint64_t u_cet, ssp;
    if (feature == ARCH_SHSTK_SHSTK)
        return task->shstk_features & ARCH_SHSTK_SHSTK ? 0 : shstk_begin(task, task->mm);
    if (!(task->shstk_features & ARCH_SHSTK_SHSTK))
        return -EPERM;
    features_set(task, task->shstk_features | ARCH_SHSTK_WRSS);
    arch_shstk_read(&u_cet, &ssp);
    arch_shstk_write(features_msr(task->shstk_features), ssp);
    return 0;
}

static long shstk_disable(struct task *task, uint64_t feature)
{
    uint64_t u_cet, ssp;
    if (!(task->shstk_features & ARCH_SHSTK_SHSTK))
        return feature == ARCH_SHSTK_WRSS ? -EPERM : 0;
    if (feature == ARCH_SHSTK_WRSS) {
        features_set(task, task->shstk_features & ~ARCH_SHSTK_WRSS);
        arch_shstk_read(&u_cet, &ssp);
        arch_shstk_write(features_msr(task->shstk_features), ssp);
        return 0;
    }
    arch_shstk_write(0, 0);
    features_set(task, 0);
    if (task->shstk_bytes)
        (void)!mm_unmap(task->mm, task->shstk_start, task->shstk_bytes, NULL);
    task->shstk_start = task->shstk_bytes = 0;
    return 0;
}

long shstk_prctl(int option, uint64_t features)
{
    struct task *task = task_current();
    switch (option) {
    case ARCH_SHSTK_STATUS:
        return arch_copy_to_user(uaddr(features), &task->shstk_features, sizeof(uint64_t)) ? -EFAULT
                                                                                           : 0;
    case ARCH_SHSTK_LOCK: locked_set(task, task->shstk_locked | features); return 0;
    case ARCH_SHSTK_UNLOCK: /* a debugger's privilege, through ptrace */ return -EINVAL;
    }
    if (features & task->shstk_locked)
        return -EPERM;
    if (features != ARCH_SHSTK_SHSTK && features != ARCH_SHSTK_WRSS)
        return -EINVAL;
    if (!arch_has_shstk() || mode == SHSTK_OFF)
        return -EOPNOTSUPP;
    return option == ARCH_SHSTK_ENABLE ? shstk_enable(task, features)
                                       : shstk_disable(task, features);
}

/* map_shadow_stack(address, size, flags). As Linux: an address below 4 GiB is refused (-ERANGE),
 * and a token needs 8 bytes, aligned; it lies at the end of size, which need not be whole pages. */
long sys_map_shadow_stack(uint64_t start, size_t len, unsigned flags)
{
    bool token = flags & SHADOW_STACK_SET_TOKEN;
    if (!arch_has_shstk() || mode == SHSTK_OFF)
        return -EOPNOTSUPP;
    if (flags & ~SHADOW_STACK_SET_TOKEN)
        return -EINVAL;
    if (token && len < 8)
        return -ENOSPC;
    if (start && start < 1ull << 32)
        return -ERANGE;
    if (align_up(len, PAGE_SIZE) < len)
        return -EOVERFLOW;
    bool huge = huge_wanted && len && is_aligned(start | len, HUGE_BYTES);
    int err = mm_map_shstk(task_current()->mm, start, len, token, huge, &start);
    return err ? err : (long)start;
}
