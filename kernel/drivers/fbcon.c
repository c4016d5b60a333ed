/* SPDX-License-Identifier: MIT */
/*
 * The framebuffer console: text in a linear framebuffer that the firmware's GOP set up, or, where
 * it has none, in one that the Bochs/QEMU display adapter (DISPI) is told to make. The newest rows
 * are kept in memory, so that the user can scroll back through them. Only the cells that change are
 * drawn.
 *
 * It draws from the kernel's first line on, so that an early panic is seen. At first it draws
 * through the early map. That map is slow, so only the rows in use are cleared; where the map does
 * not reach the framebuffer, nothing is drawn. From fbcon_remap() on it has a mapping of its own.
 */
#include "kernel/drivers/fbcon.h"

#include "arch/x86/arch.h"
#include "base/log.h"
#include "base/string.h"
#include "boot_info.h"
#include "kernel/drivers/font.h"
#include "mm/phys/kmap.h"

#define DISPI_INDEX        0x1ce
#define DISPI_DATA         0x1cf
#define DISPI_WIDTH        1024
#define DISPI_HEIGHT       768
#define DISPI_DEFAULT_BASE 0xe0000000ull
#define PCI_DISPLAY        0x11111234u /* QEMU's and Bochs' standard VGA */
#define CELL_WIDTH         8
#define CELL_HEIGHT        16
#define COLUMNS_MAX        240
#define ROWS_MAX           100
#define ROWS_KEPT          512u  /* a power of two */
#define TEXT_COLOR         0xd0u /* each channel */

/* The screen. Fixed once it is a console, but for the mapping. */
static struct boot_framebuffer fb;
static volatile uint32_t *pixels; /* NULL: text is remembered, not drawn */
static bool early;                /* pixels lies in the early map */
static unsigned columns, rows;    /* 0: there is no screen */
static uint32_t ink;

/* The text. All of it is guarded by the log, which calls one console at a time. */
static char text[ROWS_KEPT][COLUMNS_MAX]; /* row n, counted from the first ever, in n % ROWS_KEPT */
static char shown[ROWS_MAX][COLUMNS_MAX]; /* what is on the screen */
static unsigned row, column;              /* where the next character goes */
static unsigned top;                      /* the row at the screen's top, unless scrolled back */
static unsigned back;                     /* how many rows the screen is scrolled back */
static enum { PLAIN, ESCAPE, SEQUENCE } state; /* of the parser of what programs write */

/* ---- Drawing ------------------------------------------------------------ */

/* Glyphs have FONT_ROWS rows of 5 dots, drawn one dot wide and two high, in a cell of 8 by 16. */
static void cell_draw(unsigned r, unsigned c, char character)
{
    unsigned index = (uint8_t)character - FONT_FIRST;
    const uint8_t *glyph = font[index < FONT_GLYPHS ? index : '?' - FONT_FIRST];
    volatile uint32_t *at = pixels + (uint64_t)r * CELL_HEIGHT * fb.stride
                            + (uint64_t)c * CELL_WIDTH;
    for (unsigned y = 0; y < CELL_HEIGHT; y++, at += fb.stride) {
        unsigned line = y == 0 || y > 2 * FONT_ROWS ? 0 : glyph[(y - 1) / 2];
        for (unsigned x = 0; x < CELL_WIDTH; x++)
            at[x] = x >= 1 && x <= 5 && line >> (5 - x) & 1 ? ink : 0;
    }
}

static void cell_show(unsigned r, unsigned c, char character)
{
    if (shown[r][c] == character)
        return;
    shown[r][c] = character;
    if (pixels)
        cell_draw(r, c, character);
}

/* Make count lines of pixels black. */
static void lines_clear(unsigned first, unsigned count)
{
    volatile uint32_t *at = pixels + (uint64_t)first * fb.stride;
    for (uint64_t left = pixels ? (uint64_t)count * fb.stride : 0; left; left--)
        *at++ = 0;
}

static void screen_show(void)
{
    unsigned first = top - back;
    for (unsigned r = 0; r < rows; r++) {
        for (unsigned c = 0; c < columns; c++)
            cell_show(r, c, first + r <= row ? text[(first + r) % ROWS_KEPT][c] : ' ');
    }
}

/* ---- Text --------------------------------------------------------------- */

/* Scrolls half a screen at a time, because drawing is slow. */
static void line_next(void)
{
    column = 0;
    row++;
    memset(text[row % ROWS_KEPT], ' ', COLUMNS_MAX);
    if (row - top == rows) {
        top += rows / 2;
        screen_show();
    }
    if (early)
        lines_clear((row - top) * CELL_HEIGHT, CELL_HEIGHT);
}

static void character_put(char c)
{
    if (column == columns)
        line_next();
    text[row % ROWS_KEPT][column] = c;
    cell_show(row - top, column++, c);
}

static void control_put(char c)
{
    if (c == '\n')
        line_next();
    else if (c == '\b')
        column -= column > 0;
    else if (c == '\r')
        column = 0;
    else if (c == '\t')
        column = (unsigned)min_u64((column | 7) + 1, columns);
    else if (c == '\033')
        state = ESCAPE;
}

