/* SPDX-License-Identifier: MIT */
/*
 * The signal frame: what a handler finds on its stack, and rt_sigreturn() reads, laid out as on
 * Linux. From the program's stack pointer downwards:
 *
 *    128 bytes that the x86-64 ABI lets functions use below it (the red zone)
 *    the FPU's registers, 64-byte aligned (arch/x86/cpu/fpu.c)
 *    struct signal_frame; its address is 8 above a multiple of 16, as after a CALL
 *
 * A program may write there what it likes before it calls rt_sigreturn(). So whatever is read from
 * a frame is either one of the program's own registers, or cut down to what the program may set.
 */
#include "arch/x86/signal/frame.h"
#include "arch/x86/arch.h"
#include "arch/x86/cpu/fpu.h"
#include "arch/x86/cpu/planted.h"
#include "arch/x86/cpu/registers.h"
#include "arch/x86/entry/idt.h"
#include "base/string.h"
#include "uapi/errno.h"
#include "uapi/signal.h"

#define RED_ZONE  128
#define FPU_ALIGN 64

/* uc_flags: the FPU's registers are XSAVE's; ss is there; ss is restored */
#define UC_FP_XSTATE         1
#define UC_SIGCONTEXT_SS     2
#define UC_STRICT_RESTORE_SS 4

/* Linux's struct sigcontext. */
struct registers {
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
    uint16_t cs, gs, fs, ss;
    uint64_t error, vector, old_mask, address;
    uint64_t fpu; /* where; 0: initial state */
    uint64_t reserved[8];
};

struct context {
    uint64_t flags, link;
    struct stack_info stack;
    struct registers registers;
    uint64_t mask;
};

struct signal_frame {
    uint64_t restorer;
    struct context context;
    union {
        struct siginfo info;
        uint8_t info_bytes[SIGINFO_BYTES];
    };
};
_Static_assert(sizeof(struct registers) == 256 && sizeof(struct context) == 304
                   && sizeof(struct signal_frame) == 440,
               "the signal frame is not Linux's");

bool signal_frame_place(const struct trap_frame *frame, const struct signal_setup *setup,
                        size_t bytes, uint64_t *sp, uint64_t *fpu)
{
    const struct stack_info *stack = setup->stack;
    bool disarms = stack->flags & SS_AUTODISARM;
    bool inside = !disarms && stack_info_holds(stack, frame->rsp);
    uint64_t from = frame->rsp - (setup->compat ? 0 : RED_ZONE);
    if (setup->switch_stack && stack->bytes && (disarms || !stack_info_holds(stack, from))) {
        from = stack->base + stack->bytes;
        inside = true;
    }
    *fpu = align_down(from - fpu_user_bytes(), FPU_ALIGN);
    *sp = setup->compat ? align_down(*fpu - FSAVE_BYTES - bytes + 4, 16) - 4
                        : align_down(*fpu - bytes, 16) - 8;
    return !inside || stack_info_holds(stack, *sp);
}

static void registers_out(const struct trap_frame *frame, struct registers *to)
{
#define OUT(name) to->name = frame->name;
    EACH_GENERAL_REGISTER(OUT)
#undef OUT
    to->rflags = frame->rflags;
    to->cs = (uint16_t)frame->cs;
    to->ss = USER_DS;
    to->gs = to->fs = 0;
    memset(to->reserved, 0, sizeof(to->reserved));
}

/* Nothing is cleared before: each field is set. */
int arch_signal_store(const struct trap_frame *frame, const struct signal_setup *setup,
                      uint64_t *sp)
{
    uint64_t fpu;
    if (setup->compat)
        return signal_store32(frame, setup, sp);
    if (!signal_frame_place(frame, setup, sizeof(struct signal_frame), sp, &fpu))
        return -EFAULT;
    struct signal_frame out;
    struct context *context = &out.context;
    out.restorer = setup->restorer;
    context->flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS | (fpu_has_xsave() ? UC_FP_XSTATE : 0);
    context->link = 0;
    context->stack = *setup->stack;
    context->mask = setup->mask;
    registers_out(frame, &context->registers);
    context->registers.error = setup->trap->error;
    context->registers.vector = setup->trap->vector;
    context->registers.old_mask = setup->mask;
    context->registers.address = setup->trap->address;
    context->registers.fpu = fpu;
    size_t len = offsetof(struct signal_frame, info);
    if (setup->with_info) {
        len = sizeof(out);
        memset(out.info_bytes, 0, sizeof(out.info_bytes));
        out.info = *setup->info;
    }
    int err = arch_copy_to_user(uaddr(*sp), &out, len);
    return err ? err : fpu_save_user(fpu);
}

void arch_signal_enter(struct trap_frame *frame, const struct signal_setup *setup, uint64_t sp)
{
    frame->rdi = (uint64_t)setup->info->signo;
    frame->rsi = sp + offsetof(struct signal_frame, info);
    frame->rdx = sp + offsetof(struct signal_frame, context);
    frame->rax = 0;
    frame->rip = setup->handler;
    frame->rsp = sp;
    frame->rflags &= ~(RFLAGS_DF | RFLAGS_RF | RFLAGS_TF);
    frame->cs = USER_CS;
    frame->ss = USER_DS;
    if (setup->compat)
        signal_enter32(frame, setup, sp);
    arch_fpu_reset();
}

void program_flags_set(struct trap_frame *frame, uint64_t flags)
{
    uint64_t settable = planted_flags(RFLAGS_OF_PROGRAM);
    frame->rflags = (frame->rflags & ~settable) | (flags & settable);
}

static void registers_in(struct trap_frame *frame, const struct registers *from)
{
#define IN(name) frame->name = from->name;
    EACH_GENERAL_REGISTER(IN)
#undef IN
    frame->cs = from->cs == USER_CS32 ? USER_CS32 : USER_CS;
    frame->ss = USER_DS;
    program_flags_set(frame, from->rflags);
    if (frame->cs == USER_CS32)
        arch_request_user_return(); /* SYSRET would return to 64-bit code */
}

/* RET has popped the restorer. */
int arch_signal_leave(struct trap_frame *frame, struct signal_return *back)
{
    struct context in;
    if (arch_copy_from_user(&in, uaddr(frame->rsp), sizeof(in)))
        return -EFAULT;
    back->mask = in.mask;
    back->stack_base = in.stack.base;
    back->stack_bytes = in.stack.bytes;
    back->stack_flags = in.stack.flags;
    registers_in(frame, &in.registers);
    return fpu_restore_user(in.registers.fpu);
}

void arch_signal_note(struct arch_task *task, const struct trap_frame *frame, uint64_t address)
{
    task->trap.vector = frame->vector;
    task->trap.error = frame->error;
    if (frame->vector == VECTOR_PF)
        task->trap.address = address;
}
