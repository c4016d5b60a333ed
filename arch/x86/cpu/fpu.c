/* SPDX-License-Identifier: MIT */
/*
 * x87, SSE and AVX state of tasks. The kernel itself uses none of these registers, so they hold the
 * state of the task that ran last. It is saved with standard-format XSAVE for x87|SSE|AVX, or with
 * FXSAVE where there is no XSAVE. XSAVES is not reliable everywhere (docs/platform.md), and nothing
 * here needs it.
 */
#include "arch/x86/cpu/fpu.h"

#include "arch/x86/arch.h"
#include "arch/x86/cpu/registers.h"
#include "arch/x86/entry/entry.h"
#include "base/string.h"
#include "uapi/errno.h"
#include "uapi/signal.h"

#define XCR0_WANTED   7u /* x87 | SSE | AVX */
#define FXSAVE_BYTES  512
#define FCW_DEFAULT   0x37f
#define MXCSR_DEFAULT 0x1f80

static uint32_t xsave_mask; /* 0: FXSAVE */
static uint32_t area_bytes = FXSAVE_BYTES;

#define FRAME_MAGIC1       0x46505853u /* FP_XSTATE_MAGIC1 */
#define FRAME_MAGIC2       0x46505845u /* behind the area */
#define FRAME_MAGIC2_BYTES sizeof(uint32_t)
#define SOFTWARE_AT        464 /* the bytes of the legacy part that are software's */

/* Linux's struct _fpx_sw_bytes, and XSAVE's header, which follows it. */
struct frame_words {
    uint32_t magic1, extended_bytes;
    uint64_t features;
    uint32_t bytes, pad[7];
    uint64_t header[8];
};
static struct frame_words frame_words; /* [I] what every frame has */

void fpu_init_this(void)
{
    uint64_t cr4 = read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT;
    write_cr4(xsave_mask ? cr4 | CR4_OSXSAVE : cr4);
    if (xsave_mask)
        __asm__ volatile("xsetbv" : : "c"(0), "a"(xsave_mask), "d"(0));
}

void fpu_init(void)
{
    if (cpuid(1, 0).ecx & 1u << 26)
        xsave_mask = cpuid(0xd, 0).eax & XCR0_WANTED;
    fpu_init_this();
    if (xsave_mask)
        area_bytes = cpuid(0xd, 0).ebx; /* for the components that XCR0 holds now */
    frame_words = (struct frame_words){
        .magic1 = FRAME_MAGIC1,
        .extended_bytes = area_bytes + FRAME_MAGIC2_BYTES,
        .features = xsave_mask,
        .bytes = area_bytes,
    };
}

size_t arch_fpu_bytes(void) { return area_bytes; }

void fpu_save(void *area)
{
    if (xsave_mask)
        __asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(xsave_mask), "d"(0) : "memory");
    else
        __asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
}

void fpu_restore(const void *area)
{
    if (xsave_mask)
        __asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"(xsave_mask), "d"(0) : "memory");
    else
        __asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
}

/* With XSTATE_BV = 0 every component gets its initial state; FXRSTOR reads FCW, and both read
 * MXCSR. */
static const union {
    struct {
        uint16_t fcw;
        uint8_t skipped[22];
        uint32_t mxcsr;
    };
    uint8_t bytes[FXSAVE_BYTES + 64];
} initial __attribute__((aligned(64))) = { { FCW_DEFAULT, { 0 }, MXCSR_DEFAULT } };

void arch_fpu_reset(void) { fpu_restore(&initial); }

void arch_fpu_fork(struct arch_task *child)
{
    /* XSAVE's header */
    memset((char *)child->fpu + FXSAVE_BYTES, 0, min_u64(64, area_bytes - FXSAVE_BYTES));
    fpu_save(child->fpu);
}

/* ---- For a tracer -------------------------------------------------------- */

#define MXCSR_AT    24
#define MXCSR_USUAL 0xffbfu /* its bits that exist, where FXSAVE does not say */

void arch_fpu_get(const struct arch_task *task, void *to, size_t len_bytes)
{
    const uint64_t features = xsave_mask;
    memcpy(to, task->fpu, len_bytes);
    memset((char *)to + SOFTWARE_AT, 0, FXSAVE_BYTES - SOFTWARE_AT);
    if (len_bytes > FXSAVE_BYTES)
        memcpy((char *)to + SOFTWARE_AT, &features, sizeof(features));
}

