/* SPDX-License-Identifier: MIT */
/*
 * Exceptions and interrupts. mm/ resolves page faults. kernel/ refuses a program's fault that mm/
 * does not resolve, and every other exception of a program. An exception in the kernel itself
 * continues at a fix-up, or ends in a panic.
 */
#include "arch/x86/arch.h"
#include "arch/x86/cpu/cet.h"
#include "arch/x86/cpu/fpu.h"
#include "arch/x86/cpu/percpu.h"
#include "arch/x86/cpu/registers.h"
#include "arch/x86/cpu/tlb.h"
#include "arch/x86/entry/entry.h"
#include "arch/x86/entry/idt.h"
#include "arch/x86/pc/apic.h"
#include "arch/x86/pc/efi.h"
#include "arch/x86/pc/irq.h"
#include "arch/x86/pc/smp.h"
#include "arch/x86/upcalls.h"
#include "base/lock.h"
#include "base/panic.h"
#include "base/string.h"
#include "uapi/signal.h"

/* ---- Kernel faults ------------------------------------------------------ */

struct ex_entry {
    uint64_t site, fixup;
};
extern const struct ex_entry __ex_table_start[], __ex_table_end[];

/* Where the kernel goes on after a fault at rip that was not resolved; 0: nowhere. */
static uint64_t ex_fixup(uint64_t rip)
{
    for (const struct ex_entry *entry = __ex_table_start; entry < __ex_table_end; entry++) {
        if (entry->site == rip)
            return entry->fixup;
    }
    return 0;
}

static NORETURN void kernel_fault(struct trap_frame *frame)
{
    static const char *const names[32] = {
        "divide error",
        "debug exception",
        "NMI",
        "breakpoint",
        "overflow",
        "BOUND",
        "invalid opcode",
        "no FPU",
        "double fault",
        "vector 9",
        "invalid TSS",
        "segment not present",
        "stack fault",
        "general protection",
        "page fault",
        "vector 15",
        "x87 error",
        "alignment check",
        "machine check",
        "SIMD error",
        "virtualization",
        "control protection",
    };
    percpu()->fault_frame = frame;
    const char *name = frame->vector < 32 && names[frame->vector] ? names[frame->vector]
                                                                  : "exception";
    panic("%s in the kernel, error code %#lx, RIP %#lx, CR2 %#lx", name, frame->error, frame->rip,
          read_cr2());
}

/* ---- Page faults -------------------------------------------------------- */

static COLD void refuse(struct trap_frame *frame, int signal, int si_code, uint64_t si_addr,
                        const char *reason)
{
    struct refusal why = { signal, si_code, si_addr, frame->error, reason };
    entry_refused(frame, &why);
}

/* The kernel wrote that entry, even if a program ran into it. The report shows the path to it. */
static NORETURN COLD void broken_tables(struct trap_frame *frame, uint64_t va)
{
    percpu()->fault_frame = frame;
    panic("a reserved bit is set in the entries for %#lx, error code %#lx", va, frame->error);
}

static COLD void user_page_fault_refused(struct trap_frame *frame, const struct fault *fault,
                                         enum fault_outcome outcome)
{
    const struct fault_verdict *verdict = fault_verdict(outcome);
    if (frame->error & FAULT_RESERVED)
        broken_tables(frame, fault->va);
    if (outcome == FAULT_BAD_MISSING && entry_missing(percpu()->mm, fault))
        return;
    if (verdict->signal == SIGKILL && entry_out_of_memory(true))
        return;
    refuse(frame, verdict->signal, verdict->si_code, fault->va, verdict->reason);
}

static void user_page_fault(struct trap_frame *frame, uint64_t va)
{
    struct fault fault = { va, (uint32_t)frame->error, true, frame->rip };
    arch_irq_enable();
    enum fault_outcome outcome = mm_fault(percpu()->mm, &fault);
    if (__builtin_expect(!fault_resolved(outcome), 0))
        user_page_fault_refused(frame, &fault, outcome);
    else
        percpu()->faults++;
}

/* The kernel touched user memory for a system call: resolved as the program's own access would
 * be, or -EFAULT. */
static COLD void kernel_page_fault(struct trap_frame *frame, uint64_t va)
{
    struct fault fault = { va, (uint32_t)frame->error, false, frame->rip };
    uint64_t fixup = ex_fixup(frame->rip);
    if (!fixup || va >= USER_END || !percpu()->mm) {
        if (!efi_fault(frame))
            kernel_fault(frame);
        return;
    }
    if (frame->rflags & RFLAGS_IF)
        arch_irq_enable();
    enum fault_outcome outcome = mm_fault(percpu()->mm, &fault);
    if (fault_resolved(outcome)) {
        percpu()->faults++;
        return;
    }
    if (frame->error & FAULT_RESERVED)
        broken_tables(frame, va);
    if (outcome == FAULT_BAD_MISSING && frame->rflags & RFLAGS_IF
        && entry_missing(percpu()->mm, &fault))
        return;
    if (fault_verdict(outcome)->signal == SIGKILL && frame->rflags & RFLAGS_IF
        && entry_out_of_memory(false))
        return;
    frame->rip = fixup;
}

/* ---- Everything else ---------------------------------------------------- */

