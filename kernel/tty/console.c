/* SPDX-License-Identifier: MIT */
/*
 * The terminal. Output of programs goes to every console. Input from the keyboard and the serial
 * line goes through the line discipline to the programs that read. ^C and ^\ signal the foreground:
 * every process but init.
 */
#include "kernel/tty/console.h"

#include "base/lock.h"
#include "base/log.h"
#include "base/string.h"
#include "kernel/cmdline.h"
#include "kernel/drivers/e9.h"
#include "kernel/drivers/fbcon.h"
#include "kernel/drivers/keyboard.h"
#include "kernel/drivers/serial.h"
#include "kernel/fs/file.h"
#include "kernel/fs/poll.h"
#include "kernel/signal/signal.h"
#include "kernel/task/task.h"
#include "kernel/tty/line.h"
#include "mm/phys/slab.h"
#include "uapi/errno.h"
#include "uapi/fcntl.h"

#define ERASE_MAX    200        /* columns; a longer line stays on the screen when it is killed */
#define TIME_UNIT    100000000u /* nanoseconds of VTIME */
#define ROWS_ELSE    24         /* when there is no framebuffer */
#define COLUMNS_ELSE 80

static struct spinlock input_lock = SPINLOCK_INIT(LOCK_INPUT); /* irq */
static struct line line;                                       /* [input_lock] */
static struct wait_queue input_wait = WAIT_QUEUE_INIT(input_wait);
static bool typable;       /* [I] something can bring characters */
static uint32_t said_mute; /* [A] the log has said that nothing can be typed */

/* ---- Input -------------------------------------------------------------- */

/* Show what was typed. input_lock is held, so the echo keeps the order of typing. */
static void reaction_show(const struct line_reaction *reaction)
{
    if (reaction->erase > ERASE_MAX)
        console_write("\n", 1);
    for (unsigned i = 0; i < reaction->erase && reaction->erase <= ERASE_MAX; i++)
        console_write("\b \b", 3);
    if (reaction->echo_len)
        console_write(reaction->echo, reaction->echo_len);
}

/* More may be readable now. */
static void input_changed(void)
{
    wait_wake_all(&input_wait);
    poll_wake();
}

void console_input(char c)
{
    struct line_reaction reaction;
    uint64_t irq = spin_lock_irq(&input_lock);
    line_put(&line, c, &reaction);
    reaction_show(&reaction);
    spin_unlock_irq(&input_lock, irq);
    if (reaction.signal)
        (void)processes_signal(NULL, reaction.signal);
    if (reaction.wake)
        input_changed();
}

/* If a program asks for input that nobody can type, the log says so, once. */
static void mute_say(void)
{
    if (!typable && !__atomic_exchange_n(&said_mute, 1, __ATOMIC_RELAXED))
        log_line("console: nothing can be typed here: there is no PS/2 keyboard and no serial line"
                 " (there is no driver for USB keyboards)");
}

/* ---- Reading ------------------------------------------------------------ */

/* A read that is under way. */
struct reading {
    char *to;
    size_t len, done;
    bool enough;
    uint64_t time_ns; /* how long it waits for the next character; 0: no limit */
};

/* Take the characters there are, as termios(3) says: to the end of a line, or until VMIN and VTIME
 * are satisfied. True: something was taken, or the read is complete. */
static bool reading_take(struct reading *reading)
{
    uint64_t irq = spin_lock_irq(&input_lock);
    bool canonical = line.termios.c_lflag & ICANON;
    size_t min = line.termios.c_cc[VMIN];
    uint64_t time_ns = (uint64_t)line.termios.c_cc[VTIME] * TIME_UNIT;
    long got = line_take(&line, reading->to + reading->done, reading->len - reading->done);
    spin_unlock_irq(&input_lock, irq);
    bool something = got != -EAGAIN;
    reading->done += something ? (size_t)got : 0;
    reading->time_ns = !canonical && (reading->done || !min) ? time_ns : 0;
    if (!min && time_ns)
        min = 1;
    reading->enough = canonical ? something : reading->done >= min_u64(min, reading->len);
    return something || reading->enough;
}

static uint64_t reading_deadline(const struct reading *reading)
{
    return reading->time_ns ? arch_clock_ns() + reading->time_ns : 0;
}

/* How many characters, or negative errno. */
static long reading_finish(struct reading *reading, bool nonblocking)
{
    int err = 0;
    (void)reading_take(reading);
    while (!reading->enough && !err)
        err = nonblocking
                  ? -EAGAIN
                  : wait_until(&input_wait, reading_take(reading), reading_deadline(reading));
    return reading->done || err == -ETIMEDOUT ? (long)reading->done : err;
}

