/* SPDX-License-Identifier: MIT */
/* The kernel log: whole lines, to every console and into a ring read from /proc/kmsg. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/types.h"

/* One line, no newline needed at the end. Safe in interrupt context and with any lock held. */
void log_line(const char *format, ...) PRINTF_LIKE(1, 2);

/*
 * Where log lines go. A console driver fills one in and registers it; lines logged earlier are
 * replayed to it. write() must not wait without bound, allocate, or take a lock that stands above
 * console.lock.
 */
struct log_sink {
    void (*write)(const char *text, size_t len_bytes);
    void (*tick)(void); /* at each tick of any CPU, no lock held; NULL: nothing */
    struct log_sink *next;
};
void log_sink_register(struct log_sink *sink);
/* Text to the same devices, but not into the ring: what programs write to the console. */
void console_write(const char *text, size_t len_bytes);
/* At each tick of any CPU. */
void log_tick(void);
/* Call what(argument) while nothing is written to any console. Safe in interrupt context. */
void console_exclusively(void (*what)(int), int argument);
/* Only for the CPU that has stopped all others: from now on print without the lock, and begin on a
 * new line. */
void log_take_over(void);
/* Has one? What a console puts off is not seen any more. */
bool log_taken_over(void);

/* Copy at most size bytes of the ring, oldest first, to buffer; returns the count. */
size_t log_read(char *buffer, size_t size);

#endif
