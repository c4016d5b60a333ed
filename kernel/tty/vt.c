/* SPDX-License-Identifier: MIT */
/* The text screen's control sequences: vt.h. Those that it does not know are skipped whole. */
#include "kernel/tty/vt.h"

#include "base/string.h"
#include "kernel/tty/vt_cells.h"

#define TAB 8

/* ---- Sequences ---------------------------------------------------------- */

static void pen_reset(struct vt *vt)
{
    vt->pen.ink = VT_INK;
    vt->pen.paper = 0;
    vt->pen.bold = vt->pen.reverse = false;
}

static void pen_restore(struct vt *vt)
{
    unsigned row = vt->pen.row;
    vt->pen = vt->saved;
    vt_touch(vt, row, row + 1);
    vt_touch(vt, vt->pen.row, vt->pen.row + 1);
}

/* The colour that follows 38 or 48 in the parameters at i: skipped, and its length returned. */
static unsigned color_skip(const struct vt *vt, unsigned i)
{
    return i + 1 < vt->count && vt->parameter[i + 1] == 5   ? 2
           : i + 1 < vt->count && vt->parameter[i + 1] == 2 ? 4
                                                            : 0;
}

static void select_graphics(struct vt *vt)
{
    for (unsigned i = 0; i < vt->count; i++) {
        unsigned p = vt->parameter[i];
        if (p == 0)
            pen_reset(vt);
        else if (p == 1 || p == 21 || p == 22)
            vt->pen.bold = p == 1;
        else if (p == 7 || p == 27)
            vt->pen.reverse = p == 7;
        else if (p >= 30 && p <= 37)
            vt->pen.ink = (uint8_t)(p - 30);
        else if (p >= 90 && p <= 97)
            vt->pen.ink = (uint8_t)(p - 90 + VT_BRIGHT);
        else if ((p >= 40 && p <= 47) || (p >= 100 && p <= 107))
            vt->pen.paper = (uint8_t)(p % 10);
        else if (p == 39)
            vt->pen.ink = VT_INK;
        else if (p == 49)
            vt->pen.paper = 0;
        else if (p == 38 || p == 48)
            i += color_skip(vt, i);
    }
}

/* which: 0 from the cursor on, 1 up to and with it, 2 all */
static void erase_row(struct vt *vt, unsigned which)
{
    unsigned at = vt_column_at(vt);
    vt_cells_erase(vt, vt->pen.row, which == 0 ? at : 0, which == 1 ? at + 1 : vt->columns);
}

static void erase_screen(struct vt *vt, unsigned which)
{
    if (which < 2)
        erase_row(vt, which);
    if (which != 1)
        vt_rows_erase(vt, which ? 0 : vt->pen.row + 1, vt->rows);
    else
        vt_rows_erase(vt, 0, vt->pen.row);
}

static void cells_insert(struct vt *vt, unsigned count)
{
    cell_t *cells = vt_row_at(vt, vt->pen.row);
    unsigned at = vt_column_at(vt);
    count = (unsigned)min_u64(count, vt->columns - at);
    memmove(cells + at + count, cells + at, (vt->columns - at - count) * sizeof(*cells));
    vt_cells_erase(vt, vt->pen.row, at, at + count);
}

static void cells_delete(struct vt *vt, unsigned count)
{
    cell_t *cells = vt_row_at(vt, vt->pen.row);
    unsigned at = vt_column_at(vt);
    count = (unsigned)min_u64(count, vt->columns - at);
    memmove(cells + at, cells + at + count, (vt->columns - at - count) * sizeof(*cells));
    vt_cells_erase(vt, vt->pen.row, vt->columns - count, vt->columns);
}

static void scroll_region(struct vt *vt, unsigned first, unsigned last)
{
    last = last && last < vt->rows ? last : vt->rows;
    if (first >= last)
        return;
    vt->scroll_first = first - 1;
    vt->scroll_end = last;
    vt_cursor_set(vt, 0, 0);
}

static void rows_insert_or_delete(struct vt *vt, unsigned count, bool insert)
{
    if (vt->pen.row < vt->scroll_first || vt->pen.row >= vt->scroll_end)
        return;
    (insert ? vt_rows_down : vt_rows_up)(vt, vt->pen.row, vt->scroll_end, count);
    vt->pen.column = vt_column_at(vt);
}

static void mode_set(struct vt *vt, bool on)
{
    for (unsigned i = 0; vt->private && i < vt->count; i++) {
        if (vt->parameter[i] == 25) {
            vt->cursor_hidden = !on;
            vt_touch(vt, vt->pen.row, vt->pen.row + 1);
        }
    }
}

static void sequence_end(struct vt *vt, char final)
{
    unsigned first = vt->parameter[0], n = first ? first : 1, second = vt->parameter[1];
    if (vt->private && final != 'h' && final != 'l')
        return;
    switch (final) {
    case '@': cells_insert(vt, n); break;
    case 'A': vt_cursor_move(vt, -(int64_t)n, 0); break;
    case 'B':
    case 'e': vt_cursor_move(vt, n, 0); break;
    case 'C':
    case 'a': vt_cursor_move(vt, 0, n); break;
    case 'D': vt_cursor_move(vt, 0, -(int64_t)n); break;
    case 'E':
    case 'F':
        vt->pen.column = 0;
        vt_cursor_move(vt, final == 'E' ? n : -(int64_t)n, 0);
        break;
    case 'G':
    case '`': vt_cursor_set(vt, vt->pen.row, n - 1); break;
    case 'd': vt_cursor_set(vt, n - 1, vt->pen.column); break;
    case 'H':
    case 'f': vt_cursor_set(vt, n - 1, second ? second - 1 : 0); break;
    case 'J': erase_screen(vt, first); break;
    case 'K': erase_row(vt, first); break;
    case 'L':
    case 'M': rows_insert_or_delete(vt, n, final == 'L'); break;
    case 'P': cells_delete(vt, n); break;
    case 'X': vt_cells_erase(vt, vt->pen.row, vt_column_at(vt), vt_column_at(vt) + n); break;
    case 'h':
    case 'l': mode_set(vt, final == 'h'); break;
    case 'm': select_graphics(vt); break;
    case 'r': scroll_region(vt, n, second); break;
    case 's': vt->saved = vt->pen; break;
    case 'u': pen_restore(vt); break;
    }
}

