/* SPDX-License-Identifier: MIT */
/*
 * The test build's ways to do, inside the kernel, what the kernel's protections must stop. A test
 * writes the name of one to /proc/crash. Each ends in a panic or, where it concerns a program
 * alone, in SIGSEGV for that program. If one returns, it was not stopped.
 */
#include "tests/kernel/kernel/crash.h"

#include "base/panic.h"
#include "base/string.h"
#include "kernel/task/task.h"
#include "uapi/errno.h"

static const uint64_t constant = 1;
static uint8_t data[16] = { 0xc3 }; /* RET, should it ever be executed */

static void call(uint64_t address) { ((void (*)(void))address)(); }

static void load_from_nothing(void) { (void)*(volatile char *)0xffffc80000000000ull; }
static void store_to_text(void) { *(volatile char *)(uint64_t)load_from_nothing = 0; }
static void store_to_rodata(void) { *(volatile uint64_t *)(uint64_t)&constant = 2; }
static void execute_data(void) { call((uint64_t)data); }
static void execute_user(void) { call(arch_user_frame(&task_current()->arch)->rip); }
static void load_from_user(void)
{
    (void)*(volatile char *)arch_user_frame(&task_current()->arch)->rsp;
}

/* Recurse down to the guard page below the stack. The page fault itself has no stack there either:
 * a double fault. */
static unsigned overflow_stack(unsigned depth)
{
    volatile char frame[512];
    frame[0] = (char)depth;
    if (depth == ~0u)
        return 0;
    return overflow_stack(depth + 1) + (unsigned)frame[0];
}
static void overflow(void) { (void)overflow_stack(0); }

/* Write eight bytes too many to a local array, over the canary behind it. */
__attribute__((noinline)) static void smash_frame(void)
{
    char local[32];
    volatile char *at = local;
    for (unsigned i = 0; i < sizeof(local) + 8; i++)
        at[i] = 'x';
}

/* Frames by which user mode cannot be entered: one for IRETQ (a changed RCX calls for it), and one
 * that looks fit for SYSRET. */
static struct trap_frame *frame_by_iretq(void)
{
    struct trap_frame *frame = arch_user_frame(&task_current()->arch);
    frame->rcx = 0;
    return frame;
}
static void return_to_nowhere(void) { frame_by_iretq()->rip = 0x800000000000; }
static void return_to_no_code(void) { frame_by_iretq()->cs = 0x2b; }
static void return_to_ldt(void) { frame_by_iretq()->cs = 0xf; }
static void return_on_no_stack(void) { frame_by_iretq()->ss = 0x33; }
static void sysret_to_nowhere(void)
{
    struct trap_frame *frame = arch_user_frame(&task_current()->arch);
    frame->rip = frame->rcx = 0x800000000000;
}

long crash(struct process *process, const char *name)
{
    static const struct {
        const char *name;
        void (*commit)(void);
    } crimes[] = {
        { "load_from_nothing", load_from_nothing },
        { "store_to_text", store_to_text },
        { "store_to_rodata", store_to_rodata },
        { "execute_data", execute_data },
        { "execute_user", execute_user },
        { "load_from_user", load_from_user },
        { "overflow", overflow },
        { "smash_frame", smash_frame },
        { "return_to_nowhere", return_to_nowhere },
        { "sysret_to_nowhere", sysret_to_nowhere },
        { "return_to_no_code", return_to_no_code },
        { "return_to_ldt", return_to_ldt },
        { "return_on_no_stack", return_on_no_stack },
    };
    for (size_t i = 0; i < ARRAY_SIZE(crimes); i++) {
        if (strcmp(crimes[i].name, name) == 0) {
            crimes[i].commit();
            return 0;
        }
    }
    return -EINVAL;
}
