/* SPDX-License-Identifier: MIT */
/* The kernel log: a ring of the newest text, and the consoles it is copied to. */
#include "base/log.h"

#include "base/lock.h"
#include "base/string.h"

#define RING_BYTES 65536
#define LINE_BYTES 512

/* irq; guards all below and the sinks' devices */
static struct spinlock console_lock = SPINLOCK_INIT(LOCK_CONSOLE);
static char ring[RING_BYTES];
static uint64_t written; /* bytes ever */
static struct log_sink *sinks;
static bool line_begun; /* a program's last output did not end its line */

static void ring_put(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ring[written++ % RING_BYTES] = text[i];
}

static size_t ring_start(void) { return written > RING_BYTES ? written - RING_BYTES : 0; }

static void sinks_write(const char *text, size_t len)
{
    for (struct log_sink *sink = sinks; sink; sink = sink->next)
        sink->write(text, len);
    if (len)
        line_begun = text[len - 1] != '\n';
}

void log_line(const char *format, ...)
{
    char line[LINE_BYTES];
    va_list args;
    va_start(args, format);
    int wanted = vsnprintf(line, sizeof(line) - 1, format, args);
    va_end(args);
    size_t len = min_u64((uint64_t)wanted, sizeof(line) - 2);
    line[len++] = '\n';
    uint64_t irq = spin_lock_irq(&console_lock);
    if (line_begun)
        sinks_write("\n", 1);
    sinks_write(line, len);
    ring_put(line, len);
    spin_unlock_irq(&console_lock, irq);
}

void console_write(const char *text, size_t len)
{
    uint64_t irq = spin_lock_irq(&console_lock);
    sinks_write(text, len);
    spin_unlock_irq(&console_lock, irq);
}

void console_exclusively(void (*what)(int), int argument)
{
    uint64_t irq = spin_lock_irq(&console_lock);
    what(argument);
    spin_unlock_irq(&console_lock, irq);
}

void log_sink_register(struct log_sink *sink)
{
    uint64_t irq = spin_lock_irq(&console_lock);
    for (uint64_t at = ring_start(); at < written;) {
        size_t part = min_u64(written - at, RING_BYTES - at % RING_BYTES);
        sink->write(ring + at % RING_BYTES, part);
        at += part;
    }
    sink->next = sinks;
    sinks = sink;
    spin_unlock_irq(&console_lock, irq);
}

void log_tick(void)
{
    for (const struct log_sink *sink = sinks; sink; sink = sink->next) {
        if (sink->tick)
            sink->tick();
    }
}

size_t log_read(char *buffer, size_t size)
{
    uint64_t irq = spin_lock_irq(&console_lock);
    uint64_t at = ring_start();
    size_t len = 0;
    while (at < written && len < size)
        buffer[len++] = ring[at++ % RING_BYTES];
    spin_unlock_irq(&console_lock, irq);
    return len;
}

static bool taken_over;

bool log_taken_over(void) { return taken_over; }

void log_take_over(void)
{
    taken_over = true;
    lock_checks_off();
    line_begun = line_begun || console_lock.held;
    console_lock = (struct spinlock)SPINLOCK_INIT(LOCK_CONSOLE);
}
