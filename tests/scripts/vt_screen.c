/* SPDX-License-Identifier: MIT */
/* ROWS COLUMNS: write standard input to a text screen, and print what is to be seen: a line for the
 * cursor, then one for each cell, of glyph, ink and paper. For vt_test.py. */
#include <stdio.h>
#include <stdlib.h>

#include "kernel/tty/vt.h"

int main(int argc, char **argv)
{
    static struct vt vt;
    if (argc != 3)
        return 2;
    vt_init(&vt, (unsigned)atoi(argv[1]), (unsigned)atoi(argv[2]));
    char part[7];
    for (size_t len; (len = fread(part, 1, sizeof(part), stdin)) > 0;)
        vt_write(&vt, part, len);
    printf("%u %u %d\n", vt.pen.row, vt.pen.column, !vt.cursor_hidden);
    vt.cursor_hidden = true;
    for (unsigned row = 0; row < vt.rows; row++) {
        for (unsigned column = 0; column < vt.columns; column++) {
            cell_t cell = vt_cell(&vt, row, column);
            printf("%u %u %u\n", CELL_GLYPH(cell), CELL_INK(cell), CELL_PAPER(cell));
        }
    }
    return 0;
}
