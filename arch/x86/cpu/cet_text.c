/* SPDX-License-Identifier: MIT */
/* A control-protection exception in words. */
#include "arch/x86/arch.h"
#include "arch/x86/cpu/cet.h"
#include "base/string.h"

/* A user word as text: the value, or "unreadable". */
static void word_describe(uint64_t va, char *text, size_t size)
{
    uint64_t word;
    if (arch_copy_from_user(&word, uaddr(va), sizeof(word)) == 0)
        snprintf(text, size, "%#lx", word);
    else
        snprintf(text, size, "unreadable");
}

/* After a refused near RET, RSP and SSP still point at the two return addresses (measured,
 * docs/platform.md). */
static void near_ret_describe(const struct trap_frame *frame, char *text, size_t size)
{
    uint64_t u_cet, ssp;
    char data[24], shadow[24];
    arch_shstk_read(&u_cet, &ssp);
    word_describe(frame->rsp, data, sizeof(data));
    word_describe(ssp, shadow, sizeof(shadow));
    snprintf(text, size, "control protection, near RET: the stack says %s, the shadow stack %s",
             data, shadow);
}

void cet_describe(const struct trap_frame *frame, char *text, size_t size)
{
    static const char *const names[] = {
        [CP_FAR_RET] = "far RET or IRET to another address than the shadow stack says",
        [CP_ENDBRANCH] = "indirect branch to something other than ENDBRANCH",
        [CP_RSTORSSP] = "RSTORSSP without a valid restore token",
        [CP_SETSSBSY] = "SETSSBSY on a busy or invalid token",
    };
    uint64_t code = frame->error & CP_ERROR_MASK;
    if (code == CP_NEAR_RET)
        near_ret_describe(frame, text, size);
    else if (code < ARRAY_SIZE(names) && names[code])
        snprintf(text, size, "control protection, %s", names[code]);
    else
        snprintf(text, size, "control protection, error code %#lx", frame->error);
}
