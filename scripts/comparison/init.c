/* SPDX-License-Identifier: MIT */
/*
 * Process 1 of scripts/compare, the same on Penumbra and on Linux. It runs the program whose argv
 * is in /compare/argv, each word ended by a zero byte, and prints what the program writes, line by
 * line behind MARK: whatever else is on the console is not the program's. Then it says how the
 * program ended, and ends the machine.
 *
 * In a marked line, bytes that are not printable, and backslashes, are \xHH; a backslash at the end
 * of the line means that the program's line goes on.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MARK      "compare> "
#define WORDS_MAX 1024
#define LINE_MAX  200 /* bytes of the program's in a marked line */

static char *words[WORDS_MAX + 1];

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void words_read(void)
{
    static char text[65536];
    int fd = open("/compare/argv", O_RDONLY | O_CLOEXEC);
    ssize_t len = read(fd, text, sizeof(text) - 1);
    int count = 0;
    for (char *at = text; at < text + len && count < WORDS_MAX; at += strlen(at) + 1)
        words[count++] = at;
    if (!count)
        fail("/compare/argv");
}

/* ---- What the program writes -------------------------------------------- */

static struct {
    size_t len, taken; /* characters of the marked line, bytes of the program's in it */
    char text[sizeof(MARK) + 4 * LINE_MAX + 2];
} line;

static void line_end(const char *end)
{
    line.len += (size_t)snprintf(line.text + line.len, sizeof(line.text) - line.len, "%s\n", end);
    (void)!write(1, line.text, line.len); /* at once: nothing comes between */
    line.len = line.taken = 0;
}

static void line_put(unsigned char byte)
{
    if (!line.len)
        line.len = (size_t)sprintf(line.text, MARK);
    if (byte == '\n') {
        line_end("");
        return;
    }
    int plain = byte >= ' ' && byte < 127 && byte != '\\';
    line.len += (size_t)sprintf(line.text + line.len, plain ? "%c" : "\\x%02x", byte);
    if (++line.taken == LINE_MAX)
        line_end("\\");
}

/* Take what there is; wait up to wait_ms for the first. Returns how many bytes came. */
static ssize_t output_take(int from, int wait_ms)
{
    unsigned char bytes[4096];
    struct pollfd entry = { .fd = from, .events = POLLIN };
    ssize_t got = poll(&entry, 1, wait_ms) > 0 ? read(from, bytes, sizeof(bytes)) : 0;
    for (ssize_t i = 0; i < got; i++)
        line_put(bytes[i]);
    return got;
}

/* ---- The program -------------------------------------------------------- */

static void program_run(int output)
{
    static char *environment[] = { "PATH=/bin:/sbin", "HOME=/root", "TERM=linux", NULL };
    int null = open("/dev/null", O_RDONLY);
    dup2(null, 0);
    dup2(output, 1);
    dup2(output, 2);
    close(null);
    execve(words[0], words, environment);
    perror(words[0]);
    _exit(127);
}

/* Has pid ended? Other processes that ended are reaped. */
static int ended(int pid, int *status)
{
    int found, its;
    while ((found = waitpid(-1, &its, WNOHANG)) > 0) {
        if (found == pid) {
            *status = its;
            return 1;
        }
    }
    return found < 0;
}

/* What the program left behind may go on writing; it is not waited for. */
static void program_follow(void)
{
    int output[2], status = 0;
    if (pipe2(output, O_CLOEXEC))
        fail("pipe");
    int pid = fork();
    if (pid < 0)
        fail("fork");
    if (pid == 0)
        program_run(output[1]);
    close(output[1]);
    while (!ended(pid, &status)) {
        ssize_t got = output_take(output[0], 20);
        if (got < 0)
            fail("the program's output");
        if (got == 0)
            usleep(1000); /* it may have closed its output */
    }
    while (output_take(output[0], 0) > 0) {}
    if (line.len)
        line_end("\\");
    if (WIFSIGNALED(status))
        printf("compare: killed by signal %d\n", WTERMSIG(status));
    else
        printf("compare: exit status %d\n", WEXITSTATUS(status));
}

/* ---- Linux: what Penumbra has done before process 1 starts, and does after it ------------------
 */

/* Become process 1 of a new set of pids, as on Penumbra; who was it before waits and switches the
 * machine off. */
static void linux_prepare(void)
{
    int status = 0, console = open("/dev/console", O_RDWR);
    if (console >= 0) {
        for (int fd = 0; fd < 3; fd++)
            dup2(console, fd);
        close(console);
    }
    int pid = fork();
    if (pid != 0) {
        while (pid > 0 && waitpid(pid, &status, 0) != pid) {}
        printf("init: exit status %d\npower: off\n", WEXITSTATUS(status) || WIFSIGNALED(status));
        fflush(stdout);
        sync();
        sleep(1); /* until the line is sent */
        reboot(RB_POWER_OFF);
        for (;;)
            pause();
    }
    if (mount("proc", "/proc", "proc", 0, NULL) || mount("dev", "/dev", "devtmpfs", 0, NULL))
        fail("mount");
}

int main(void)
{
    if (unshare(CLONE_NEWPID) == 0)
        linux_prepare();
    words_read();
    program_follow();
    return 0;
}
