/* SPDX-License-Identifier: MIT */
/*
 * The architecture's C interface: all that kernel/ and mm/ may ask of arch/x86/, besides the
 * page-table entry helpers in pgtable.h. What base/ asks as well is in inline.h; what arch/x86/
 * calls back is in upcalls.h.
 */
#ifndef ARCH_X86_ARCH_H
#define ARCH_X86_ARCH_H

#include "arch/x86/inline.h"
#include "arch/x86/layout.h"
#include "base/types.h"

/* For each CPU of a set, lowest first; cpu is an unsigned variable. The set is evaluated once. */
#define for_each_cpu(cpu, set)                                                \
    for (uint64_t cpu##_rest = (set);                                         \
         cpu##_rest && ((cpu) = (unsigned)__builtin_ctzll(cpu##_rest), true); \
         cpu##_rest &= cpu##_rest - 1)

struct mm;
struct task;

/* ---- The machine state saved on entry to the kernel --------------------- */

/* What every entry pushes, lowest address first. arch/x86/entry/frame.inc mirrors the offsets. */
struct trap_frame {
    uint64_t r15, r14, r13, r12, rbp, rbx;
    uint64_t r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    uint64_t vector; /* 0-255, or TRAP_SYSCALL */
    uint64_t error;  /* the CPU's error code, or 0; for a system call its number, or that below */
    uint64_t rip, cs, rflags, rsp, ss;
};
#define TRAP_SYSCALL    0x100
#define TRAP_NOT_A_CALL (~0ull) /* the call's result is decided */
#define SYSCALL_BYTES   2       /* of the instruction, which RIP has passed */

static inline bool trap_from_user(const struct trap_frame *frame) { return (frame->cs & 3) == 3; }

/* ---- This CPU ----------------------------------------------------------- */

/* arch_cpu_id(), arch_current_task(), arch_current_pid(), arch_pause(), arch_cycles(), arch_halt()
 * and arch_irq_*(): inline.h */
uint64_t arch_fault_count(void);  /* page faults resolved since boot */
struct mm *arch_current_mm(void); /* what the running task runs, NULL for the kernel's own */

/* enable interrupts and halt in one step; returns with them off */
void arch_wait_for_interrupt(void);
/* RDRAND where there is one, mixed with the TSC */
void arch_random(void *buffer, size_t len_bytes);

/* ---- Start-up, called once by kernel_main() in this order --------------- */

struct boot_info;
/* RAM below this physical address is reachable before kmap_init() */
uint64_t arch_early_map_end(void);
/* after kmap_init(): APIC, timer, FPU, CET; logs what it found */
void arch_init(const struct boot_info *info);
/* this CPU's periodic tick: entry_timer_tick() ARCH_TICK_HZ times a second */
void arch_timer_start(void);
#define ARCH_TICK_HZ 100

/* ---- Many CPUs ---------------------------------------------------------- */

/*
 * Start the other CPUs, so that no more than max run in all; each enters the kernel by
 * entry_cpu_begin(). One that does not answer is reported and left out. Called once, after
 * arch_init().
 */
void arch_cpus_start(unsigned max);
/* the last thing entry_cpu_begin() does before its CPU counts as online */
void arch_cpu_ready(void);
uint64_t arch_cpus_online(void); /* the set of CPUs that run the kernel */
/* Interrupt cpu soon: if it is halted it goes on, and in user mode it looks for work. */
void arch_cpu_kick(unsigned cpu);
/* Log what every other CPU is doing. Waits, bounded, for their answers. */
void arch_cpus_report(void);
/* Send every other CPU one NMI; true when all have answered it. */
MUST_CHECK bool arch_cpus_answer(void);
uint64_t arch_ipi_count(void); /* interrupts sent between CPUs since boot */

/* ---- Time --------------------------------------------------------------- */

uint64_t arch_clock_ns(void);             /* nanoseconds since boot; never goes back, on no CPU */
uint64_t arch_cycles_ns(uint64_t cycles); /* how long so many arch_cycles() last */
uint64_t arch_wall_clock_s(void); /* seconds since 1970 from the RTC, 0 when there is none */
void arch_delay_us(uint64_t us);

/* ---- Ports and interrupt lines, for the drivers in kernel/ -------------- */

uint8_t arch_inb(uint16_t port);
uint16_t arch_inw(uint16_t port);
uint32_t arch_inl(uint16_t port);
void arch_outb(uint16_t port, uint8_t value);
void arch_outw(uint16_t port, uint16_t value);
void arch_outl(uint16_t port, uint32_t value);
bool arch_on_emulator(void); /* Bochs or QEMU identified: their private ports may be touched */

/* Call handler, interrupts off, whenever ISA line (1 keyboard, 4 COM1) fires; unmasks the line. */
void arch_irq_register(unsigned isa_line, void (*handler)(void));

/* ---- Memory ------------------------------------------------------------- */

static inline void *arch_phys_to_virt(paddr_t pa) { return (void *)(DIRECT_MAP_BASE + pa.v); }
/* Only for addresses in the direct map. */
static inline paddr_t arch_virt_to_phys(const void *va)
{
    return paddr((uint64_t)va - DIRECT_MAP_BASE);
}

/* What the architecture keeps of an address space, inside struct mm. [I] fixed at creation  [A]
 * atomic */
struct arch_mm {
    paddr_t root;        /* [I] the level-4 table */
    uint64_t cpus;       /* [A] the CPUs that have it in CR3, idle ones included */
    uint64_t generation; /* [A] flushes so far: an idle CPU that missed some sees it here */
};

/* Run mm, whose architectural part is arch, on this CPU from now on. */
void arch_mm_load(struct arch_mm *arch, struct mm *mm);
/* This CPU runs no address space until the next arch_mm_load(); it need not hear of flushes
 * until then. */
void arch_mm_idle(void);
/* No task runs it any more, and its tables are about to be freed: idle CPUs unload it. */
void arch_mm_forget(struct arch_mm *arch);
/* The kernel's own final table replaces the early one. */
void arch_mm_load_kernel(paddr_t root);

/*
 * Finish a change of entries: on return no CPU translates [va, va + len_bytes) of the address space
 * by what the entries said before. len_bytes == 0: all of it. tables: page tables are about to be
 * freed, so idle CPUs must let go of them as well.
 */
void arch_tlb_flush(struct arch_mm *arch, uint64_t va, uint64_t len_bytes, bool tables);
/* The same for kernel addresses, on all CPUs. */
void arch_tlb_flush_kernel(uint64_t va, uint64_t len_bytes);

/* arch_entry_cmpxchg(): inline.h */
/*
 * For mm/race.c alone, which does on purpose what breaks the invariant: LOCK OR and LOCK AND, which
 * return the value before, and a plain store.
 */
uint64_t arch_entry_or(uint64_t *entry, uint64_t bits);
uint64_t arch_entry_and(uint64_t *entry, uint64_t bits);
void arch_entry_store(uint64_t *entry, uint64_t value);

bool arch_has_1g_pages(void);
void arch_page_zero(void *page); /* 4 KiB, page aligned */
void arch_page_copy(void *to, const void *from);

/* User memory. 0, or -EFAULT when some byte cannot be accessed (how many were copied is not
 * said). */
MUST_CHECK int arch_copy_from_user(void *to, uaddr_t from, size_t len_bytes);
MUST_CHECK int arch_copy_to_user(uaddr_t to, const void *from, size_t len_bytes);
MUST_CHECK int arch_clear_user(uaddr_t to, size_t len_bytes);
/* Copy a string with its zero; its length, -EFAULT, or -ENAMETOOLONG when no zero was among size
 * bytes. */
MUST_CHECK long arch_strncpy_from_user(char *to, uaddr_t from, size_t size);
/* Store value into a shadow stack with WRUSS. va 8-byte aligned. 0 or -EFAULT. */
MUST_CHECK int arch_wruss(uaddr_t va, uint64_t value);

/* ---- Control-flow enforcement (Intel SDM vol. 1, "Control-flow Enforcement Technology") ---- */

/* IA32_U_CET bits */
#define CET_SHSTK_EN (1ull << 0)
#define CET_WRSS_EN  (1ull << 1)
#define CET_ENDBR_EN (1ull << 2)

bool arch_has_shstk(void); /* CPU has it, and shstk=off was not given: CR4.CET is on */
/* the running task's IA32_U_CET, IA32_PL3_SSP */
void arch_shstk_read(uint64_t *u_cet, uint64_t *ssp);
void arch_shstk_write(uint64_t u_cet, uint64_t ssp);

/* ---- Tasks -------------------------------------------------------------- */

/* The last exception that a signal was sent for, as a handler's ucontext shows it. */
struct arch_trap {
    uint64_t vector, error, address; /* address: CR2, of page faults */
};

/* A task's machine state. [O] the task itself, while it runs: then the registers hold the truth.
 * [I] fixed before the task runs  [R] its run queue is locked */
struct arch_task {
    uint64_t kernel_sp;        /* [O] */
    uint64_t kernel_stack_top; /* [I] */
    uint64_t fs_base;          /* [O] */
    uint64_t gs_base;          /* [O] the user's */
    uint64_t u_cet;            /* [O] IA32_U_CET */
    uint64_t user_ssp;         /* [O] IA32_PL3_SSP */
    void *fpu;                 /* [I] XSAVE area of arch_fpu_bytes(), 64-byte aligned, kernel/'s */
    int pid;                   /* [I] what arch_current_pid() answers */
    uint16_t ds, es;           /* [O] selectors, which 32-bit code needs */
    uint32_t user_work;        /* [R] arch_request_user_return(), asked while it does not run */
    struct arch_trap trap;     /* [O] */
    bool calls_traced;         /* [O] its system calls go through entry_syscall_traced() */
};

size_t arch_fpu_bytes(void);
void arch_fpu_reset(void);                   /* initial state in the running task's registers */
void arch_fpu_fork(struct arch_task *child); /* running task's registers -> child->fpu */

/* Prepare a new task: when first switched to, it returns to user mode by a copy of *frame, with the
 * running task's DS and ES. */
void arch_task_init_user(struct arch_task *task, const struct trap_frame *frame);
/* The same, but it calls function(argument) with interrupts off, which must never return. */
void arch_task_init_kernel(struct arch_task *task, void (*function)(void *), void *argument);

/* Leave the kernel for user mode through *frame, which lies at the top of the running task's
 * stack. */
NORETURN void arch_enter_user(struct trap_frame *frame);
/* The context that has run since boot is task's from now on. */
void arch_task_begin(struct arch_task *arch, struct task *task);
uint64_t arch_boot_stack_top(void);

/* The running task's saved user state, at the top of its kernel stack. */
struct trap_frame *arch_user_frame(struct arch_task *task);

/*
 * Run next instead of prev; returns when somebody switches back. Interrupts off. Saves and loads
 * FPU, FS and GS base, IA32_U_CET, IA32_PL3_SSP and what arch_request_user_return() asked, sets the
 * stack for the next entry and what arch_current_*() answer. The address space is arch_mm_load()'s
 * affair.
 */
void arch_switch(struct arch_task *prev, struct arch_task *next, struct task *next_task);

/* Ask that entry_user_return() be called before the running task next returns to user mode. Cleared
 * by that call. */
void arch_request_user_return(void);
/* The same for the task that any CPU runs. Another one is interrupted, lest it stay in user mode.
 */
void arch_request_user_return_of(unsigned cpu);

void arch_set_fs_base(uint64_t base); /* of the running task; base is canonical */
uint64_t arch_get_fs_base(void);
void arch_set_gs_base(uint64_t base);
uint64_t arch_get_gs_base(void);

/* Set up *frame to start a program: all registers zero, interrupts on. */
void arch_frame_start_user(struct trap_frame *frame, uint64_t rip, uint64_t rsp);

/* ---- For a tracer (arch/x86/cpu/user_regs.c, fpu.c) --------------------- */

struct user_regs;
/* The registers of a task that is off its CPU, and stays so. */
void arch_regs_get(struct arch_task *task, struct user_regs *regs);
/* -EIO, with nothing changed: a selector or a base that a program cannot have. */
MUST_CHECK int arch_regs_set(struct arch_task *task, const struct user_regs *regs);
/* The x87, SSE and AVX registers in Linux's layout: arch_fpu_bytes(), or the legacy part alone. */
#define ARCH_FPU_LEGACY_BYTES 512
void arch_fpu_get(const struct arch_task *task, void *to, size_t len_bytes);
/* -EINVAL, with nothing changed: XRSTOR would refuse it. */
MUST_CHECK int arch_fpu_set(struct arch_task *task, const void *from, size_t len_bytes);
/* Its single-step flag; also of the running task. */
bool arch_step_get(struct arch_task *task);
void arch_step_set(struct arch_task *task, bool on);
/* Its system calls go through entry_syscall_traced(), or not; of the running task, or of one that
 * is off its CPU. */
void arch_calls_trace(struct arch_task *task, bool on);

/* ---- Signal handlers (arch/x86/signal/frame.c) -------------------------- */

struct siginfo;
struct stack_info;

/* How a handler begins. */
struct signal_setup {
    const struct siginfo *info;
    bool with_info;    /* SA_SIGINFO: the handler reads *info */
    bool compat;       /* handler, restorer and the frame are of 32-bit code */
    bool switch_stack; /* SA_ONSTACK: to stack, if there is one and it is not in use */
    uint64_t handler, restorer;
    uint64_t mask; /* the one to return to */
    const struct stack_info *stack;
    const struct arch_trap *trap;
};
/* Write Linux's signal frame for *frame and the FPU's registers below the program's stack; *sp is
 * where. 0 or -EFAULT. Registers stay as they are. */
MUST_CHECK int arch_signal_store(const struct trap_frame *frame, const struct signal_setup *setup,
                                 uint64_t *sp);
/* *frame becomes that of the handler's beginning; the FPU's registers are as at a program's. */
void arch_signal_enter(struct trap_frame *frame, const struct signal_setup *setup, uint64_t sp);

/* What a signal frame says besides registers. */
struct signal_return {
    uint64_t mask;
    uint64_t stack_base, stack_bytes; /* sigaltstack()'s */
    uint32_t stack_flags;
};
/* The handler has returned: *frame and the FPU's registers become what its signal frame says,
 * except for what a program may not change. 0, or -EFAULT with *back changed if it could be
 * read. */
MUST_CHECK int arch_signal_leave(struct trap_frame *frame, struct signal_return *back);
/* The same after a handler of 32-bit code, with siginfo or without. */
MUST_CHECK int arch_signal_leave32(struct trap_frame *frame, bool with_info,
                                   struct signal_return *back);
/* The task gets a signal for the exception in *frame. */
void arch_signal_note(struct arch_task *task, const struct trap_frame *frame, uint64_t address);

/* ---- For the test kernel ------------------------------------------------ */

/* The registers that are set once on every CPU, as this CPU has them; fills list and returns how
 * many they are. */
struct arch_register {
    const char *name;
    uint64_t value;
};
#define ARCH_REGISTERS_MAX 32
size_t arch_registers_read(struct arch_register list[ARCH_REGISTERS_MAX]);

/* ---- The end ------------------------------------------------------------ */

/* Try every way to power off in turn: ResetSystem, ACPI S5, the emulator's ports; then halt. Logs
 * "power: off" first. */
NORETURN void arch_power_off(void);
NORETURN void arch_reboot(void);

#endif
