/* SPDX-License-Identifier: MIT */
/*
 * Proves: whatever a program writes, the text screen stays within its memory, its cursor on the
 * screen, and every row that looks different is named by vt_changed().
 *
 * Links: kernel/tty/vt.c kernel/tty/vt_cells.c build/font.c
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "kernel/tty/vt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct vt vt;
static cell_t seen[VT_ROWS_MAX][VT_COLUMNS_MAX];

/* Take over the rows that may look different; then all must be as they are. */
static void look(void)
{
    unsigned first, end;
    vt_changed(&vt, &first, &end);
    assert(end <= vt.rows);
    for (unsigned row = first; row < end; row++) {
        for (unsigned column = 0; column < vt.columns; column++)
            seen[row][column] = vt_cell(&vt, row, column);
    }
    for (unsigned row = 0; row < vt.rows; row++) {
        for (unsigned column = 0; column < vt.columns; column++)
            assert(seen[row][column] == vt_cell(&vt, row, column));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    vt_init(&vt, data[0] % VT_ROWS_MAX + 1, data[1] % VT_COLUMNS_MAX + 1);
    for (size_t at = 2, part; at < size; at += part) {
        part = data[at] % 16 + 1u;
        part = part < size - at ? part : size - at;
        vt_write(&vt, (const char *)data + at, part);
        if (data[at] & 0x80)
            vt_page(&vt, (int8_t)data[at]);
        assert(vt.pen.row < vt.rows && vt.pen.column <= vt.columns);
        assert(vt.scroll_first < vt.scroll_end && vt.scroll_end <= vt.rows);
        look();
    }
    return 0;
}
