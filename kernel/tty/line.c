/* SPDX-License-Identifier: MIT */
/*
 * The line discipline. The ring holds finished lines, each ended by a marked character, and behind
 * them the line that is being typed, which can still be erased. Invariants: open <= len <=
 * LINE_BYTES, and in canonical mode open < LINE_BYTES: a finished line is readable, so a full ring
 * always has something to read.
 */
#include "kernel/tty/line.h"

#include "uapi/errno.h"
#include "uapi/signal.h"

#define MARK_END 0x100 /* the last character of a line */
#define MARK_EOF 0x200 /* the end of a line without a character of its own */

#define INPUT_FLAGS   (INLCR | IGNCR | ICRNL | IUTF8)
#define OUTPUT_FLAGS  (OPOST | ONLCR) /* always on: the consoles begin a new line at its left */
#define CONTROL_FLAGS 0xbfu           /* 8 bits at 38,400 baud, as Linux's consoles say */
#define LOCAL_FLAGS   (ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHONL | NOFLSH | ECHOCTL | ECHOKE)

static bool has(const struct line *line, uint32_t local_flags)
{
    return (line->termios.c_lflag & local_flags) == local_flags;
}

static bool is(const struct line *line, unsigned c, unsigned index)
{
    return c && c == line->termios.c_cc[index];
}

/* ---- The ring ----------------------------------------------------------- */

/* Add a character. In canonical mode the last free place is kept for the end of the line. False:
 * the ring is full. */
static bool ring_put(struct line *line, unsigned c)
{
    size_t kept_back = has(line, ICANON) && c < MARK_END;
    if (line->len + kept_back >= LINE_BYTES)
        return false;
    line->ring[(line->start + line->len++) % LINE_BYTES] = (uint16_t)c;
    return true;
}

static unsigned ring_first(const struct line *line) { return line->ring[line->start]; }

static void ring_drop(struct line *line)
{
    line->start = (line->start + 1) % LINE_BYTES;
    line->len--;
}

/* Take back the newest character of the unfinished line. */
static unsigned ring_take_back(struct line *line)
{
    line->open--;
    return line->ring[(line->start + --line->len) % LINE_BYTES];
}

/* ---- Echo --------------------------------------------------------------- */

static bool is_control(unsigned c) { return c < ' ' || c == 127; }

/* Is it a later byte of a character in UTF-8? */
static bool is_continuation(const struct line *line, unsigned c)
{
    return line->termios.c_iflag & IUTF8 && (c & 0xc0) == 0x80;
}

/* A tab is echoed as one blank: where its stop would be depends on what stands before the line. */
static unsigned width(const struct line *line, unsigned c)
{
    if (is_continuation(line, c))
        return 0;
    return !is_control(c) || c == '\t' ? 1 : has(line, ECHOCTL) ? 2 : 0;
}

static void echo_add(struct line_reaction *reaction, unsigned c)
{
    reaction->echo[reaction->echo_len++] = (char)c;
}

static void echo(const struct line *line, unsigned c, struct line_reaction *reaction)
{
    if (!has(line, ECHO) && !(c == '\n' && has(line, ECHONL | ICANON)))
        return;
    if (is_control(c) && c != '\n' && c != '\t' && has(line, ECHOCTL)) {
        echo_add(reaction, '^');
        c ^= 64;
    }
    echo_add(reaction, c == '\t' ? ' ' : c);
}

/* ---- Canonical mode ----------------------------------------------------- */

/* Take back the last character with all its bytes. Returns the columns that this frees. */
static unsigned erase_one(struct line *line)
{
    unsigned c, columns = 0;
    do {
        c = ring_take_back(line);
        columns += width(line, c);
    } while (line->open && is_continuation(line, c));
    return columns;
}

static void erase(struct line *line, unsigned c, struct line_reaction *reaction)
{
    if (!line->open)
        return;
    unsigned columns = erase_one(line);
    if (!has(line, ECHOE))
        echo(line, c, reaction);
    else if (has(line, ECHO))
        reaction->erase = columns;
}

static void erase_all(struct line *line, unsigned c, struct line_reaction *reaction)
{
    unsigned columns = 0;
    while (line->open)
        columns += erase_one(line);
    if (has(line, ECHO | ECHOK | ECHOKE)) {
        reaction->erase = columns;
        return;
    }
    echo(line, c, reaction);
    if (has(line, ECHO | ECHOK))
        echo_add(reaction, '\n');
}

