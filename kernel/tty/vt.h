/* SPDX-License-Identifier: MIT */
/*
 * A text screen: from what programs write, in UTF-8 with the control sequences of TERM=linux
 * (console_codes(4)), to cells of glyph and colours. The newest rows are kept, so that the user can
 * look back. Draws nothing and locks nothing: the caller has the structure for himself.
 */
#ifndef KERNEL_VT_H
#define KERNEL_VT_H

#include "base/types.h"

#define VT_COLUMNS_MAX 240
#define VT_ROWS_MAX    100
#define VT_ROWS_KEPT   512u /* a power of two */
#define VT_PARAMETERS  16

/* A character as it is shown: glyph of the font in bits 0-8, ink in 9-12 and paper in 13-15. Ink
 * and paper count as ANSI does; 8 to 15 are the bright colours. */
typedef uint16_t cell_t;
#define CELL_GLYPH(cell) ((cell)&0x1ff)
#define CELL_INK(cell)   ((cell) >> 9 & 15)
#define CELL_PAPER(cell) ((cell) >> 13)

struct vt_pen {
    unsigned row, column; /* of the cursor; column is columns when the row is full */
    uint8_t ink, paper;
    bool bold, reverse;
};

struct vt {
    unsigned rows, columns;
    cell_t text[VT_ROWS_KEPT][VT_COLUMNS_MAX]; /* row n since the first ever: in n % VT_ROWS_KEPT */
    unsigned top;                              /* the row at the screen's top */
    unsigned back;                             /* how many rows it is scrolled back from there */
    unsigned scroll_first, scroll_end;         /* the rows of the screen that scroll */
    unsigned changed_first, changed_end;       /* the rows of the screen that may look different */
    struct vt_pen pen, saved;
    bool cursor_hidden;
    enum { VT_PLAIN, VT_ESCAPE, VT_SKIP_ONE, VT_SEQUENCE, VT_STRING } state;
    bool private; /* of the sequence: it began with '?' or the like */
    unsigned parameter[VT_PARAMETERS], count;
    uint32_t code; /* of a character whose bytes are still coming, and how many */
    unsigned missing;
};

/* An empty screen of rows and columns, each at least 1; at most VT_ROWS_MAX and VT_COLUMNS_MAX. */
void vt_init(struct vt *vt, unsigned rows, unsigned columns);
/* Write len bytes. What was scrolled back is at its end again. */
void vt_write(struct vt *vt, const char *from, size_t len);
/* What is to be seen there: text, and the cursor as a cell with its colours exchanged. */
cell_t vt_cell(const struct vt *vt, unsigned row, unsigned column);
/* What an empty screen has everywhere: black. */
cell_t vt_blank(void);
/* Scroll by half a screen, |pages| times: back (pages > 0) or forward again. */
void vt_page(struct vt *vt, int pages);
/* The rows from *first to *end, exclusive, may have changed since the last call. */
void vt_changed(struct vt *vt, unsigned *first, unsigned *end);

#endif
