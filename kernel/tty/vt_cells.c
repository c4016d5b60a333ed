/* SPDX-License-Identifier: MIT */
/* What a text screen holds, and how its rows, cells and cursor move: vt_cells.h. */
#include "kernel/tty/vt_cells.h"

#include "base/string.h"
#include "kernel/drivers/font.h"

/* ---- Cells -------------------------------------------------------------- */

static cell_t cell_make(unsigned glyph, unsigned ink, unsigned paper)
{
    return (cell_t)(glyph | ink << 9 | paper << 13);
}

/* The glyph of a character; that of the replacement character when the font has none. */
static unsigned glyph_of(uint32_t code)
{
    size_t low = 0, high = font_code_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (font_codes[middle].code < code)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < font_code_count && font_codes[low].code == code)
        return font_codes[low].glyph;
    return code == VT_REPLACEMENT ? 0 : glyph_of(VT_REPLACEMENT);
}

unsigned vt_column_at(const struct vt *vt)
{
    return (unsigned)min_u64(vt->pen.column, vt->columns - 1);
}

static cell_t cell_of(const struct vt *vt, uint32_t code)
{
    unsigned ink = vt->pen.ink | (vt->pen.bold ? VT_BRIGHT : 0), paper = vt->pen.paper;
    return vt->pen.reverse ? cell_make(glyph_of(code), paper, ink & 7)
                           : cell_make(glyph_of(code), ink, paper);
}

cell_t *vt_row_at(struct vt *vt, unsigned row) { return vt->text[(vt->top + row) % VT_ROWS_KEPT]; }

void vt_touch(struct vt *vt, unsigned first, unsigned end)
{
    vt->changed_first = (unsigned)min_u64(vt->changed_first, first);
    vt->changed_end = end > vt->changed_end ? end : vt->changed_end;
}

/* Cells that are erased get the paper of the pen, and its ink. */
void vt_cells_erase(struct vt *vt, unsigned row, unsigned first, unsigned end)
{
    cell_t *cells = vt_row_at(vt, row),
           blank = cell_make(glyph_of(' '), vt->pen.ink, vt->pen.paper);
    for (unsigned c = first; c < end && c < vt->columns; c++)
        cells[c] = blank;
    vt_touch(vt, row, row + 1);
}

void vt_rows_erase(struct vt *vt, unsigned first, unsigned end)
{
    for (unsigned row = first; row < end; row++)
        vt_cells_erase(vt, row, 0, vt->columns);
}

/* ---- Moving rows -------------------------------------------------------- */

/* The rows from first to end move up by count; empty ones follow. */
void vt_rows_up(struct vt *vt, unsigned first, unsigned end, unsigned count)
{
    count = (unsigned)min_u64(count, end - first);
    for (unsigned row = first; row + count < end; row++)
        memcpy(vt_row_at(vt, row), vt_row_at(vt, row + count), sizeof(vt->text[0]));
    vt_rows_erase(vt, end - count, end);
    vt_touch(vt, first, end);
}

void vt_rows_down(struct vt *vt, unsigned first, unsigned end, unsigned count)
{
    count = (unsigned)min_u64(count, end - first);
    for (unsigned row = end; row > first + count; row--)
        memcpy(vt_row_at(vt, row - 1), vt_row_at(vt, row - 1 - count), sizeof(vt->text[0]));
    vt_rows_erase(vt, first, first + count);
    vt_touch(vt, first, end);
}

/* One row up; what leaves a whole screen is kept. */
static void scroll(struct vt *vt)
{
    if (vt->scroll_first || vt->scroll_end < vt->rows) {
        vt_rows_up(vt, vt->scroll_first, vt->scroll_end, 1);
        return;
    }
    vt->top++;
    vt_cells_erase(vt, vt->rows - 1, 0, vt->columns);
    vt_touch(vt, 0, vt->rows);
}

/* ---- The cursor --------------------------------------------------------- */

void vt_cursor_set(struct vt *vt, unsigned row, unsigned column)
{
    vt_touch(vt, vt->pen.row, vt->pen.row + 1);
    vt->pen.row = (unsigned)min_u64(row, vt->rows - 1);
    vt->pen.column = (unsigned)min_u64(column, vt->columns - 1);
    vt_touch(vt, vt->pen.row, vt->pen.row + 1);
}

void vt_cursor_move(struct vt *vt, int64_t rows, int64_t columns)
{
    int64_t row = vt->pen.row + rows, column = vt_column_at(vt) + columns;
    vt_cursor_set(vt, row < 0 ? 0 : (unsigned)row, column < 0 ? 0 : (unsigned)column);
}

void vt_line_feed(struct vt *vt)
{
    if (vt->pen.row + 1 == vt->scroll_end)
        scroll(vt);
    else
        vt_cursor_set(vt, vt->pen.row + 1, vt->pen.column);
}

void vt_reverse_line_feed(struct vt *vt)
{
    if (vt->pen.row == vt->scroll_first)
        vt_rows_down(vt, vt->scroll_first, vt->scroll_end, 1);
    else if (vt->pen.row)
        vt_cursor_set(vt, vt->pen.row - 1, vt->pen.column);
}

void vt_character_put(struct vt *vt, uint32_t code)
{
    if (vt->pen.column >= vt->columns) {
        vt->pen.column = 0;
        vt_line_feed(vt);
    }
    vt_row_at(vt, vt->pen.row)[vt->pen.column++] = cell_of(vt, code);
    vt_touch(vt, vt->pen.row, vt->pen.row + 1);
}

/* ---- Looking ------------------------------------------------------------ */

cell_t vt_blank(void) { return cell_make(glyph_of(' '), VT_INK, 0); }

cell_t vt_cell(const struct vt *vt, unsigned row, unsigned column)
{
    cell_t cell = vt->text[(vt->top - vt->back + row) % VT_ROWS_KEPT][column];
    unsigned at = vt_column_at(vt);
    if (vt->cursor_hidden || vt->back || row != vt->pen.row || column != at)
        return cell;
    return cell_make(CELL_GLYPH(cell), CELL_PAPER(cell), CELL_INK(cell) & 7);
}

void vt_page(struct vt *vt, int pages)
{
    unsigned oldest = vt->top + vt->rows <= VT_ROWS_KEPT ? 0 : vt->top + vt->rows - VT_ROWS_KEPT;
    int64_t wanted = (int64_t)vt->back + (int64_t)pages * (vt->rows / 2);
    vt->back = wanted < 0 ? 0 : (unsigned)min_u64((uint64_t)wanted, vt->top - oldest);
    vt_touch(vt, 0, vt->rows);
}

void vt_changed(struct vt *vt, unsigned *first, unsigned *end)
{
    *first = vt->changed_first;
    *end = vt->changed_end;
    vt->changed_first = vt->rows;
    vt->changed_end = 0;
}
