/* SPDX-License-Identifier: MIT */
/*
 * The terminal: what programs write goes to every console; what keyboards and the serial line bring
 * goes, line by line and echoed, or raw, to whoever reads. ^C interrupts the foreground: every
 * process but init that has the console open and does not ignore it.
 */
#include "kernel/tty/console.h"

#include "base/lock.h"
#include "base/log.h"
#include "base/string.h"
#include "kernel/cmdline.h"
#include "kernel/fs/file.h"
#include "kernel/signal/signal.h"
#include "kernel/task/task.h"
#include "uapi/errno.h"
#include "uapi/fcntl.h"
#include "uapi/stat.h"
#include "uapi/termios.h"

#define INPUT_BYTES 1024

static struct spinlock input_lock = SPINLOCK_INIT(LOCK_INPUT); /* irq; all below */
static char input[INPUT_BYTES];                                /* a ring */
static size_t input_start, input_len;
static size_t line_len; /* of the last, unfinished line, included in input_len */
static struct wait_queue input_wait = WAIT_QUEUE_INIT(input_wait);
static struct linux_termios termios = {
    .c_iflag = ICRNL,
    .c_oflag = OPOST | ONLCR,
    .c_cflag = 0xbf,
    .c_lflag = ICANON | ECHO | ECHOE | ISIG,
    .c_cc = { [VINTR] = 3, [VERASE] = 127, [VEOF] = 4, [VMIN] = 1 },
};
static bool end_of_file; /* ^D on an empty line */

/* ---- Input -------------------------------------------------------------- */

static void echo(char c)
{
    if (!(termios.c_lflag & ECHO))
        return;
    if (c == '\b')
        console_write("\b \b", 3);
    else if (c == '\n' || c >= ' ')
        console_write(&c, 1);
}

static void input_put(char c)
{
    if (input_len < INPUT_BYTES)
        input[(input_start + input_len++) % INPUT_BYTES] = c;
}

/* ^C: everybody but init. */
static void interrupt_foreground(void)
{
    console_write("^C\n", 3);
    (void)processes_signal(NULL, SIGINT);
}

/* A character in canonical mode; true when a reader should look. */
static bool canonical_put(char c)
{
    if (c == '\b' || c == 127) {
        if (line_len) {
            line_len--;
            input_len--;
            echo('\b');
        }
        return false;
    }
    if (c == 4) {
        end_of_file = line_len == 0;
        line_len = 0;
        return true;
    }
    input_put(c);
    line_len++;
    echo(c);
    if (c != '\n')
        return false;
    line_len = 0;
    return true;
}

void console_input(char c)
{
    uint64_t irq = spin_lock_irq(&input_lock);
    bool interrupt = c == 3 && termios.c_lflag & ISIG, wake = true;
    if (!interrupt && termios.c_lflag & ICANON)
        wake = canonical_put(c);
    else if (!interrupt) {
        input_put(c);
        echo(c);
    }
    spin_unlock_irq(&input_lock, irq);
    if (interrupt)
        interrupt_foreground();
    if (wake)
        wait_wake_all(&input_wait);
}

/* Take what a read of len bytes gets now: up to the end of a line in canonical mode. -EAGAIN:
 * nothing yet. */
static long input_take(char *to, size_t len)
{
    uint64_t irq = spin_lock_irq(&input_lock);
    bool canonical = termios.c_lflag & ICANON;
    size_t ready = canonical ? input_len - line_len : input_len, done = 0;
    bool at_end = end_of_file && !ready;
    while (done < len && done < ready) {
        char c = input[input_start];
        input_start = (input_start + 1) % INPUT_BYTES;
        to[done++] = c;
        if (canonical && c == '\n')
            break;
    }
    input_len -= done;
    if (at_end)
        end_of_file = false;
    spin_unlock_irq(&input_lock, irq);
    return done ? (long)done : at_end ? 0 : -EAGAIN;
}

/* ---- The file ----------------------------------------------------------- */

static long console_read(struct file *file, uaddr_t to, size_t len, uint64_t *position)
{
    (void)position;
    char bounce[256];
    if (!len)
        return 0;
    for (;;) {
        long err = 0;
        wait_begin(&input_wait);
        long got = input_take(bounce, min_u64(len, sizeof(bounce)));
        if (got == -EAGAIN && !(file->flags & O_NONBLOCK))
            err = wait_sleep(0);
        wait_end(&input_wait);
        if (got >= 0)
            return got && arch_copy_to_user(to, bounce, (size_t)got) ? -EFAULT : got;
        if (err || file->flags & O_NONBLOCK)
            return err ? err : got;
    }
}

static long console_file_write(struct file *file, uaddr_t from, size_t len, uint64_t *position)
{
    (void)file, (void)position;
    char bounce[256];
    for (size_t done = 0; done < len;) {
        size_t part = min_u64(len - done, sizeof(bounce));
        if (arch_copy_from_user(bounce, uaddr(from.v + done), part))
            return done ? (long)done : -EFAULT;
        console_write(bounce, part);
        done += part;
    }
    return (long)len;
}

static long console_ioctl(struct file *file, unsigned request, uint64_t argument)
{
    (void)file;
    static const struct linux_winsize size = { 48, 128, 0, 0 };
    struct linux_termios new;
    uint64_t irq;
    int pid = 1;
    switch (request) {
    case TCGETS:
        irq = spin_lock_irq(&input_lock);
        new = termios;
        spin_unlock_irq(&input_lock, irq);
        return arch_copy_to_user(uaddr(argument), &new, sizeof(new)) ? -EFAULT : 0;
    case TCSETS:
    case TCSETSW:
    case TCSETSF:
        if (arch_copy_from_user(&new, uaddr(argument), sizeof(new)))
            return -EFAULT;
        irq = spin_lock_irq(&input_lock);
        termios = new;
        spin_unlock_irq(&input_lock, irq);
        return 0;
    case TIOCGWINSZ: return arch_copy_to_user(uaddr(argument), &size, sizeof(size)) ? -EFAULT : 0;
    case TIOCGPGRP: return arch_copy_to_user(uaddr(argument), &pid, sizeof(pid)) ? -EFAULT : 0;
    case TIOCSPGRP:
    case TIOCSCTTY: return 0;
    default: return -ENOTTY;
    }
}

static unsigned console_poll(struct file *file)
{
    (void)file;
    uint64_t irq = spin_lock_irq(&input_lock);
    bool ready = end_of_file || (termios.c_lflag & ICANON ? input_len - line_len : input_len);
    spin_unlock_irq(&input_lock, irq);
    return POLLOUT | (ready ? POLLIN : 0);
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

/* Is this console wanted? Without console=, or when it names none that there is, all are. */
static bool wanted(const char *name)
{
    char list[64];
    if (!cmdline_get("console", list, sizeof(list)))
        return true;
    bool names_one = list_has(list, "serial") || list_has(list, "fb") || list_has(list, "e9");
    return !names_one || list_has(list, name);
}

void console_early_init(void)
{
    if (wanted("e9"))
        e9_init();
    if (wanted("serial"))
        serial_init();
}

void console_init(const struct boot_info *info)
{
    if (wanted("fb"))
        fbcon_init(info);
    keyboard_init();
    serial_input_init();
}
