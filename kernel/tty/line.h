/* SPDX-License-Identifier: MIT */
/*
 * The line discipline: characters that arrive become lines that can be read, as termios(3) has it.
 * It is a pure part: it locks nothing, waits for nothing and prints nothing itself.
 */
#ifndef KERNEL_LINE_H
#define KERNEL_LINE_H

#include "base/types.h"
#include "uapi/termios.h"

#define LINE_BYTES 4096 /* a line, its end included, is no longer; as on Linux */

/* The lock of the terminal's input guards every field. */
struct line {
    struct linux_termios termios;
    uint16_t ring[LINE_BYTES]; /* characters, some with a mark */
    size_t start, len;         /* what the ring holds */
    size_t open;               /* the length of its last line, not finished yet */
};

/* What a character that arrived asks of the terminal. */
struct line_reaction {
    int signal;     /* to send to the foreground, 0 for none */
    bool wake;      /* a reader should look */
    unsigned erase; /* columns to erase before the echo */
    char echo[4];   /* what to print */
    size_t echo_len;
};

/* Begin as Linux's terminals do: whole lines, echo and signals. */
void line_init(struct line *line);
/* Take over the settings that exist here. Settings that do not exist stay off, settings that cannot
 * be switched off stay on, and termios tells which. A change to or from canonical mode makes
 * everything in the ring readable. */
void line_set(struct line *line, const struct linux_termios *termios);
/* A character arrived. In canonical mode there is always room for the end of the line, so that a
 * full ring can be read. */
void line_put(struct line *line, char c, struct line_reaction *reaction);
/* Take what a read of len > 0 bytes gets now. In canonical mode that is at most one line, and 0 at
 * an end of file. -EAGAIN: there is nothing. */
MUST_CHECK long line_take(struct line *line, char *to, size_t len);
/* How many characters a reader would find, without the marks of an end of file. */
size_t line_count(const struct line *line);
/* Would a read return at once: is a line finished, or are there VMIN characters? */
bool line_readable(const struct line *line);
/* Forget what has not been read. */
void line_flush(struct line *line);

#endif
