/* SPDX-License-Identifier: MIT */
/* A task's machine state: made, switched, inspected. */
#include "arch/x86/arch.h"
#include "arch/x86/cpu/cet.h"
#include "arch/x86/cpu/fpu.h"
#include "arch/x86/cpu/gdt.h"
#include "arch/x86/cpu/percpu.h"
#include "arch/x86/cpu/planted.h"
#include "arch/x86/cpu/registers.h"
#include "arch/x86/cpu/switch.h"
#include "arch/x86/entry/entry.h"
#include "arch/x86/start/start.h"
#include "base/panic.h"
#include "base/string.h"

/* What x86_switch_stack() finds on a new task's stack: six registers and a return address. */
struct switch_frame {
    uint64_t r15, r14, r13, r12, rbx, rbp;
    uint64_t rip;
};

struct trap_frame *arch_user_frame(struct arch_task *task)
{
    return (struct trap_frame *)task->kernel_stack_top - 1;
}

void arch_task_init_user(struct arch_task *task, const struct trap_frame *frame)
{
    struct trap_frame *copy = arch_user_frame(task);
    *copy = *frame;
    struct switch_frame *begin = (struct switch_frame *)copy - 1;
    *begin = (struct switch_frame){ .rip = (uint64_t)task_begin };
    task->kernel_sp = (uint64_t)begin;
    task->ds = read_ds();
    task->es = read_es();
}

void arch_task_init_kernel(struct arch_task *task, void (*function)(void *), void *argument)
{
    /* leave the top to its user state: it may become a user task */
    struct switch_frame *begin = (struct switch_frame *)arch_user_frame(task) - 1;
    *begin = (struct switch_frame){ .rbx = (uint64_t)argument,
                                    .r12 = (uint64_t)function,
                                    .rip = (uint64_t)kernel_task_begin };
    task->kernel_sp = (uint64_t)begin;
}

void arch_frame_start_user(struct trap_frame *frame, uint64_t rip, uint64_t rsp)
{
    *frame = (struct trap_frame){
        .vector = TRAP_SYSCALL,
        .rip = rip,
        .cs = USER_CS,
        .rflags = RFLAGS_IF | 2,
        .rsp = rsp,
        .ss = USER_DS,
    };
    write_ds(0);
    write_es(0);
}

void arch_enter_user(struct trap_frame *frame)
{
    __asm__ volatile("mov %0, %%rsp; jmp trap_return" : : "r"(frame) : "memory");
    __builtin_unreachable();
}

void arch_task_begin(struct arch_task *arch, struct task *task)
{
    gdt_set_kernel_stack(arch->kernel_stack_top);
    percpu()->task = task;
    percpu()->pid = arch->pid;
}

uint64_t arch_boot_stack_top(void) { return (uint64_t)boot_stack_top; }

/* 64-bit code does not look at DS and ES, which are mostly null. */
static void segments_switch(struct arch_task *prev, const struct arch_task *next)
{
    prev->ds = read_ds();
    prev->es = read_es();
    if (prev->ds | prev->es | next->ds | next->es) {
        write_ds(next->ds);
        write_es(next->es);
    }
}

void arch_switch(struct arch_task *prev, struct arch_task *next, struct task *next_task)
{
    if (prev->fpu)
        fpu_save(prev->fpu);
    if (planted_fpu(next->pid, next->fpu))
        fpu_restore(next->fpu);
    prev->fs_base = rdmsr(MSR_FS_BASE);
    wrmsr(MSR_FS_BASE, next->fs_base);
    prev->gs_base = rdmsr(MSR_KERNEL_GS_BASE);
    wrmsr(MSR_KERNEL_GS_BASE, next->gs_base);
    cet_switch(prev, next);
    segments_switch(prev, next);
    if (prev->calls_traced != next->calls_traced)
        calls_traced_load(next->calls_traced);
    gdt_set_kernel_stack(next->kernel_stack_top);
    percpu()->task = next_task;
    percpu()->pid = next->pid;
    prev->user_work = percpu()->user_work;
    percpu()->user_work = next->user_work;
    x86_switch_stack(&prev->kernel_sp, next->kernel_sp);
}

/* While the kernel runs, GS is the kernel's and the user's waits in IA32_KERNEL_GS_BASE. */
void arch_set_gs_base(uint64_t base) { wrmsr(MSR_KERNEL_GS_BASE, base); }
uint64_t arch_get_gs_base(void) { return rdmsr(MSR_KERNEL_GS_BASE); }
void arch_set_fs_base(uint64_t base) { wrmsr(MSR_FS_BASE, base); }
uint64_t arch_get_fs_base(void) { return rdmsr(MSR_FS_BASE); }
