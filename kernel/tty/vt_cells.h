/* SPDX-License-Identifier: MIT */
/* The parts of a text screen's work that control sequences are made of. Rows and columns count from
 * the screen's top left, from 0. Private to kernel/tty/vt*.c. */
#ifndef KERNEL_VT_CELLS_H
#define KERNEL_VT_CELLS_H

#include "kernel/tty/vt.h"

#define VT_INK         7      /* light grey, on black */
#define VT_BRIGHT      8      /* added to a colour */
#define VT_REPLACEMENT 0xfffd /* the character that stands for what cannot be shown */

/* The rows from first to end, exclusive, are to be drawn again. */
void vt_touch(struct vt *vt, unsigned first, unsigned end);
cell_t *vt_row_at(struct vt *vt, unsigned row);
/* Erased cells get the paper of the pen. end is exclusive, and may lie beyond the row's end. */
void vt_cells_erase(struct vt *vt, unsigned row, unsigned first, unsigned end);
void vt_rows_erase(struct vt *vt, unsigned first, unsigned end);
/* Move the rows from first to end by count; what comes in is empty. */
void vt_rows_up(struct vt *vt, unsigned first, unsigned end, unsigned count);
void vt_rows_down(struct vt *vt, unsigned first, unsigned end, unsigned count);
/* The cursor's column; behind a full row, the last. */
unsigned vt_column_at(const struct vt *vt);
/* Move the cursor; it stays on the screen. */
void vt_cursor_set(struct vt *vt, unsigned row, unsigned column);
void vt_cursor_move(struct vt *vt, int64_t rows, int64_t columns);
/* Down or up by one; at the end of the rows that scroll, they do. */
void vt_line_feed(struct vt *vt);
void vt_reverse_line_feed(struct vt *vt);
/* Put a character, by its Unicode number; a full row wraps before. */
void vt_character_put(struct vt *vt, uint32_t code);

#endif
