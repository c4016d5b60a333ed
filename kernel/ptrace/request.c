/* SPDX-License-Identifier: MIT */
/*
 * ptrace(): a tracer's requests. Those about a stopped tracee hold it still with tasks_lock; the
 * tracer's own memory is touched before and after. registers.c has those about registers.
 */
#include "kernel/ptrace/request.h"
#include "base/string.h"
#include "kernel/planted.h"
#include "kernel/sched/sched.h"
#include "kernel/signal/signal.h"
#include "kernel/syscall/syscall.h"
#include "uapi/errno.h"
#include "uapi/ptrace.h"

int tracee_lock(int tid, bool stopped, struct task **found, uint64_t *irq)
{
    for (;;) {
        *irq = spin_lock_irq(&tasks_lock);
        struct task *task = *found = task_find_locked(tid);
        bool mine = task && task->tracee && planted_tracer(task->tracee->tracer == task_current());
        int err = !mine ? -ESRCH : stopped ? tracee_held(task) : 0;
        if (!err)
            return 0;
        spin_unlock_irq(&tasks_lock, *irq);
        if (err != -EAGAIN)
            return err;
        sched_yield(); /* it is about to sleep */
    }
}

/* ---- Beginning ---------------------------------------------------------- */

/* A parent that is leaving traces nobody; that is no error, as on Linux. */
static long trace_me(void)
{
    struct task *self = task_current();
    struct tracee *tracee = tracee_create();
    if (!tracee)
        return -ENOMEM;
    uint64_t irq = spin_lock_irq(&tasks_lock);
    struct task *tracer = (struct task *)self->process->made_by;
    int err = self->tracee || !self->process->parent ? -EPERM : 0;
    if (!err && !list_empty(&tracer->thread_link))
        tracee_begin(tracee, self, tracer);
    spin_unlock_irq(&tasks_lock, irq);
    tracee_discard(tracee);
    return err;
}

/* tasks_lock is held. */
static int attach(struct tracee *tracee, int tid, bool seize, unsigned options)
{
    struct task *task = task_find_locked(tid), *self = task_current();
    if (!task)
        return -ESRCH;
    if (task->tracee || task->process == self->process || task->process->exiting
        || list_empty(&task->thread_link))
        return -EPERM;
    tracee->seized = seize;
    tracee->options = options;
    tracee_begin(tracee, task, self);
    if (!seize)
        signal_post_kernel(task->process, task, SIGSTOP);
    stop_hand_over(task);
    return 0;
}

/* As Linux's Yama does in its mode 1: only a descendant may be attached to. */
static long trace_attach(int tid, bool seize, uint64_t addr, uint64_t options)
{
    struct process *process = process_find(tid);
    if (!process)
        return -ESRCH;
    struct tracee *tracee = tracee_create();
    int err = !tracee                                                  ? -ENOMEM
              : seize && (addr || options & ~(uint64_t)PTRACE_O_KNOWN) ? -EIO
              : !process_may_trace(process_current(), process)         ? -EPERM
                                                                       : 0;
    if (!err) {
        uint64_t irq = spin_lock_irq(&tasks_lock);
        err = attach(tracee, tid, seize, seize ? (unsigned)options : 0);
        spin_unlock_irq(&tasks_lock, irq);
    }
    tracee_discard(tracee);
    process_put(process);
    return err;
}

/* ---- Going on ----------------------------------------------------------- */

static void step_set(struct task *task, bool on)
{
    if (on && !task->trap.stepping && !arch_step_get(&task->arch))
        task->trap.stepping = true;
    if (task->trap.stepping)
        arch_step_set(&task->arch, on);
    task->trap.stepping &= on;
}

static long go_on(int tid, int request, uint64_t signal)
{
    struct tracee *over = NULL;
    struct task *task;
    uint64_t irq;
    int err = tracee_lock(tid, true, &task, &irq);
    if (err)
        return err;
    if (signal > SIGNAL_COUNT) {
        err = -EIO;
    } else if (request == PTRACE_DETACH) {
        over = task->tracee;
        step_set(task, false);
        arch_calls_trace(&task->arch, false);
        tracee_end(over, (int)signal);
    } else {
        task->trap.calls = request == PTRACE_SYSCALL;
        step_set(task, request == PTRACE_SINGLESTEP);
        arch_calls_trace(&task->arch, task->trap.calls || task->trap.stepping);
        task->trap.code = 0;
        tracee_resume(task, (int)signal);
    }
    spin_unlock_irq(&tasks_lock, irq);
    if (over)
        tracee_free(over);
    return err;
}