static void line_end(struct line *line, unsigned marked, struct line_reaction *reaction)
{
    if (!ring_put(line, marked))
        return;
    line->open = 0;
    reaction->wake = true;
}

static void canonical_put(struct line *line, unsigned c, struct line_reaction *reaction)
{
    if (is(line, c, VERASE)) {
        erase(line, c, reaction);
    } else if (is(line, c, VKILL)) {
        erase_all(line, c, reaction);
    } else if (is(line, c, VEOF)) {
        line_end(line, MARK_EOF, reaction);
    } else {
        bool ends = c == '\n' || is(line, c, VEOL);
        if (ends)
            line_end(line, MARK_END | c, reaction);
        else
            line->open += ring_put(line, c);
        echo(line, c, reaction);
    }
}

/* ---- Characters arrive -------------------------------------------------- */

static int signal_of(const struct line *line, unsigned c)
{
    if (!has(line, ISIG))
        return 0;
    return is(line, c, VINTR) ? SIGINT : is(line, c, VQUIT) ? SIGQUIT : 0;
}

static void interrupt(struct line *line, unsigned c, struct line_reaction *reaction)
{
    if (!has(line, NOFLSH))
        line_flush(line);
    echo(line, c, reaction);
    if (reaction->echo_len)
        echo_add(reaction, '\n');
}

void line_put(struct line *line, char from, struct line_reaction *reaction)
{
    unsigned c = (uint8_t)from, map = line->termios.c_iflag;
    *reaction = (struct line_reaction){ 0 };
    if (c == '\r' && map & IGNCR)
        return;
    if (c == '\r' && map & ICRNL)
        c = '\n';
    else if (c == '\n' && map & INLCR)
        c = '\r';
    reaction->signal = signal_of(line, c);
    if (reaction->signal) {
        interrupt(line, c, reaction);
    } else if (has(line, ICANON)) {
        canonical_put(line, c, reaction);
    } else {
        reaction->wake = ring_put(line, c);
        echo(line, c, reaction);
    }
}

/* ---- Reading ------------------------------------------------------------ */

long line_take(struct line *line, char *to, size_t len)
{
    bool canonical = has(line, ICANON);
    size_t done = 0;
    if (line->len == line->open)
        return -EAGAIN;
    while (line->len > line->open) {
        unsigned c = ring_first(line);
        bool end_of_file = canonical && c & MARK_EOF;
        if (done == len && !end_of_file)
            break;
        ring_drop(line);
        if (end_of_file)
            break;
        to[done++] = (char)c;
        if (canonical && c & MARK_END)
            break;
    }
    return (long)done;
}

size_t line_count(const struct line *line)
{
    size_t count = line->len - line->open;
    for (size_t i = 0; has(line, ICANON) && i < line->len - line->open; i++)
        count -= line->ring[(line->start + i) % LINE_BYTES] == MARK_EOF;
    return count;
}

bool line_readable(const struct line *line)
{
    size_t ready = line->len - line->open, min = line->termios.c_cc[VMIN];
    if (has(line, ICANON) || line->termios.c_cc[VTIME] || !min)
        min = 1;
    return ready >= min;
}

void line_flush(struct line *line) { line->start = line->len = line->open = 0; }

/* ---- Settings ----------------------------------------------------------- */

void line_set(struct line *line, const struct linux_termios *termios)
{
    uint32_t mode_before = line->termios.c_lflag & ICANON;
    line->termios = (struct linux_termios){
        .c_iflag = termios->c_iflag & INPUT_FLAGS,
        .c_oflag = OUTPUT_FLAGS,
        .c_cflag = CONTROL_FLAGS,
        .c_lflag = termios->c_lflag & LOCAL_FLAGS,
    };
    for (unsigned i = 0; i <= VEOL; i++) {
        if (i <= VMIN || i == VEOL)
            line->termios.c_cc[i] = termios->c_cc[i];
    }
    if ((line->termios.c_lflag & ICANON) != mode_before)
        line->open = 0;
}

void line_init(struct line *line)
{
    static const struct linux_termios first = {
        .c_iflag = ICRNL,
        .c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE,
        .c_cc = { [VINTR] = 3, [VQUIT] = 28, [VERASE] = 127, [VKILL] = 21, [VEOF] = 4, [VMIN] = 1 },
    };
    line_flush(line);
    line_set(line, &first);
}
