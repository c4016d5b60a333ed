/* SPDX-License-Identifier: MIT */
/* Linux's terminal interface, the part a line discipline of this size has. */
#ifndef UAPI_TERMIOS_H
#define UAPI_TERMIOS_H

#include <stdint.h>

#define TCGETS     0x5401
#define TCSETS     0x5402
#define TCSETSW    0x5403
#define TCSETSF    0x5404
#define TCSBRK     0x5409
#define TCFLSH     0x540b
#define TIOCSCTTY  0x540e
#define TIOCGPGRP  0x540f
#define TIOCSPGRP  0x5410
#define TIOCGWINSZ 0x5413
#define FIONREAD   0x541b

/* TCFLSH's argument */
#define TCIFLUSH  0
#define TCOFLUSH  1
#define TCIOFLUSH 2

/* c_iflag */
#define INLCR   0000100
#define IGNCR   0000200
#define ICRNL   0000400
#define IUTF8   0040000
/* c_oflag */
#define OPOST   0000001
#define ONLCR   0000004
/* c_lflag */
#define ISIG    0000001
#define ICANON  0000002
#define ECHO    0000010
#define ECHOE   0000020
#define ECHOK   0000040
#define ECHONL  0000100
#define NOFLSH  0000200
#define ECHOCTL 0001000
#define ECHOKE  0004000

/* Indices of c_cc; a character of 0 is switched off. */
enum { VINTR, VQUIT, VERASE, VKILL, VEOF, VTIME, VMIN, VEOL = 11 };

struct linux_termios {
    uint32_t c_iflag, c_oflag, c_cflag, c_lflag;
    uint8_t c_line, c_cc[19];
};

struct linux_winsize {
    uint16_t rows, columns, x_pixels, y_pixels;
};

#endif
