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
static void features_set(uint64_t *features, uint64_t value)
{
    __atomic_store_n(features, value, __ATOMIC_RELAXED);
}

/* IA32_U_CET for these features. */
static uint64_t features_msr(uint64_t features)
{
    if (!(features & ARCH_SHSTK_SHSTK))
        return 0;
    return CET_SHSTK_EN | (planted_wrss(features & ARCH_SHSTK_WRSS) ? CET_WRSS_EN : 0);
}

static uint64_t stack_bytes_now(void)
{
    return align_up(min_u64(limit_now(RLIMIT_STACK), SHSTK_BYTES_MAX), PAGE_SIZE);
}

/* Map a stack of task's own in mm. */
static int stack_map(struct task *task, struct mm *mm, uint64_t bytes)
{
    int err = mm_map_shstk(mm, 0, bytes, false, false, &task->shstk_start);
    task->shstk_bytes = err ? 0 : bytes;
    return err;
}

static void stack_unmap(struct task *task)
{
    if (task->shstk_bytes)
        (void)!mm_unmap(task->mm, task->shstk_start, task->shstk_bytes, NULL);
    task->shstk_start = task->shstk_bytes = 0;
}

/* Map a stack in mm and make it the current task's, with SSP at its top. */
static int shstk_begin(struct task *task, struct mm *mm)
{
    int err = stack_map(task, mm, stack_bytes_now());
    if (err)
        return err;
    features_set(&task->shstk_features, ARCH_SHSTK_SHSTK);
    arch_shstk_write(features_msr(ARCH_SHSTK_SHSTK), task->shstk_start + task->shstk_bytes);
    return 0;
}

int shstk_exec(struct task *task, struct mm *mm, bool marked)
{
    features_set(&task->shstk_features, 0);
    task->shstk_start = task->shstk_bytes = 0;
    features_set(&task->shstk_locked, 0);
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
    shstk_fork(thread);
    thread->shstk_start = thread->shstk_bytes = 0;
    if (!(thread->shstk_features & ARCH_SHSTK_SHSTK))
        return 0;
    uint64_t bytes = stack_bytes ? align_up(min_u64(stack_bytes, SHSTK_BYTES_MAX), PAGE_SIZE)
                                 : stack_bytes_now();
    if (stack_map(thread, task_current()->mm, bytes))
        return -ENOMEM;
    thread->arch.user_ssp = thread->shstk_start + bytes;
    return 0;
}

void shstk_thread_end(struct task *task)
{
    if (__atomic_load_n(&task->mm->users, __ATOMIC_RELAXED) > 1)
        stack_unmap(task);
    task->shstk_start = task->shstk_bytes = 0;
}

/* ---- arch_prctl --------------------------------------------------------- */

/* WRSS lives only while the stack does. */
static long wrss_switch(struct task *task, bool on)
{
    uint64_t u_cet, ssp;
    if (!(task->shstk_features & ARCH_SHSTK_SHSTK))
        return -EPERM;
    features_set(&task->shstk_features, ARCH_SHSTK_SHSTK | (on ? ARCH_SHSTK_WRSS : 0));
    arch_shstk_read(&u_cet, &ssp);
    arch_shstk_write(features_msr(task->shstk_features), ssp);
    return 0;
}

static long shstk_disable(struct task *task)
{
    if (!(task->shstk_features & ARCH_SHSTK_SHSTK))
        return 0;
    arch_shstk_write(0, 0);
    features_set(&task->shstk_features, 0);
    stack_unmap(task);
    return 0;
}

void shstk_lock(struct task *task, uint64_t bits, bool locked)
{
    features_set(&task->shstk_locked,
                 locked ? task->shstk_locked | bits : task->shstk_locked & ~bits);
}

long shstk_prctl(int option, uint64_t features)
{
    struct task *task = task_current();
    switch (option) {
    case ARCH_SHSTK_STATUS:
        return arch_copy_to_user(uaddr(features), &task->shstk_features, sizeof(uint64_t)) ? -EFAULT
                                                                                           : 0;
    case ARCH_SHSTK_LOCK: shstk_lock(task, features, true); return 0;
    case ARCH_SHSTK_UNLOCK: /* a debugger's privilege, through ptrace */ return -EINVAL;
    }
    if (features & task->shstk_locked)
        return -EPERM;
    if (features != ARCH_SHSTK_SHSTK && features != ARCH_SHSTK_WRSS)
        return -EINVAL; /* one at a time, as on Linux */
    if (!arch_has_shstk() || mode == SHSTK_OFF)
        return -EOPNOTSUPP;
    if (features == ARCH_SHSTK_WRSS)
        return wrss_switch(task, option == ARCH_SHSTK_ENABLE);
    if (option == ARCH_SHSTK_DISABLE)
        return shstk_disable(task);
    return task->shstk_features ? 0 : shstk_begin(task, task->mm);
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
    bool huge = huge_wanted && len && is_aligned(start | len, level_bytes(2));
    int err = mm_map_shstk(task_current()->mm, start, len, token, huge, &start);
    return err ? err : (long)start;
}