/* Is this header of an XSAVE area one that XRSTOR takes? */
static bool header_allowed(const uint64_t header[8])
{
    uint64_t others = header[0] & ~(uint64_t)xsave_mask;
    for (int i = 1; i < 8; i++)
        others |= header[i];
    return others == 0;
}

int arch_fpu_set(struct arch_task *task, const void *from, size_t len_bytes)
{
    uint32_t mxcsr[2], known[2];
    uint64_t header[8] = { 0 };
    memcpy(mxcsr, (const char *)from + MXCSR_AT, sizeof(mxcsr));
    memcpy(known, (char *)task->fpu + MXCSR_AT, sizeof(known));
    if (len_bytes > FXSAVE_BYTES)
        memcpy(header, (const char *)from + FXSAVE_BYTES, sizeof(header));
    if (mxcsr[0] & ~(known[1] ? known[1] : MXCSR_USUAL) || !header_allowed(header))
        return -EINVAL;
    memcpy(task->fpu, from, len_bytes);
    memcpy((char *)task->fpu + MXCSR_AT + sizeof(*known), &known[1], sizeof(known[1]));
    if (len_bytes == FXSAVE_BYTES && xsave_mask)
        *((uint8_t *)task->fpu + FXSAVE_BYTES) |= 3; /* x87 and SSE are there */
    return 0;
}

/* ---- Signal frames ------------------------------------------------------ */

bool fpu_has_xsave(void) { return xsave_mask != 0; }

size_t fpu_user_bytes(void) { return area_bytes + (xsave_mask ? FRAME_MAGIC2_BYTES : 0); }

int fpu_save_user(uint64_t area)
{
    const uint32_t magic2 = FRAME_MAGIC2;
    if (xsave_mask
        && (arch_copy_to_user(uaddr(area + SOFTWARE_AT), &frame_words, sizeof(frame_words))
            || arch_copy_to_user(uaddr(area + area_bytes), &magic2, sizeof(magic2))))
        return -EFAULT;
    return x86_fpu_save_user(uaddr(area), area_bytes, xsave_mask);
}

/* The components that the frame's area claims to hold; 0: it has the legacy part only. */
static int claimed(uint64_t area, uint32_t *features)
{
    struct frame_words words;
    uint32_t magic2;
    *features = 0;
    if (arch_copy_from_user(&words, uaddr(area + SOFTWARE_AT), offsetof(struct frame_words, pad)))
        return -EFAULT;
    if (words.magic1 != FRAME_MAGIC1 || words.bytes < FXSAVE_BYTES + sizeof(words.header)
        || words.bytes > area_bytes || words.bytes > words.extended_bytes)
        return 0;
    if (arch_copy_from_user(&magic2, uaddr(area + words.bytes), sizeof(magic2)))
        return -EFAULT;
    if (magic2 == FRAME_MAGIC2)
        *features = (uint32_t)words.features & xsave_mask;
    return 0;
}

int fpu_restore_user(uint64_t area)
{
    uint32_t features = 0;
    int err = area && xsave_mask ? claimed(area, &features) : 0;
    if (!features || features != xsave_mask)
        arch_fpu_reset(); /* what the area does not hold */
    if (area && !err)
        err = x86_fpu_restore_user(uaddr(area), features ? area_bytes : FXSAVE_BYTES, features);
    if (err)
        arch_fpu_reset();
    return err;
}

/* The flags that say what went wrong, in the order of their bits, in Linux's si_codes. */
int fpu_error_code(bool simd)
{
    uint16_t control, status;
    uint32_t mxcsr;
    if (simd) {
        __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
        status = (uint16_t)mxcsr;
        control = (uint16_t)(mxcsr >> 7);
    } else {
        __asm__ volatile("fnstcw %0; fnstsw %1" : "=m"(control), "=m"(status));
    }
    unsigned wrong = status & ~control;
    return wrong & 1      ? FPE_FLTINV
           : wrong & 4    ? FPE_FLTDIV
           : wrong & 8    ? FPE_FLTOVF
           : wrong & 0x12 ? FPE_FLTUND
           : wrong & 0x20 ? FPE_FLTRES
                          : SI_USER;
}
