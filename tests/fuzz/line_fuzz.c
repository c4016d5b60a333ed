/* SPDX-License-Identifier: MIT */
/*
 * Proves: whatever is typed, in whatever mode, a reader gets what a plain model of termios(3) says,
 * a terminal that is full can still be read, and the screen shows the line as it is.
 *
 * Links: kernel/tty/line.c
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/tty/line.h"
#include "uapi/errno.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- The model: one list of characters, moved as a whole ----------------- */

enum kind { TEXT, END, END_OF_FILE };
static struct {
    struct linux_termios t;
    struct {
        uint8_t c;
        enum kind kind;
    } list[LINE_BYTES];
    size_t count, finished; /* in the list; of it, what can be read */
    unsigned columns;       /* of the unfinished line, as the screen shows it */
    bool faithful;          /* nothing was dropped or switched since it began */
} model;

static bool on(uint32_t flag) { return model.t.c_lflag & flag; }

static bool key(uint8_t c, int which) { return c && model.t.c_cc[which] == c; }

static void model_add(uint8_t c, enum kind kind)
{
    size_t room = on(ICANON) && kind == TEXT ? LINE_BYTES - 1 : LINE_BYTES;
    if (model.count >= room) {
        model.faithful = false;
        return;
    }
    model.list[model.count].c = c;
    model.list[model.count++].kind = kind;
    if (!on(ICANON) || kind != TEXT) {
        model.finished = model.count;
        model.columns = 0;
        model.faithful = true;
    }
}

static void model_forget(size_t count)
{
    memmove(model.list, model.list + count, (model.count - count) * sizeof(model.list[0]));
    model.count -= count;
    model.finished -= count;
}

static void model_erase(void)
{
    while (model.count > model.finished) {
        uint8_t c = model.list[--model.count].c;
        if (!(model.t.c_iflag & IUTF8) || (c & 0xc0) != 0x80)
            return;
    }
}

static void model_flush(void)
{
    model.count = model.finished = model.columns = 0;
    model.faithful = true;
}

static void model_put(uint8_t c)
{
    if (c == '\r' && model.t.c_iflag & IGNCR)
        return;
    if (c == '\r' && model.t.c_iflag & ICRNL)
        c = '\n';
    else if (c == '\n' && model.t.c_iflag & INLCR)
        c = '\r';
    if (on(ISIG) && (key(c, VINTR) || key(c, VQUIT))) {
        if (!on(NOFLSH))
            model_flush();
        else
            model.faithful = false;
    } else if (on(ICANON) && key(c, VERASE)) {
        model_erase();
    } else if (on(ICANON) && key(c, VKILL)) {
        model.count = model.finished;
    } else if (on(ICANON) && key(c, VEOF)) {
        model_add(0, END_OF_FILE);
    } else {
        model_add(c, on(ICANON) && (c == '\n' || key(c, VEOL)) ? END : TEXT);
    }
}

static long model_take(uint8_t *to, size_t len)
{
    size_t used = 0, done = 0;
    if (!model.finished)
        return -EAGAIN;
    while (used < model.finished) {
        enum kind kind = on(ICANON) ? model.list[used].kind : TEXT;
        if (kind != END_OF_FILE && done == len)
            break;
        if (kind != END_OF_FILE)
            to[done++] = model.list[used].c;
        used++;
        if (kind != TEXT)
            break;
    }
    model_forget(used);
    return (long)done;
}

static size_t model_characters(void)
{
    size_t count = 0;
    for (size_t i = 0; i < model.finished; i++)
        count += !on(ICANON) || model.list[i].kind != END_OF_FILE;
    return count;
}

static unsigned line_columns(void)
{
    unsigned columns = 0;
    for (size_t i = model.finished; i < model.count; i++) {
        uint8_t c = model.list[i].c;
        bool more = model.t.c_iflag & IUTF8 && (c & 0xc0) == 0x80;
        bool control = (c < 32 && c != '\t') || c == 127;
        columns += more ? 0 : control ? (on(ECHOCTL) ? 2 : 0) : 1;
    }
    return columns;
}

/* ---- Both side by side --------------------------------------------------- */

static struct line line;

static void type(uint8_t c)
{
    struct line_reaction reaction;
    size_t readable = model.finished;
    line_put(&line, (char)c, &reaction);
    model_put(c);
    assert(reaction.echo_len <= sizeof(reaction.echo));
    assert(reaction.wake || model.finished <= readable);
    bool typing = on(ICANON) && on(ECHO) && on(ECHOE) && on(ECHOK) && on(ECHOKE);
    if (!typing)
        model.faithful = false;
    model.columns -= reaction.erase;
    for (size_t i = 0; i < reaction.echo_len; i++) {
        bool more = model.t.c_iflag & IUTF8 && (reaction.echo[i] & 0xc0) == 0x80;
        model.columns += !more && ((uint8_t)reaction.echo[i] >= 32);
    }
    if (model.count == model.finished)
        model.columns = 0;
}

static void take(size_t len)
{
    char *saw = malloc(len);
    uint8_t *want = malloc(len);
    bool ready = line_readable(&line);
    long got = line_take(&line, saw, len);
    assert(got == model_take(want, len));
    assert(got <= 0 || !memcmp(saw, want, (size_t)got));
    assert(!ready || got >= 0);
    free(saw);
    free(want);
}

static void set(const uint8_t *from)
{
    struct linux_termios new = { .c_iflag = (from[0] & 7u) << 6 | (from[0] & 8u) << 11,
                                 .c_lflag = from[1] | (uint32_t)from[2] << 8 };
    memcpy(new.c_cc, line.termios.c_cc, sizeof(new.c_cc));
    if (from[0] & 16)
        new.c_cc[from[0] >> 5] = from[3];
    line_set(&line, &new);
    if ((line.termios.c_lflag ^ model.t.c_lflag) & ICANON)
        model.finished = model.count;
    model.t = line.termios;
    model.faithful = model.count == model.finished;
    model.columns = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    line_init(&line);
    model_flush();
    model.t = line.termios;
    for (size_t i = 0; i + 5 <= size && i < 500; i += 5) {
        const uint8_t *op = data + i;
        unsigned many = op[2] & 1 ? op[3] * 20u : 1;
        if (op[0] % 4 == 0)
            take(op[1] + 1u);
        else if (op[0] % 16 == 1)
            set(op + 1);
        else if (op[0] % 64 == 2)
            line_flush(&line), model_flush();
        else
            for (unsigned n = 0; n < many; n++)
                type(op[1]);
        assert(line.open < LINE_BYTES || !on(ICANON));
        assert(line.len < LINE_BYTES || line_readable(&line) || !on(ICANON));
        assert(line_count(&line) == model_characters());
        assert(!model.faithful || !on(ICANON) || model.columns == line_columns());
        assert(line.len - line.open == model.finished && line.len == model.count);
    }
    for (int i = 0; i < 19; i++)
        line.termios.c_cc[i] = model.t.c_cc[i] = 0; /* no key that '\n' could be */
    type('\n'); /* from any state, a line can be ended and read */
    assert(!on(ICANON) || line.termios.c_iflag & INLCR || line_readable(&line));
    return 0;
}
