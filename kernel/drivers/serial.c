/* SPDX-License-Identifier: MIT */
/* COM1, a 16550: polled output, interrupt-driven input. Many machines have none: its absence is
 * noticed, and no wait is unbounded. */
#include "kernel/drivers/serial.h"

#include "arch/x86/arch.h"
#include "base/log.h"
#include "kernel/tty/console.h"

#define COM1          0x3f8
#define COM1_LINE     4
#define REG_DATA      0
#define REG_IER       1
#define REG_FCR       2
#define REG_LCR       3
#define REG_MCR       4
#define REG_LSR       5
#define REG_SCRATCH   7
#define LSR_DATA      0x01
#define LSR_THR_EMPTY 0x20
#define SEND_NS       1000000000ull /* a character takes 87 us; an emulator may be slow */

static bool present;
static bool stalled; /* the last character could not be sent */

static uint8_t reg_read(unsigned reg) { return arch_inb((uint16_t)(COM1 + reg)); }
static void reg_write(unsigned reg, uint8_t value) { arch_outb((uint16_t)(COM1 + reg), value); }

/* If the line does not empty, characters are dropped without another wait, until it empties
 * again. */
static void send(char c)
{
    uint64_t end = stalled ? 0 : arch_clock_ns() + SEND_NS;
    while (!(reg_read(REG_LSR) & LSR_THR_EMPTY)) {
        if (arch_clock_ns() >= end) {
            stalled = true;
            return;
        }
        arch_pause(); /* serves other CPUs that wait for this one */
    }
    stalled = false;
    reg_write(REG_DATA, (uint8_t)c);
}

static void serial_write(const char *text, size_t len)
{
    for (size_t i = 0; i < len && present; i++) {
        if (text[i] == '\n')
            send('\r');
        send(text[i]);
    }
}

static struct log_sink sink = { .write = serial_write };

void serial_init(void)
{
    reg_write(REG_SCRATCH, 0x5a);
    present = reg_read(REG_SCRATCH) == 0x5a && reg_read(REG_LSR) != 0xff;
    if (!present)
        return;
    reg_write(REG_IER, 0);
    reg_write(REG_LCR, 0x80); /* divisor 1: 115200 baud */
    reg_write(REG_DATA, 1);
    reg_write(REG_IER, 0);
    reg_write(REG_LCR, 0x03); /* 8 bits, no parity, 1 stop */
    reg_write(REG_FCR, 0x07);
    reg_write(REG_MCR, 0x0b);
    log_sink_register(&sink);
}

static void serial_interrupt(void)
{
    for (unsigned i = 0; i < 64 && reg_read(REG_LSR) & LSR_DATA; i++)
        console_input((char)reg_read(REG_DATA));
}

bool serial_input_init(void)
{
    if (!present)
        return false;
    arch_irq_register(COM1_LINE, serial_interrupt);
    reg_write(REG_IER, 1);
    return true;
}