/* ---- Bytes -------------------------------------------------------------- */

static void reset(struct vt *vt)
{
    vt->scroll_first = 0;
    vt->scroll_end = vt->rows;
    vt->cursor_hidden = false;
    pen_reset(vt);
    vt_rows_erase(vt, 0, vt->rows);
    vt_cursor_set(vt, 0, 0);
    vt->saved = vt->pen;
}

static void escape_put(struct vt *vt, char c)
{
    vt->state = c == '['                 ? VT_SEQUENCE
                : c == ']' || c == 'P'   ? VT_STRING
                : strchr("()#%", c) && c ? VT_SKIP_ONE
                                         : VT_PLAIN;
    vt->count = 1;
    vt->private = false;
    memset(vt->parameter, 0, sizeof(vt->parameter));
    switch (c) {
    case '7': vt->saved = vt->pen; break;
    case '8': pen_restore(vt); break;
    case 'D': vt_line_feed(vt); break;
    case 'E':
        vt->pen.column = 0;
        vt_line_feed(vt);
        break;
    case 'M': vt_reverse_line_feed(vt); break;
    case 'c': reset(vt); break;
    }
}

static void sequence_put(struct vt *vt, char c)
{
    unsigned *parameter = &vt->parameter[vt->count - 1];
    if (c >= '0' && c <= '9') {
        *parameter = (unsigned)min_u64(*parameter * 10ull + (unsigned)(c - '0'), 9999);
    } else if (c == ';' || c == ':') {
        vt->count += vt->count < VT_PARAMETERS;
    } else if (c >= '<' && c <= '?') {
        vt->private = true;
    } else if (c >= '@') {
        vt->state = VT_PLAIN;
        sequence_end(vt, c);
    }
}

/* True: c was a control character. It works in the midst of a sequence as well. */
static bool control_put(struct vt *vt, char c)
{
    bool control = (uint8_t)c < ' ' || c == 0x7f;
    if (control)
        vt->missing = 0; /* a character that is cut off */
    switch (c) {
    case '\b': vt_cursor_move(vt, 0, -1); break;
    case '\t': vt_cursor_set(vt, vt->pen.row, (vt->pen.column | (TAB - 1)) + 1); break;
    case '\n': /* the line discipline's ONLCR is always on */
    case '\v':
    case '\f':
        vt->pen.column = 0;
        vt_line_feed(vt);
        break;
    case '\r': vt_cursor_set(vt, vt->pen.row, 0); break;
    case '\030':
    case '\032': vt->state = VT_PLAIN; break;
    case '\033': vt->state = VT_ESCAPE; break;
    default: break;
    }
    return control;
}

/* UTF-8: a character is put when its last byte comes. One that is cut off, too long or begins with
 * a byte that begins none is put as the replacement character. */
static void text_put(struct vt *vt, uint8_t c)
{
    if ((c & 0xc0) == 0x80 && vt->missing) {
        vt->code = vt->code << 6 | (c & 0x3f);
        if (--vt->missing == 0)
            vt_character_put(vt, vt->code);
        return;
    }
    if (vt->missing)
        vt_character_put(vt, VT_REPLACEMENT);
    vt->missing = c >= 0xf0 && c < 0xf8 ? 3 : c >= 0xe0 && c < 0xf0 ? 2 : c >= 0xc2 && c < 0xe0;
    vt->code = c & (0x3fu >> vt->missing);
    if (c < 0x80)
        vt_character_put(vt, c);
    else if (!vt->missing)
        vt_character_put(vt, VT_REPLACEMENT);
}

static void put(struct vt *vt, char c)
{
    if (vt->state == VT_STRING) {
        if (c == '\a' || c == '\030' || c == '\032')
            vt->state = VT_PLAIN;
        else if (c == '\033')
            vt->state = VT_ESCAPE; /* its backslash ends the string */
        return;
    }
    if (control_put(vt, c))
        return;
    switch (vt->state) {
    case VT_ESCAPE: escape_put(vt, c); break;
    case VT_SEQUENCE: sequence_put(vt, c); break;
    case VT_SKIP_ONE: vt->state = VT_PLAIN; break;
    default: text_put(vt, (uint8_t)c); break;
    }
}

void vt_init(struct vt *vt, unsigned rows, unsigned columns)
{
    memset(vt, 0, sizeof(*vt));
    vt->rows = rows;
    vt->columns = columns;
    reset(vt);
}

void vt_write(struct vt *vt, const char *from, size_t len)
{
    if (vt->back)
        vt_page(vt, -(int)VT_ROWS_KEPT);
    for (size_t i = 0; i < len; i++)
        put(vt, from[i]);
}
