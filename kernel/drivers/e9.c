/* SPDX-License-Identifier: MIT */
/* The debug port of Bochs and QEMU: every byte written to port E9h appears on the emulator's own
 * output. */
#include "kernel/drivers/e9.h"

#include "arch/x86/arch.h"
#include "base/log.h"

#define E9_PORT 0xe9

static void e9_write(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        arch_outb(E9_PORT, (uint8_t)text[i]);
}

static struct log_sink sink = { .write = e9_write };

void e9_init(void)
{
    /* where the port exists, it reads as its own number */
    if (arch_on_emulator() && arch_inb(E9_PORT) == E9_PORT)
        log_sink_register(&sink);
}
