/* SPDX-License-Identifier: MIT */
/*
 * INT 80h: the few of i386's system calls that 32-bit code in a 64-bit program needs to take
 * signals. Arguments are 32 bits of EBX, ECX, EDX and ESI; the number is i386's, in EAX. Code of
 * either width may call.
 */
#include "arch/x86/upcalls.h"
#include "kernel/signal/signal.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/task.h"
#include "uapi/errno.h"

/* Linux's numbers for i386. */
enum {
    I386_EXIT = 1,
    I386_WRITE = 4,
    I386_GETPID = 20,
    I386_SIGACTION = 67,
    I386_SIGRETURN = 119,
    I386_RT_SIGRETURN = 173,
    I386_RT_SIGACTION = 174,
};

/* struct sigaction as sigaction() of i386 passes it, and as rt_sigaction() does. */
struct sigaction32 {
    uint32_t handler, mask, flags, restorer;
};
struct rt_sigaction32 {
    uint32_t handler, flags, restorer, mask[2];
};

static long sigaction32(int signal, uaddr_t from, uaddr_t to)
{
    struct sigaction32 in = { 0 }, out;
    struct signal_action new, old;
    if (from.v && arch_copy_from_user(&in, from, sizeof(in)))
        return -EFAULT;
    new = (struct signal_action){ in.handler, in.flags | SA_IA32, in.restorer, in.mask };
    int err = signal_action_change(signal, from.v ? &new : NULL, &old);
    if (err)
        return err;
    out = (struct sigaction32){ (uint32_t)old.handler, (uint32_t)old.mask, (uint32_t)old.flags,
                                (uint32_t)old.restorer };
    return to.v && arch_copy_to_user(to, &out, sizeof(out)) ? -EFAULT : 0;
}

static long rt_sigaction32(int signal, uaddr_t from, uaddr_t to, uint32_t set_bytes)
{
    struct rt_sigaction32 in = { 0 }, out;
    struct signal_action new, old;
    if (set_bytes != 8)
        return -EINVAL;
    if (from.v && arch_copy_from_user(&in, from, sizeof(in)))
        return -EFAULT;
    new = (struct signal_action){ in.handler, in.flags | SA_IA32, in.restorer,
                                  in.mask[0] | (uint64_t)in.mask[1] << 32 };
    int err = signal_action_change(signal, from.v ? &new : NULL, &old);
    if (err)
        return err;
    out = (struct rt_sigaction32){ (uint32_t)old.handler,
                                   (uint32_t)old.flags,
                                   (uint32_t)old.restorer,
                                   { (uint32_t)old.mask, (uint32_t)(old.mask >> 32) } };
    return to.v && arch_copy_to_user(to, &out, sizeof(out)) ? -EFAULT : 0;
}

void entry_syscall32(struct trap_frame *frame)
{
    uint32_t b = (uint32_t)frame->rbx, c = (uint32_t)frame->rcx, d = (uint32_t)frame->rdx;
    long result;
    switch ((uint32_t)frame->rax) {
    case I386_EXIT: result = sys_exit((int)b); break;
    case I386_WRITE: result = sys_write((int)b, uaddr(c), d); break;
    case I386_GETPID: result = sys_getpid(); break;
    case I386_SIGACTION: result = sigaction32((int)b, uaddr(c), uaddr(d)); break;
    case I386_SIGRETURN: result = signal_return32(false); break;
    case I386_RT_SIGRETURN: result = signal_return32(true); break;
    case I386_RT_SIGACTION:
        result = rt_sigaction32((int)b, uaddr(c), uaddr(d), (uint32_t)frame->rsi);
        break;
    default: result = -ENOSYS;
    }
    frame->rax = (uint64_t)result;
}
