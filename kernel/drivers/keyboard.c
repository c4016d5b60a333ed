/* SPDX-License-Identifier: MIT */
/* A PS/2 keyboard behind an i8042: scancode set 1, a US layout. Absent on many machines; every
 * wait is bounded. */
#include "kernel/drivers/keyboard.h"

#include "arch/x86/arch.h"
#include "base/log.h"
#include "kernel/drivers/fbcon.h"
#include "kernel/tty/console.h"

#define DATA                 0x60
#define STATUS               0x64
#define STATUS_OUT           0x01
#define STATUS_IN            0x02
#define STATUS_AUX           0x20 /* the byte is the mouse's */
#define COMMAND_READ_CONFIG  0x20
#define COMMAND_WRITE_CONFIG 0x60
#define CONFIG_IRQ1          0x01
#define CONFIG_CLOCK_OFF     0x10
#define CONFIG_TRANSLATE     0x40
#define KEYBOARD_ENABLE      0xf4 /* a command to the keyboard itself */
#define KEYBOARD_ACK         0xfa
#define KEYBOARD_LINE        1
#define WAIT_NS              50000000u /* the controller answers at once, a keyboard within 20 ms */
#define EXTENDED             0xe0
#define RELEASED             0x80
#define KEY_CTRL             0x1d
#define KEY_SHIFT_LEFT       0x2a
#define KEY_SHIFT_RIGHT      0x36
#define KEY_CAPS             0x3a
#define KEY_PAGE_UP          0x49
#define KEY_PAGE_DOWN        0x51

static const char plain[] =
    "\0\0331234567890-=\177\tqwertyuiop[]\r\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
static const char shifted[] =
    "\0\033!@#$%^&*()_+\177\tQWERTYUIOP{}\r\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";

/* Changed by the interrupt handler only, which runs on one CPU. */
static bool shift, control, caps;
static bool extended; /* the last byte was EXTENDED */

/* ---- Keys --------------------------------------------------------------- */

static char key_char(uint8_t key)
{
    if (key >= sizeof(plain) - 1)
        return 0;
    char c = shift ? shifted[key] : plain[key];
    bool letter = (c | 32) >= 'a' && (c | 32) <= 'z';
    if (control && (letter || c == '\\'))
        return (char)(c & 31);
    return letter && caps ? (char)(c ^ 32) : c;
}

/* Keyboards send shift codes, marked as extended, around the keys of the middle block although
 * nobody pressed Shift. */
static bool modifier(uint8_t key, bool down, bool in_middle)
{
    if (key == KEY_SHIFT_LEFT || key == KEY_SHIFT_RIGHT)
        shift = in_middle ? shift : down;
    else if (key == KEY_CTRL)
        control = down;
    else if (key == KEY_CAPS)
        caps ^= down;
    else
        return false;
    return true;
}

static void key_down(uint8_t key)
{
    char c = key_char(key);
    if (key == KEY_PAGE_UP || key == KEY_PAGE_DOWN)
        fbcon_page(key == KEY_PAGE_UP ? 1 : -1);
    else if (c)
        console_input(c);
}

static void keyboard_interrupt(void)
{
    uint8_t status = arch_inb(STATUS);
    if (!(status & STATUS_OUT))
        return;
    uint8_t code = arch_inb(DATA);
    if (status & STATUS_AUX)
        return;
    bool was_extended = extended, down = !(code & RELEASED);
    extended = code == EXTENDED;
    uint8_t key = code & (uint8_t)~RELEASED;
    if (!extended && !modifier(key, down, was_extended) && down)
        key_down(key);
}

/* ---- Start-up ----------------------------------------------------------- */

static bool wait_for(uint8_t mask, uint8_t value)
{
    for (uint64_t end = arch_clock_ns() + WAIT_NS; arch_clock_ns() < end; arch_pause()) {
        if ((arch_inb(STATUS) & mask) == value)
            return true;
    }
    return false;
}

static bool send(uint16_t port, uint8_t byte)
{
    if (!wait_for(STATUS_IN, 0))
        return false;
    arch_outb(port, byte);
    return true;
}

static bool controller_start(void)
{
    if (arch_inb(STATUS) == 0xff)
        return false;
    for (unsigned i = 0; i < 32 && arch_inb(STATUS) & STATUS_OUT; i++)
        (void)arch_inb(DATA);
    if (!send(STATUS, COMMAND_READ_CONFIG) || !wait_for(STATUS_OUT, STATUS_OUT))
        return false;
    uint8_t config = (arch_inb(DATA) | CONFIG_IRQ1 | CONFIG_TRANSLATE) & (uint8_t)~CONFIG_CLOCK_OFF;
    return send(STATUS, COMMAND_WRITE_CONFIG) && send(DATA, config);
}

/* Does a keyboard acknowledge the command? Keys pressed meanwhile are lost. */
static bool keyboard_answers(void)
{
    if (!send(DATA, KEYBOARD_ENABLE))
        return false;
    for (unsigned i = 0; i < 32 && wait_for(STATUS_OUT, STATUS_OUT); i++) {
        if (arch_inb(DATA) == KEYBOARD_ACK)
            return true;
    }
    return false;
}

bool keyboard_init(void)
{
    if (!controller_start()) {
        log_line("keyboard: no PS/2 controller");
        return false;
    }
    bool there = keyboard_answers();
    if (!there)
        log_line("keyboard: none at the PS/2 controller");
    arch_irq_register(KEYBOARD_LINE, keyboard_interrupt);
    return there;
}
