/* SPDX-License-Identifier: MIT */
/* A PS/2 keyboard behind an i8042: scancode set 1, a US layout. Absent on many machines; every
 * wait is bounded. */
#include "arch/x86/arch.h"
#include "base/log.h"
#include "kernel/tty/console.h"

#define DATA                 0x60
#define STATUS               0x64
#define STATUS_OUT           0x01
#define STATUS_IN            0x02
#define COMMAND_READ_CONFIG  0x20
#define COMMAND_WRITE_CONFIG 0x60
#define CONFIG_IRQ1          0x01
#define CONFIG_TRANSLATE     0x40
#define KEYBOARD_LINE        1
#define POLLS                100000
#define RELEASED             0x80
#define KEY_CTRL             0x1d
#define KEY_SHIFT_LEFT       0x2a
#define KEY_SHIFT_RIGHT      0x36
#define KEY_CAPS             0x3a

static const char plain[] =
    "\0\0331234567890-=\b\tqwertyuiop[]\n\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
static const char shifted[] =
    "\0\033!@#$%^&*()_+\b\tQWERTYUIOP{}\n\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";
static bool shift, control, caps;

static bool wait_for(uint8_t mask, uint8_t value)
{
    for (unsigned polls = 0; polls < POLLS; polls++) {
        if ((arch_inb(STATUS) & mask) == value)
            return true;
    }
    return false;
}

static char key_char(uint8_t key)
{
    if (key >= sizeof(plain) - 1)
        return 0;
    char c = shift ? shifted[key] : plain[key];
    bool letter = (c | 32) >= 'a' && (c | 32) <= 'z';
    if (control && letter)
        return (char)(c & 31);
    return letter && caps ? (char)(c ^ 32) : c;
}

static void keyboard_interrupt(void)
{
    if (!(arch_inb(STATUS) & STATUS_OUT))
        return;
    uint8_t code = arch_inb(DATA);
    uint8_t key = code & (uint8_t)~RELEASED;
    bool down = !(code & RELEASED);
    if (key == KEY_SHIFT_LEFT || key == KEY_SHIFT_RIGHT) {
        shift = down;
    } else if (key == KEY_CTRL) {
        control = down;
    } else if (key == KEY_CAPS) {
        caps ^= down;
    } else if (down) {
        char c = key_char(key);
        if (c)
            console_input(c);
    }
}

void keyboard_init(void)
{
    if (arch_inb(STATUS) == 0xff) {
        log_line("keyboard: no PS/2 controller");
        return;
    }
    for (unsigned i = 0; i < 32 && arch_inb(STATUS) & STATUS_OUT; i++)
        (void)arch_inb(DATA);
    if (!wait_for(STATUS_IN, 0))
        return;
    arch_outb(STATUS, COMMAND_READ_CONFIG);
    if (!wait_for(STATUS_OUT, STATUS_OUT))
        return;
    /* clock on */
    uint8_t config = (arch_inb(DATA) | CONFIG_IRQ1 | CONFIG_TRANSLATE) & (uint8_t)~0x10;
    arch_outb(STATUS, COMMAND_WRITE_CONFIG);
    if (!wait_for(STATUS_IN, 0))
        return;
    arch_outb(DATA, config);
    arch_irq_register(KEYBOARD_LINE, keyboard_interrupt);
}
