/* SPDX-License-Identifier: MIT */
/*
 * A tracee's registers. Bytes move between a buffer here and what was saved of them when the tracee
 * left its CPU. What a tracer stores never gives its tracee more rights than it had:
 * arch_regs_set() and arch_fpu_set() refuse or cut down the rest, and SSP must be one that the task
 * could have.
 */
#include "base/panic.h"
#include "base/string.h"
#include "kernel/planted.h"
#include "kernel/ptrace/request.h"
#include "kernel/task/shstk.h"
#include "uapi/errno.h"
#include "uapi/mman.h"
#include "uapi/ptrace.h"

#define BUFFER_BYTES 1024
#define RFLAGS_TF    (1ull << 8)

/* A set of registers in Linux's layout; 0: there is none of this type. */
static size_t set_bytes(uint64_t type)
{
    switch (type) {
    case NT_PRSTATUS: return sizeof(struct user_regs);
    case NT_FPREGSET: return ARCH_FPU_LEGACY_BYTES;
    case NT_X86_XSTATE: return arch_fpu_bytes() > ARCH_FPU_LEGACY_BYTES ? arch_fpu_bytes() : 0;
    case NT_X86_SHSTK: return sizeof(uint64_t);
    default: return 0;
    }
}

/* A TF that is the tracer's is not shown. */
static void regs_get(struct task *task, struct user_regs *regs)
{
    arch_regs_get(&task->arch, regs);
    if (task->trap.stepping)
        regs->rflags &= ~RFLAGS_TF;
}

static int regs_set(struct task *task, const struct user_regs *regs)
{
    int err = arch_regs_set(&task->arch, regs);
    if (!err && task->trap.stepping) {
        task->trap.stepping = !(regs->rflags & RFLAGS_TF);
        arch_step_set(&task->arch, true);
    }
    return err;
}

static int set_get(struct task *task, uint64_t type, void *to)
{
    if (type == NT_PRSTATUS)
        regs_get(task, to);
    else if (type != NT_X86_SHSTK)
        arch_fpu_get(&task->arch, to, set_bytes(type));
    else if (!(task->shstk_features & ARCH_SHSTK_SHSTK))
        return -ENODEV;
    else
        memcpy(to, &task->arch.user_ssp, sizeof(uint64_t));
    return 0;
}

/* The first len bytes of a set; where a part is given, the rest stays as it is. */
static int set_put(struct task *task, uint64_t type, const void *from, size_t len)
{
    uint64_t ssp;
    struct user_regs regs;
    if (type == NT_PRSTATUS) {
        regs_get(task, &regs);
        memcpy(&regs, from, len);
        return regs_set(task, &regs);
    }
    if (type != NT_X86_SHSTK)
        return len == set_bytes(type) ? arch_fpu_set(&task->arch, from, len) : -EFAULT;
    if (!(task->shstk_features & ARCH_SHSTK_SHSTK))
        return -ENODEV;
    memcpy(&ssp, from, sizeof(ssp));
    if (len != sizeof(ssp) || !planted_ssp_range(ssp < USER_END && is_aligned(ssp, sizeof(ssp))))
        return -EINVAL;
    task->arch.user_ssp = ssp;
    return 0;
}

/* Move *len bytes of a set, at most all, between the tracer's memory and the tracee. */
static long set_move(int tid, uint64_t type, uaddr_t user, size_t *len, bool put)
{
    uint8_t buffer[BUFFER_BYTES] __attribute__((aligned(16)));
    size_t size = set_bytes(type);
    struct task *task;
    uint64_t irq;
    if (!size || *len % sizeof(uint64_t))
        return -EINVAL;
    ASSERT(size <= sizeof(buffer));
    *len = min_u64(*len, size);
    if (put && arch_copy_from_user(buffer, user, *len))
        return -EFAULT;
    int err = tracee_lock(tid, true, &task, &irq);
    if (err)
        return err;
    err = put ? set_put(task, type, buffer, *len) : set_get(task, type, buffer);
    spin_unlock_irq(&tasks_lock, irq);
    return !err && !put && arch_copy_to_user(user, buffer, *len) ? -EFAULT : err;
}

long set_request(int tid, uint64_t type, uaddr_t user, bool put)
{
    size_t len = set_bytes(type);
    return set_move(tid, type, user, &len, put);
}

/* The same, described by a struct iovec, whose length becomes what was moved. */
long set_vector(int tid, uint64_t type, uaddr_t vector, bool put)
{
    uint64_t part[2]; /* base, length */
    if (arch_copy_from_user(part, vector, sizeof(part)))
        return -EFAULT;
    size_t len = part[1];
    long err = set_move(tid, type, uaddr(part[0]), &len, put);
    if (err)
        return err;
    return arch_copy_to_user(uaddr(vector.v + 8), &len, sizeof(len)) ? -EFAULT : 0;
}

/* One word of struct user. There are no breakpoints in hardware: debug registers read as 0. */
long user_word(int tid, uint64_t addr, uint64_t *word, bool put)
{
    struct user_regs regs;
    struct task *task;
    uint64_t irq, *slot = (uint64_t *)&regs + addr / 8;
    if (addr % 8 || addr >= USER_AREA_BYTES)
        return -EIO;
    if (addr >= sizeof(regs)) {
        bool debug = addr >= USER_DEBUG_AT && addr < USER_DEBUG_AT + 64;
        int err = put && (!debug || *word) ? -EIO : 0;
        *word = 0;
        return err;
    }
    int err = tracee_lock(tid, true, &task, &irq);
    if (err)
        return err;
    regs_get(task, &regs);
    if (put) {
        *slot = *word;
        err = regs_set(task, &regs);
    } else {
        *word = *slot;
    }
    spin_unlock_irq(&tasks_lock, irq);
    return err;
}

/* arch_prctl() for a tracee. Of the shadow stack's switches a tracer has LOCK, STATUS and, which
 * the task itself does not have, UNLOCK. */
long arch_request(int tid, int option, uint64_t value)
{
    struct user_regs regs;
    struct task *task;
    uint64_t irq, found = 0;
    int err = tracee_lock(tid, true, &task, &irq);
    if (err)
        return err;
    regs_get(task, &regs);
    switch (option) {
    case ARCH_GET_FS: found = regs.fs_base; break;
    case ARCH_GET_GS: found = regs.gs_base; break;
    case ARCH_SET_FS: regs.fs_base = value; break;
    case ARCH_SET_GS: regs.gs_base = value; break;
    case ARCH_SHSTK_STATUS: found = task->shstk_features; break;
    case ARCH_SHSTK_LOCK: shstk_lock(task, value, true); break;
    case ARCH_SHSTK_UNLOCK: shstk_lock(task, value, false); break;
    default: err = -EINVAL;
    }
    bool sets = option == ARCH_SET_FS || option == ARCH_SET_GS;
    if (sets && regs_set(task, &regs))
        err = -EPERM;
    spin_unlock_irq(&tasks_lock, irq);
    if (option == ARCH_GET_FS || option == ARCH_GET_GS || option == ARCH_SHSTK_STATUS)
        return err ? err : arch_copy_to_user(uaddr(value), &found, sizeof(found)) ? -EFAULT : 0;
    return err;
}