/* Requests about a tracee that need not be stopped, or, to listen, must be in a certain stop. */
static long push(int tid, int request)
{
    struct task *task;
    uint64_t irq;
    int err = tracee_lock(tid, request == PTRACE_LISTEN, &task, &irq);
    if (err)
        return err;
    if (request == PTRACE_KILL) {
        signal_post_kernel(task->process, task, SIGKILL);
    } else if (!task->tracee->seized) {
        err = -EIO;
    } else if (request == PTRACE_INTERRUPT) {
        tracee_notify(task);
        sched_interrupt(task);
    } else if (!task->trap.info || task->trap.info->code >> 8 != PTRACE_EVENT_STOP) {
        err = -EIO;
    } else {
        task->trap.listening = true;
        if (task->signals.notice & NOTICE_TRAP)
            tracee_resume(task, 0);
    }
    spin_unlock_irq(&tasks_lock, irq);
    return err;
}

/* ---- Memory ------------------------------------------------------------- */

/* One word, whatever the mapping's protection says. */
static long memory_word(int tid, uint64_t addr, uint64_t *word, bool put)
{
    struct task *task;
    uint64_t irq;
    int err = tracee_lock(tid, true, &task, &irq);
    if (err)
        return err;
    struct mm *mm = task->mm;
    mm_hold(mm);
    spin_unlock_irq(&tasks_lock, irq);
    long moved = mm_access(mm, addr, word, sizeof(*word), GUP_FORCE | (put ? GUP_WRITE : 0));
    mm_put(mm);
    return moved == sizeof(*word) ? 0 : -EIO;
}

static long word_request(int tid, int request, uint64_t addr, uint64_t data)
{
    bool put = request >= PTRACE_POKETEXT;
    bool user = request == PTRACE_PEEKUSER || request == PTRACE_POKEUSER;
    uint64_t word = data;
    long err = (user ? user_word : memory_word)(tid, addr, &word, put);
    if (err || put)
        return err;
    return arch_copy_to_user(uaddr(data), &word, sizeof(word)) ? -EFAULT : 0;
}

/* ---- What a stop is about ----------------------------------------------- */

static bool at_call(const struct task *task)
{
    return task->trap.info && (task->trap.info->code & ~0x80) == SIGTRAP && task->tracee->message;
}

/* Returns how many bytes of *to hold something. */
static size_t call_describe(struct task *task, struct syscall_info *to)
{
    struct user_regs regs;
    arch_regs_get(&task->arch, &regs);
    *to = (struct syscall_info){ .arch = AUDIT_ARCH_X86_64, .ip = regs.rip, .sp = regs.rsp };
    if (!at_call(task))
        return offsetof(struct syscall_info, entry);
    to->op = (uint8_t)task->tracee->message;
    if (to->op == PTRACE_EVENTMSG_SYSCALL_ENTRY) {
        const uint64_t args[6] = { regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9 };
        to->entry.number = regs.orig_rax;
        memcpy(to->entry.args, args, sizeof(args));
        return offsetof(struct syscall_info, entry.args) + sizeof(args);
    }
    to->exit.value = (int64_t)regs.rax;
    to->exit.is_error = regs.rax > -4096ull;
    return offsetof(struct syscall_info, exit.is_error) + 1;
}

/* The mask to which the task returns. */
static uint64_t *mask_of(struct task_signals *own)
{
    return own->restore_mask ? &own->saved_mask : &own->mask;
}

union answer {
    struct siginfo info;
    uint8_t info_bytes[SIGINFO_BYTES];
    struct syscall_info call;
    uint64_t word;
};

/* Make *answer what a request asks for. Returns its size in bytes, or a negative errno. */
static long answer_get(struct task *task, int request, union answer *answer)
{
    switch (request) {
    case PTRACE_GETEVENTMSG: answer->word = task->tracee->message; return sizeof(answer->word);
    case PTRACE_GETSIGMASK: answer->word = *mask_of(&task->signals); return sizeof(answer->word);
    case PTRACE_GET_SYSCALL_INFO: return (long)call_describe(task, &answer->call);
    }
    if (!task->trap.info)
        return -EINVAL;
    answer->info = *task->trap.info;
    return sizeof(answer->info_bytes);
}