static long console_read(struct file *file, uaddr_t to, size_t len, uint64_t *position)
{
    char small[256], *bounce = small;
    if (!len)
        return 0;
    mute_say();
    len = min_u64(len, LINE_BYTES);
    if (len > sizeof(small))
        bounce = kmalloc(len);
    if (!bounce)
        return -ENOMEM;
    struct reading reading = { .to = bounce, .len = len };
    long got = reading_finish(&reading, file_flags(file) & O_NONBLOCK);
    if (got > 0 && arch_copy_to_user(to, bounce, (size_t)got))
        got = -EFAULT;
    if (bounce != small)
        kfree(bounce);
    return got;
}

static unsigned console_poll(struct file *file)
{
    mute_say();
    uint64_t irq = spin_lock_irq(&input_lock);
    bool ready = line_readable(&line);
    spin_unlock_irq(&input_lock, irq);
    return POLLOUT | (ready ? POLLIN : 0);
}

/* ---- Writing ------------------------------------------------------------ */

static long console_file_write(struct file *file, uaddr_t from, size_t len, uint64_t *position)
{
    char bounce[256];
    size_t done = 0;
    while (done < len) {
        size_t part = min_u64(len - done, sizeof(bounce));
        if (arch_copy_from_user(bounce, uaddr(from.v + done), part))
            return done ? (long)done : -EFAULT;
        console_write(bounce, part);
        done += part;
        if (task_breathe())
            break;
    }
    return (long)done;
}

/* ---- Settings ----------------------------------------------------------- */

static long termios_get(uaddr_t to)
{
    uint64_t irq = spin_lock_irq(&input_lock);
    struct linux_termios now = line.termios;
    spin_unlock_irq(&input_lock, irq);
    return arch_copy_to_user(to, &now, sizeof(now)) ? -EFAULT : 0;
}

/* Output is never pending: write() waits until it is out. */
static long termios_set(uaddr_t from, bool flush)
{
    struct linux_termios new;
    if (arch_copy_from_user(&new, from, sizeof(new)))
        return -EFAULT;
    uint64_t irq = spin_lock_irq(&input_lock);
    if (flush)
        line_flush(&line);
    line_set(&line, &new);
    spin_unlock_irq(&input_lock, irq);
    input_changed();
    return 0;
}

static long input_flush(uint64_t which)
{
    if (which > TCIOFLUSH)
        return -EINVAL;
    uint64_t irq = spin_lock_irq(&input_lock);
    if (which != TCOFLUSH)
        line_flush(&line);
    spin_unlock_irq(&input_lock, irq);
    return 0;
}

static long input_count(uaddr_t to)
{
    uint64_t irq = spin_lock_irq(&input_lock);
    int count = (int)line_count(&line);
    spin_unlock_irq(&input_lock, irq);
    return arch_copy_to_user(to, &count, sizeof(count)) ? -EFAULT : 0;
}

static long window_size(uaddr_t to)
{
    unsigned rows = ROWS_ELSE, columns = COLUMNS_ELSE;
    (void)fbcon_size(&rows, &columns);
    struct linux_winsize size = { (uint16_t)rows, (uint16_t)columns, 0, 0 };
    return arch_copy_to_user(to, &size, sizeof(size)) ? -EFAULT : 0;
}

/* The terminal knows no sessions and no process groups. No process has a controlling terminal, and
 * the calls that ask for one say so. */
static long console_ioctl(struct file *file, unsigned request, uint64_t argument)
{
    switch (request) {
    case TCGETS: return termios_get(uaddr(argument));
    case TCSETS:
    case TCSETSW: return termios_set(uaddr(argument), false);
    case TCSETSF: return termios_set(uaddr(argument), true);
    case TCSBRK: return argument ? 0 : -EINVAL; /* tcdrain(); a break cannot be sent */
    case TCFLSH: return input_flush(argument);
    case FIONREAD: return input_count(uaddr(argument));
    case TIOCGWINSZ: return window_size(uaddr(argument));
    default: return -ENOTTY;
    }
}

const struct file_ops console_ops = {
    .read = console_read,
    .write = console_file_write,
    .ioctl = console_ioctl,
    .poll = console_poll,
};

/* ---- Start-up ----------------------------------------------------------- */

static bool list_has(const char *list, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        if (strncmp(at, name, len) == 0 && (at[len] == 0 || at[len] == ','))
            return true;
    }
    return false;
}

/* Is this console wanted? All are, without console= or when it names no console that exists. */
static bool wanted(const char *name)
{
    char list[64];
    if (!cmdline_get("console", list, sizeof(list)))
        return true;
    bool names_one = list_has(list, "serial") || list_has(list, "fb") || list_has(list, "e9");
    return !names_one || list_has(list, name);
}

void console_early_init(const struct boot_framebuffer *screen)
{
    if (wanted("e9"))
        e9_init();
    if (wanted("serial"))
        serial_init();
    if (wanted("fb"))
        fbcon_init(screen);
}

void console_init(void)
{
    line_init(&line);
    bool keyboard = keyboard_init(), serial = serial_input_init();
    typable = keyboard || serial;
}