static void control_protection(struct trap_frame *frame)
{
    char text[160];
    cet_describe(frame, text, sizeof(text));
    cet_after_control_protection(frame);
    arch_irq_enable();
    refuse(frame, SIGSEGV, SEGV_CPERR, frame->rip, text);
}

static void user_exception(struct trap_frame *frame)
{
    static const struct {
        int signal, si_code;
        const char *reason;
    } table[32] = {
        [0] = { SIGFPE, FPE_INTDIV, "division by zero" },
        [1] = { SIGTRAP, TRAP_TRACE, "single step" },
        [3] = { SIGTRAP, SI_KERNEL, "breakpoint" },
        [4] = { SIGSEGV, SI_KERNEL, "overflow trap" },
        [5] = { SIGSEGV, SI_KERNEL, "BOUND" },
        [6] = { SIGILL, ILL_ILLOPN, "invalid opcode" },
        [10] = { SIGSEGV, SI_KERNEL, "invalid TSS" },
        [11] = { SIGBUS, SI_KERNEL, "segment not present" },
        [12] = { SIGBUS, SI_KERNEL, "stack-segment fault" },
        [13] = { SIGSEGV, SI_KERNEL, "general protection" },
        [16] = { SIGFPE, 0, "x87 error" },
        [17] = { SIGBUS, BUS_ADRALN, "alignment check" },
        [19] = { SIGFPE, 0, "SIMD floating-point error" },
    };
    arch_irq_enable();
    if (frame->vector >= 32 || !table[frame->vector].signal) {
        refuse(frame, SIGSEGV, SI_KERNEL, frame->rip, "unexpected exception");
        return;
    }
    int si_code = table[frame->vector].si_code;
    if (frame->vector == VECTOR_MF || frame->vector == VECTOR_XM)
        si_code = fpu_error_code(frame->vector == VECTOR_XM);
    refuse(frame, table[frame->vector].signal, si_code, frame->rip, table[frame->vector].reason);
}

static void interrupt(struct trap_frame *frame)
{
    unsigned locks = lock_interrupt_begin();
    if (frame->vector == VECTOR_TIMER) {
        apic_eoi();
        entry_timer_tick(trap_from_user(frame));
    } else if (frame->vector == VECTOR_KICK) {
        apic_eoi(); /* nothing else to do: the interrupt itself was what the sender wanted */
    } else if (frame->vector == VECTOR_FLUSH) {
        apic_eoi();
        tlb_serve();
    } else if (frame->vector >= VECTOR_ISA_BASE && frame->vector < VECTOR_ISA_BASE + 16) {
        irq_dispatch((unsigned)frame->vector);
    } /* spurious: no EOI (Intel SDM vol. 3, "Spurious Interrupt") */
    lock_interrupt_end(locks);
}

/* From here on it is a system call, which a signal may interrupt. */
static void software_interrupt(struct trap_frame *frame)
{
    frame->vector = TRAP_SYSCALL;
    frame->error = (uint32_t)frame->rax;
    arch_irq_enable();
    entry_syscall32(frame);
}

static COLD void exception(struct trap_frame *frame)
{
    if (frame->vector == VECTOR_NMI && smp_nmi(frame))
        return;
    if (frame->vector == VECTOR_DF || frame->vector == VECTOR_MC || frame->vector == VECTOR_NMI)
        kernel_fault(frame);
    if (trap_from_user(frame)) {
        if (frame->vector == VECTOR_CP)
            control_protection(frame);
        else
            user_exception(frame);
    } else if (frame->vector == VECTOR_DB) {
        frame->rflags &= ~RFLAGS_TF; /* the program's trap, which MOV SS before SYSCALL delays */
    } else if (!efi_fault(frame)) {
        uint64_t fixup = ex_fixup(frame->rip);
        if (!fixup)
            kernel_fault(frame);
        frame->rip = fixup;
    }
}

void x86_trap(struct trap_frame *frame)
{
    if (frame->vector == VECTOR_PF) {
        uint64_t va = read_cr2();
        if (trap_from_user(frame))
            user_page_fault(frame, va);
        else
            kernel_page_fault(frame, va);
    } else if (frame->vector == VECTOR_INT80 && trap_from_user(frame)) {
        software_interrupt(frame);
    } else if (frame->vector >= 32) {
        interrupt(frame);
    } else {
        exception(frame);
    }
}

void x86_user_work(struct trap_frame *frame)
{
    ASSERT(frame->vector != VECTOR_NMI); /* the CPU takes no other before the next IRETQ */
    /* cleared first, so that no request from now on is missed */
    __atomic_exchange_n(&percpu()->user_work, 0, __ATOMIC_SEQ_CST);
    arch_irq_enable();
    entry_user_return(frame);
}

/* Make the frame fit for a return to user mode, except for RIP, which the report needs: the program
 * does not go on there, whether or not it made the frame. */
void x86_return_refused(struct trap_frame *frame)
{
    frame->cs = USER_CS;
    frame->ss = USER_DS;
    frame->rflags = RFLAGS_IF | 2;
    arch_irq_enable();
    refuse(frame, SIGSEGV, SI_KERNEL, frame->rip, "there is no way back into user mode");
}
