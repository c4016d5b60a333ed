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

/* All of it belongs to whoever locks the terminal's input. */
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

/* Lines, echo and signals, as Linux's terminals begin. */
void line_init(struct line *line);
/* Take these settings over, as far as there are such; what there is not stays off, what cannot be
 * switched off stays on, and termios tells so. What is in the ring can be read from then on, where
 * the change is one to or from canonical mode. */
void line_set(struct line *line, const struct linux_termios *termios);
/* A character arrived. In canonical mode there is always room for the end of a line that has been
 * begun, so that it can be read. */
void line_put(struct line *line, char c, struct line_reaction *reaction);
/* Take what a read of len > 0 bytes gets now: in canonical mode at most to the end of a line, and 0
 * at an end of file. -EAGAIN: nothing. */
MUST_CHECK long line_take(struct line *line, char *to, size_t len);
/* How many characters a reader would find, without the marks of an end of file. */
size_t line_count(const struct line *line);
/* Would a read return at once: is a line finished, or are there VMIN characters? */
bool line_readable(const struct line *line);
/* Forget what has not been read. */
void line_flush(struct line *line);

#endif
