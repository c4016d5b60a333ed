/* SPDX-License-Identifier: MIT */
/*
 * The framebuffer console: a text screen (kernel/tty/vt.h) in a linear framebuffer that the
 * firmware's GOP set up, or, where it has none, in one that the Bochs/QEMU display adapter (DISPI)
 * is told to make. Only what looks different is drawn, row by row and from left to right, so that a
 * write-combining mapping takes whole lines; the framebuffer is never read.
 *
 * It draws from the kernel's first line on, so that an early panic is seen. At first it draws
 * through the early map. That map is slow, so only rows with text are drawn; where the map does not
 * reach the framebuffer, nothing is. From fbcon_remap() on it has a mapping of its own.
 */
#include "kernel/drivers/fbcon.h"

#include "arch/x86/arch.h"
#include "base/log.h"
#include "base/string.h"
#include "boot_info.h"
#include "kernel/drivers/font.h"
#include "kernel/tty/vt.h"
#include "mm/phys/kmap.h"

#define DISPI_INDEX        0x1ce
#define DISPI_DATA         0x1cf
#define DISPI_WIDTH        1024
#define DISPI_HEIGHT       768
#define DISPI_DEFAULT_BASE 0xe0000000ull
#define PCI_DISPLAY        0x11111234u /* QEMU's and Bochs' standard VGA */
#define LARGE_WIDTH        1280        /* a screen of twice the size gets dots of twice the size */
#define LARGE_HEIGHT       720

/* The screen. Fixed once it is a console, but for the mapping. */
static struct boot_framebuffer fb;
static volatile uint32_t *pixels; /* NULL: text is remembered, not drawn */
static unsigned scale;            /* of the font's dots, in pixels; 0: there is no screen */
static uint32_t color[16];
static bool ticking; /* ticks come, so that drawing can be put off */
static bool late;    /* the screen is behind the text */
static uint64_t rest_until_ns;

/* The text. All of it is guarded by the log, which calls one console at a time. */
static struct vt vt;
/* What the screen shows: the cell, and one above, so that 0 stands for what is not known. */
static uint32_t shown[VT_ROWS_MAX][VT_COLUMNS_MAX];

/* ---- Drawing ------------------------------------------------------------ */

/* One line of pixels of the cells from first to end. */
static void line_draw(unsigned row, unsigned y, unsigned first, unsigned end)
{
    volatile uint32_t *at = pixels + ((uint64_t)row * FONT_HEIGHT * scale + y) * fb.stride
                            + (uint64_t)first * FONT_WIDTH * scale;
    for (unsigned c = first; c < end; c++) {
        cell_t cell = (cell_t)(shown[row][c] - 1);
        unsigned dots = font_glyphs[CELL_GLYPH(cell)][y / scale];
        uint32_t ink = color[CELL_INK(cell)], paper = color[CELL_PAPER(cell)];
        for (unsigned n = dots ? 0 : FONT_WIDTH * scale; n; n--)
            *at++ = paper;
        for (unsigned bit = dots ? 0x80 : 0; bit; bit >>= 1) {
            for (unsigned n = 0; n < scale; n++)
                *at++ = dots & bit ? ink : paper;
        }
    }
}

static void row_draw(unsigned row)
{
    unsigned first = vt.columns, end = 0;
    for (unsigned c = 0; c < vt.columns; c++) {
        uint32_t now = vt_cell(&vt, row, c) + 1u;
        if (shown[row][c] == now)
            continue;
        shown[row][c] = now;
        first = (unsigned)min_u64(first, c);
        end = c + 1;
    }
    for (unsigned y = 0; first < end && y < FONT_HEIGHT * scale; y++)
        line_draw(row, y, first, end);
}

/* To draw a screen that has scrolled takes long. Fast output is not drawn row by row then: for each
 * moment of drawing, two are left for who writes. Ticks see to what was put off. */
static void screen_draw(void)
{
    unsigned row, end;
    if (!pixels)
        return;
    uint64_t begin_ns = ticking ? arch_clock_ns() : 0;
    vt_changed(&vt, &row, &end);
    for (; row < end; row++)
        row_draw(row);
    late = false;
    if (ticking)
        rest_until_ns = 3 * arch_clock_ns() - 2 * begin_ns;
}

static bool may_rest(void)
{
    return late && ticking && !log_taken_over() && arch_clock_ns() < rest_until_ns;
}

static void fbcon_write(const char *from, size_t len)
{
    unsigned top = vt.top;
    vt_write(&vt, from, len);
    late = late || vt.top != top;
    if (!may_rest())
        screen_draw();
}

static void catch_up(int unused)
{
    if (late && !may_rest())
        screen_draw();
}

static void tick(void)
{
    ticking = true;
    if (__atomic_load_n(&late, __ATOMIC_RELAXED))
        console_exclusively(catch_up, 0);
}

static struct log_sink sink = { .write = fbcon_write, .tick = tick };

static void page(int pages)
{
    vt_page(&vt, pages);
    screen_draw();
}

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

/* ANSI's colours, in the shades that PCs have shown since VGA. */
static void colors_make(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(color); i++) {
        uint32_t weak = i & 8 ? 0x55 : 0, strong = i & 8 ? 0xff : 0xaa;
        uint32_t red = i & 1 ? strong : weak, blue = i & 4 ? strong : weak;
        uint32_t green = i == 3 ? 0x55 : i & 2 ? strong : weak; /* dark yellow is brown */
        color[i] = red << fb.red_shift | green << fb.green_shift | blue << fb.blue_shift;
    }
}

static uint64_t fb_bytes(void) { return (uint64_t)fb.stride * fb.height * 4; }

void fbcon_init(const struct boot_framebuffer *firmwares)
{
    fb = firmwares->base ? *firmwares : dispi_framebuffer();
    if (!fb.base || fb.width < FONT_WIDTH * 20 || fb.height < FONT_HEIGHT * 5)
        return;
    scale = (unsigned)min_u64(fb.width / LARGE_WIDTH, fb.height / LARGE_HEIGHT);
    scale += scale == 0;
    vt_init(&vt, (unsigned)min_u64(fb.height / (FONT_HEIGHT * scale), VT_ROWS_MAX),
            (unsigned)min_u64(fb.width / (FONT_WIDTH * scale), VT_COLUMNS_MAX));
    colors_make();
    if (fb.base + fb_bytes() <= arch_early_map_end())
        pixels = arch_phys_to_virt(paddr(fb.base));
    unsigned first, end;
    vt_changed(&vt, &first, &end);
    log_sink_register(&sink);
}

void fbcon_remap(void)
{
    pixels = scale ? kmap_device(paddr(fb.base), fb_bytes(), KMAP_WRITE_COMBINING) : NULL;
    if (!pixels)
        return;
    const uint32_t blank = vt_blank() + 1u;
    for (uint64_t i = 0; i < fb_bytes() / 4; i++)
        pixels[i] = 0;
    for (unsigned row = 0; row < vt.rows; row++) {
        for (unsigned c = 0; c < vt.columns; c++)
            shown[row][c] = blank;
    }
    page(0);
    log_line("screen: %ux%u, %u columns, %u rows", fb.width, fb.height, vt.columns, vt.rows);
}

bool fbcon_size(unsigned *to_rows, unsigned *to_columns)
{
    if (!scale)
        return false;
    *to_rows = vt.rows;
    *to_columns = vt.columns;
    return true;
}

void fbcon_page(int pages)
{
    if (pixels)
        console_exclusively(page, pages);
}
