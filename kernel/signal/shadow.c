/* SPDX-License-Identifier: MIT */
/*
 * A signal frame has a counterpart on the shadow stack, as on Linux:
 *
 *    SSP before the signal -> ...
 *                             token: that SSP, bit 63 set     <- SSP once the handler has returned
 *    SSP in the handler    -> the restorer's address             and calls rt_sigreturn()
 *
 * No address of user space has bit 63 set, so neither CALL nor a restore token looks like this one.
 */
#include "kernel/planted.h"
#include "kernel/signal/signal.h"
#include "kernel/task/task.h"
#include "uapi/errno.h"

#define TOKEN_MARK (1ull << 63)
#define SLOT       sizeof(uint64_t)

int shadow_push(uint64_t restorer)
{
    uint64_t u_cet, ssp;
    arch_shstk_read(&u_cet, &ssp);
    if (!(u_cet & CET_SHSTK_EN))
        return 0;
    if (!is_aligned(ssp, SLOT) || arch_wruss(uaddr(ssp - SLOT), ssp | TOKEN_MARK)
        || arch_wruss(uaddr(ssp - 2 * SLOT), restorer))
        return -EFAULT;
    arch_shstk_write(u_cet, ssp - 2 * SLOT);
    return 0;
}

int shadow_absent(void)
{
    uint64_t u_cet, ssp;
    arch_shstk_read(&u_cet, &ssp);
    return planted_signal_page(!(u_cet & CET_SHSTK_EN)) ? 0 : -EFAULT;
}

/* Read the token while its page stays what it is. INCSSP can leave SSP just behind a shadow stack,
 * where a program may have put memory that it writes itself. */
static int token_read(struct frame *frame, size_t offset, void *token)
{
    if (!planted_signal_page(frame->kind == FRAME_SHSTK))
        return -EINVAL;
    *(uint64_t *)token = *(const uint64_t *)((const char *)frame_va(frame) + offset);
    return 0;
}

int shadow_pop(void)
{
    uint64_t u_cet, ssp, token;
    arch_shstk_read(&u_cet, &ssp);
    if (!(u_cet & CET_SHSTK_EN))
        return 0;
    if (!is_aligned(ssp, SLOT) || mm_gup_with(task_current()->mm, ssp, 0, token_read, &token))
        return -EINVAL;
    uint64_t back = token & ~TOKEN_MARK;
    if (!planted_signal_token(token & TOKEN_MARK) || !is_aligned(back, SLOT) || back >= USER_END)
        return -EINVAL;
    arch_shstk_write(u_cet, back);
    return 0;
}