static long ask(int tid, int request, size_t size, uaddr_t to)
{
    union answer answer = { .info_bytes = { 0 } };
    struct task *task;
    uint64_t irq;
    if (request == PTRACE_GETSIGMASK && size != sizeof(answer.word))
        return -EINVAL;
    int err = tracee_lock(tid, true, &task, &irq);
    if (err)
        return err;
    long len = answer_get(task, request, &answer);
    spin_unlock_irq(&tasks_lock, irq);
    bool sized = request == PTRACE_GET_SYSCALL_INFO;
    if (len > 0 && arch_copy_to_user(to, &answer, sized ? min_u64(size, (size_t)len) : (size_t)len))
        return -EFAULT;
    return len < 0 || sized ? len : 0;
}

static long tell(int tid, int request, uint64_t addr, uint64_t data)
{
    union answer in = { .word = data };
    size_t len = request == PTRACE_SETSIGINFO ? sizeof(in.info) : sizeof(in.word);
    struct task *task;
    uint64_t irq;
    if (request == PTRACE_SETSIGMASK && addr != sizeof(in.word))
        return -EINVAL;
    if (request != PTRACE_SETOPTIONS && arch_copy_from_user(&in, uaddr(data), len))
        return -EFAULT;
    int err = tracee_lock(tid, true, &task, &irq);
    if (err)
        return err;
    if (request == PTRACE_SETSIGMASK)
        __atomic_store_n(mask_of(&task->signals), in.word & ~SIGNALS_UNBLOCKABLE, __ATOMIC_SEQ_CST);
    else if (request == PTRACE_SETSIGINFO && task->trap.info)
        *task->trap.info = in.info;
    else if (request == PTRACE_SETOPTIONS && !(in.word & ~(uint64_t)PTRACE_O_KNOWN))
        task->tracee->options = (unsigned)in.word;
    else
        err = -EINVAL;
    spin_unlock_irq(&tasks_lock, irq);
    return err;
}

/* ---- The call ----------------------------------------------------------- */

long sys_ptrace(int request, int tid, uint64_t addr, uint64_t data)
{
    switch (request) {
    case PTRACE_TRACEME: return trace_me();
    case PTRACE_ATTACH:
    case PTRACE_SEIZE: return trace_attach(tid, request == PTRACE_SEIZE, addr, data);
    case PTRACE_KILL:
    case PTRACE_INTERRUPT:
    case PTRACE_LISTEN: return push(tid, request);
    case PTRACE_CONT:
    case PTRACE_SINGLESTEP:
    case PTRACE_SYSCALL:
    case PTRACE_DETACH: return go_on(tid, request, data);
    case PTRACE_PEEKTEXT:
    case PTRACE_PEEKDATA:
    case PTRACE_PEEKUSER:
    case PTRACE_POKETEXT:
    case PTRACE_POKEDATA:
    case PTRACE_POKEUSER: return word_request(tid, request, addr, data);
    case PTRACE_GETREGS:
    case PTRACE_SETREGS:
        return set_request(tid, NT_PRSTATUS, uaddr(data), request == PTRACE_SETREGS);
    case PTRACE_GETFPREGS:
    case PTRACE_SETFPREGS:
        return set_request(tid, NT_FPREGSET, uaddr(data), request == PTRACE_SETFPREGS);
    case PTRACE_GETREGSET:
    case PTRACE_SETREGSET: return set_vector(tid, addr, uaddr(data), request == PTRACE_SETREGSET);
    case PTRACE_GETEVENTMSG:
    case PTRACE_GETSIGINFO:
    case PTRACE_GETSIGMASK:
    case PTRACE_GET_SYSCALL_INFO: return ask(tid, request, addr, uaddr(data));
    case PTRACE_SETOPTIONS:
    case PTRACE_SETSIGINFO:
    case PTRACE_SETSIGMASK: return tell(tid, request, addr, data);
    case PTRACE_ARCH_PRCTL: return arch_request(tid, (int)data, addr);
    default: return -EIO;
    }
}
