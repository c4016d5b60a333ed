/* SPDX-License-Identifier: MIT */
/*
 * Read the terminal as the line just read demands, and print what arrived. Runs as process 1, and
 * on Linux as well.
 *
 *   LINE            print the line's length, and how often its first character occurs
 *   raw MIN TIME    print the same for one read outside canonical mode, and the tenths of a second
 *                   that the read took
 *   flush N         read the next line, and once N characters more can be read, discard them
 *   end             exit
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static char text[8192];

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void tell(long got, double since)
{
    int waiting = -1, same = 0;
    for (long i = 0; i < got; i++)
        same += text[i] == text[0];
    ioctl(0, FIONREAD, &waiting);
    printf("got %ld, %d alike, %d waiting, after %.0f tenths\n", got, same, waiting,
           (now() - since) * 10);
    fflush(stdout);
}

/* One read, once the terminal is ready; with wait 0, at once. */
static long take(int wait)
{
    struct pollfd terminal = { 0, POLLIN, 0 };
    if (wait)
        poll(&terminal, 1, -1);
    return read(0, text, sizeof(text));
}

static void raw(int min, int tenths)
{
    struct termios before, after;
    tcgetattr(0, &before);
    after = before;
    after.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    after.c_cc[VMIN] = (cc_t)min;
    after.c_cc[VTIME] = (cc_t)tenths;
    tcsetattr(0, TCSANOW, &after);
    printf("raw\n");
    fflush(stdout);
    double since = now();
    long got = take(min && !tenths);
    tell(got, since);
    tcsetattr(0, TCSANOW, &before);
}

static void flush(int typed)
{
    int waiting = 0;
    printf("flush\n");
    fflush(stdout);
    take(1);
    while (ioctl(0, FIONREAD, &waiting) == 0 && waiting < typed) {}
    tcflush(0, TCIFLUSH);
    tell(0, now());
}

int main(void)
{
    printf("type\n");
    fflush(stdout);
    for (;;) {
        int min, tenths, typed;
        long got = take(1);
        text[got > 0 ? got : 0] = 0;
        if (got <= 0)
            printf("end of file\n");
        else if (strcmp(text, "end\n") == 0)
            return 7;
        else if (sscanf(text, "flush %d", &typed) == 1)
            flush(typed);
        else if (sscanf(text, "raw %d %d", &min, &tenths) == 2)
            raw(min, tenths);
        else
            tell(got, now());
        fflush(stdout);
    }
}