/* Escape sequences are skipped: ESC and a character, or ESC [ and everything up to a letter. A
 * character in UTF-8 is shown by its first byte. */
static void put(char c)
{
    bool begins_sequence = state == ESCAPE && c == '[', continues = (c & 0xc0) == 0x80;
    if (state == PLAIN && (uint8_t)c < ' ')
        control_put(c);
    else if (state == PLAIN && !continues)
        character_put(c);
    else if (begins_sequence)
        state = SEQUENCE;
    else if (state == ESCAPE || (uint8_t)c >= '@')
        state = PLAIN;
}

static void page(int pages)
{
    unsigned oldest = row < ROWS_KEPT ? 0 : row + 1 - ROWS_KEPT, before = back;
    int64_t wanted = (int64_t)back + (int64_t)pages * (rows / 2);
    back = wanted < 0 ? 0 : (unsigned)min_u64((uint64_t)wanted, top - oldest);
    if (back != before)
        screen_show();
}

static void fbcon_write(const char *from, size_t len)
{
    if (back)
        page(-(int)ROWS_KEPT);
    for (size_t i = 0; i < len; i++)
        put(from[i]);
}

static struct log_sink sink = { fbcon_write, NULL };

/* ---- Finding a framebuffer ---------------------------------------------- */

static uint16_t dispi_read(uint16_t index)
{
    arch_outw(DISPI_INDEX, index);
    return arch_inw(DISPI_DATA);
}

static void dispi_write(uint16_t index, uint16_t value)
{
    arch_outw(DISPI_INDEX, index);
    arch_outw(DISPI_DATA, value);
}

/* The address of the adapter's linear framebuffer: BAR 0, if the adapter is a PCI function. */
static uint64_t dispi_base(void)
{
    for (unsigned device = 0; device < 32; device++) {
        arch_outl(0xcf8, 0x80000000u | device << 11);
        if (arch_inl(0xcfc) == PCI_DISPLAY) {
            arch_outl(0xcf8, 0x80000000u | device << 11 | 0x10);
            return arch_inl(0xcfc) & ~15ull;
        }
    }
    return DISPI_DEFAULT_BASE;
}

/* A mode of 32 bits per pixel on the emulators' display adapter; base 0 when there is none. */
static struct boot_framebuffer dispi_framebuffer(void)
{
    if (!arch_on_emulator() || (dispi_read(0) & 0xfff0) != 0xb0c0)
        return (struct boot_framebuffer){ 0 };
    static const uint16_t mode[][2] = {
        { 4, 0 }, { 1, DISPI_WIDTH }, { 2, DISPI_HEIGHT }, { 3, 32 }, { 6, DISPI_WIDTH },
        { 8, 0 }, { 9, 0 },           { 4, 0x41 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(mode); i++)
        dispi_write(mode[i][0], mode[i][1]);
    (void)arch_inb(0x3da);
    arch_outb(0x3c0, 0x20); /* screen on */
    return (struct boot_framebuffer){
        .base = dispi_base(),
        .bytes = (uint64_t)DISPI_WIDTH * DISPI_HEIGHT * 4,
        .width = DISPI_WIDTH,
        .height = DISPI_HEIGHT,
        .stride = DISPI_WIDTH,
        .red_shift = 16,
        .green_shift = 8,
        .blue_shift = 0,
    };
}

static uint64_t fb_bytes(void) { return (uint64_t)fb.stride * fb.height * 4; }

void fbcon_init(const struct boot_framebuffer *firmwares)
{
    fb = firmwares->base ? *firmwares : dispi_framebuffer();
    if (!fb.base || fb.width < CELL_WIDTH * 20 || fb.height < CELL_HEIGHT * 5)
        return;
    columns = (unsigned)min_u64(fb.width / CELL_WIDTH, COLUMNS_MAX);
    rows = (unsigned)min_u64(fb.height / CELL_HEIGHT, ROWS_MAX);
    ink = TEXT_COLOR << fb.red_shift | TEXT_COLOR << fb.green_shift | TEXT_COLOR << fb.blue_shift;
    early = fb.base + fb_bytes() <= arch_early_map_end();
    pixels = early ? arch_phys_to_virt(paddr(fb.base)) : NULL;
    memset(text, ' ', sizeof(text));
    memset(shown, ' ', sizeof(shown));
    lines_clear(0, CELL_HEIGHT);
    log_sink_register(&sink);
}

void fbcon_remap(void)
{
    early = false;
    pixels = columns ? kmap_device(paddr(fb.base), fb_bytes(), KMAP_WRITE_COMBINING) : NULL;
    if (!pixels)
        return;
    lines_clear(0, fb.height);
    memset(shown, ' ', sizeof(shown));
    screen_show();
    log_line("screen: %ux%u, %u columns, %u rows", fb.width, fb.height, columns, rows);
}

bool fbcon_size(unsigned *to_rows, unsigned *to_columns)
{
    if (!columns)
        return false;
    *to_rows = rows;
    *to_columns = columns;
    return true;
}

void fbcon_page(int pages)
{
    if (pixels)
        console_exclusively(page, pages);
}
