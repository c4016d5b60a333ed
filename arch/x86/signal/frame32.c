/* SPDX-License-Identifier: MIT */
/*
 * The signal frames of 32-bit code, laid out as i386's: one for handlers that want a siginfo, one
 * for those that do not. The FPU's registers lie behind a FSAVE image, which is left zero: that
 * says that they are there.
 */
#include "arch/x86/cpu/fpu.h"
#include "arch/x86/cpu/registers.h"
#include "arch/x86/signal/frame.h"
#include "uapi/errno.h"
#include "uapi/signal.h"

struct registers32 {
    uint16_t gs, gs_pad, fs, fs_pad, es, es_pad, ds, ds_pad;
    uint32_t rdi, rsi, rbp, rsp, rbx, rdx, rcx, rax, vector, error, rip;
    uint16_t cs, cs_pad;
    uint32_t rflags, sp_at_signal;
    uint16_t ss, ss_pad;
    uint32_t fpu, mask, address;
};

struct context32 {
    uint32_t flags, link, stack_base, stack_flags, stack_bytes;
    struct registers32 registers;
    uint32_t mask[2];
};

/* Of a handler without siginfo. */
struct plain_frame32 {
    uint32_t restorer, signal;
    struct registers32 registers;
    uint8_t unused[624];
    uint32_t mask_high;
    uint8_t code[8];
};

struct info_frame32 {
    uint32_t restorer, signal, info_at, context_at;
    uint32_t info[SIGINFO_BYTES / 4];
    struct context32 context;
    uint8_t code[8];
};
_Static_assert(sizeof(struct registers32) == 88 && sizeof(struct plain_frame32) == 732
                   && sizeof(struct info_frame32) == 268,
               "the signal frame is not i386's");

#define EACH_REGISTER(copy) \
    copy(rdi) copy(rsi) copy(rbp) copy(rsp) copy(rbx) copy(rdx) copy(rcx) copy(rax) copy(rip)

static void registers_out(const struct trap_frame *frame, const struct signal_setup *setup,
                          uint64_t fpu, struct registers32 *to)
{
#define OUT(name) to->name = (uint32_t)frame->name;
    EACH_REGISTER(OUT)
#undef OUT
    to->rflags = (uint32_t)frame->rflags;
    to->sp_at_signal = to->rsp;
    to->cs = (uint16_t)frame->cs;
    to->ss = USER_DS;
    to->ds = read_ds();
    to->es = read_es();
    to->vector = (uint32_t)setup->trap->vector;
    to->error = (uint32_t)setup->trap->error;
    to->address = (uint32_t)setup->trap->address;
    to->mask = (uint32_t)setup->mask;
    to->fpu = (uint32_t)(fpu - FSAVE_BYTES);
}

/* siginfo_t of i386: no padding, and addresses of 32 bits. */
static void info_out(const struct siginfo *info, uint32_t to[SIGINFO_BYTES / 4])
{
    const uint32_t words[8] = { (uint32_t)info->signo,
                                (uint32_t)info->error,
                                (uint32_t)info->code,
                                (uint32_t)info->pid,
                                info->uid,
                                (uint32_t)info->value,
                                (uint32_t)info->utime,
                                (uint32_t)info->stime };
    for (int i = 0; i < 8; i++)
        to[i] = words[i];
}

static int store_plain(const struct trap_frame *frame, const struct signal_setup *setup,
                       uint64_t *sp, uint64_t *fpu)
{
    struct plain_frame32 out = { .signal = (uint32_t)setup->info->signo,
                                 .mask_high = (uint32_t)(setup->mask >> 32) };
    if (!signal_frame_place(frame, setup, sizeof(out), sp, fpu))
        return -EFAULT;
    out.restorer = (uint32_t)setup->restorer;
    registers_out(frame, setup, *fpu, &out.registers);
    return arch_copy_to_user(uaddr(*sp), &out, sizeof(out));
}

static int store_info(const struct trap_frame *frame, const struct signal_setup *setup,
                      uint64_t *sp, uint64_t *fpu)
{
    struct info_frame32 out = { .signal = (uint32_t)setup->info->signo };
    if (!signal_frame_place(frame, setup, sizeof(out), sp, fpu))
        return -EFAULT;
    out.restorer = (uint32_t)setup->restorer;
    out.info_at = (uint32_t)(*sp + offsetof(struct info_frame32, info));
    out.context_at = (uint32_t)(*sp + offsetof(struct info_frame32, context));
    info_out(setup->info, out.info);
    out.context.flags = fpu_has_xsave();
    out.context.stack_base = (uint32_t)setup->stack->base;
    out.context.stack_flags = setup->stack->flags;
    out.context.stack_bytes = (uint32_t)setup->stack->bytes;
    out.context.mask[0] = (uint32_t)setup->mask;
    out.context.mask[1] = (uint32_t)(setup->mask >> 32);
    registers_out(frame, setup, *fpu, &out.context.registers);
    return arch_copy_to_user(uaddr(*sp), &out, sizeof(out));
}

int signal_store32(const struct trap_frame *frame, const struct signal_setup *setup, uint64_t *sp)
{
    uint64_t fpu;
    int err = setup->with_info ? store_info(frame, setup, sp, &fpu)
                               : store_plain(frame, setup, sp, &fpu);
    if (!err)
        err = arch_clear_user(uaddr(fpu - FSAVE_BYTES), FSAVE_BYTES);
    return err ? err : fpu_save_user(fpu);
}

void signal_enter32(struct trap_frame *frame, const struct signal_setup *setup, uint64_t sp)
{
    bool info = setup->with_info;
    frame->rax = (uint64_t)setup->info->signo;
    frame->rdx = info ? sp + offsetof(struct info_frame32, info) : 0;
    frame->rcx = info ? sp + offsetof(struct info_frame32, context) : 0;
    frame->cs = USER_CS32;
    write_ds(USER_DS);
    write_es(USER_DS);
}

/* The FSAVE image does not count. A selector that is not the program's data is null. */
static int registers_in(struct trap_frame *frame, const struct registers32 *from)
{
#define IN(name) frame->name = from->name;
    EACH_REGISTER(IN)
#undef IN
    frame->cs = from->cs == USER_CS ? USER_CS : USER_CS32;
    frame->ss = USER_DS;
    program_flags_set(frame, from->rflags);
    write_ds(from->ds == USER_DS ? USER_DS : 0);
    write_es(from->es == USER_DS ? USER_DS : 0);
    return fpu_restore_user(from->fpu ? (uint64_t)from->fpu + FSAVE_BYTES : 0);
}

/* RET has popped the restorer, and for a handler without siginfo POP the signal. */
int arch_signal_leave32(struct trap_frame *frame, bool with_info, struct signal_return *back)
{
    struct plain_frame32 plain;
    struct info_frame32 in;
    uint64_t sp = (uint32_t)frame->rsp;
    arch_request_user_return(); /* SYSRET would return to 64-bit code */
    if (!with_info) {
        if (arch_copy_from_user(&plain, uaddr(sp - 8), sizeof(plain)))
            return -EFAULT;
        back->mask = plain.registers.mask | (uint64_t)plain.mask_high << 32;
        return registers_in(frame, &plain.registers);
    }
    if (arch_copy_from_user(&in, uaddr(sp - 4), sizeof(in)))
        return -EFAULT;
    back->mask = in.context.mask[0] | (uint64_t)in.context.mask[1] << 32;
    back->stack_base = in.context.stack_base;
    back->stack_flags = in.context.stack_flags;
    back->stack_bytes = in.context.stack_bytes;
    return registers_in(frame, &in.context.registers);
}
