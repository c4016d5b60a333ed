/* SPDX-License-Identifier: MIT */
/*
 * Process 1: tells the story, then offers a small shell on the console, or, with "demo" on the
 * command line, ends. With probe=NAME it runs that program and ends.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX 32

/* Reap the processes that have ended by now: init is the parent of all whose own parent ended
 * first. */
static void reap(void)
{
    while (waitpid(-1, NULL, WNOHANG) > 0) {}
}

/* Wait for pid, and reap every other process that ends meanwhile. 0, or -1 when pid is not a
 * child. */
static int await(int pid, int *status)
{
    int ended;
    do
        ended = waitpid(-1, status, 0);
    while (ended > 0 && ended != pid);
    return ended == pid ? 0 : -1;
}

/* Run a program and wait for it; its exit status, or 128 + the signal that ended it. */
static int run(char *const argv[])
{
    char path[256];
    snprintf(path, sizeof(path), "%s%s", strchr(argv[0], '/') ? "" : "/bin/", argv[0]);
    fflush(stdout);
    reap();
    int pid = fork(), status = 0;
    if (pid == 0) {
        execv(path, argv);
        perror(path);
        _exit(127);
    }
    if (pid < 0 || await(pid, &status)) {
        perror(path);
        return 1;
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void show_file(const char *path)
{
    char buffer[1024];
    ssize_t got;
    int fd = open(path, O_RDONLY);
    if (fd < 0) {
        perror(path);
        return;
    }
    fflush(stdout);
    while ((got = read(fd, buffer, sizeof(buffer))) > 0)
        (void)!write(1, buffer, (size_t)got);
    close(fd);
}

/* Show a file of a process; without a pid, the shell's own. */
static void show_process(const char *pid, const char *name)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%s/%s", pid ? pid : "self", name);
    show_file(path);
}

static void help(void)
{
    printf("PROGRAM [ARGUMENTS]  run a program of /bin\n"
           "ps                   processes\n"
           "ptes [PID]           page-table entries: va size raw W D COW state frame refs\n"
           "maps [PID]           mappings\n"
           "trace [on|off]       the trace ring: page-table changes (when on) and refusals\n"
           "story                tell the story again\n"
           "attack [NAME]        attacks on shadow stacks; attack limits: what these do not stop\n"
           "cat FILE             show a file, such as /proc/frames or /proc/check\n"
           "reboot, poweroff, help\n"
           "Shift+PageUp and Shift+PageDown scroll the screen; the log is in /proc/kmsg.\n");
}

static void trace(const char *what)
{
    if (!what) {
        show_file("/proc/trace");
        return;
    }
    int fd = open("/proc/trace", O_WRONLY);
    (void)!write(fd, strcmp(what, "on") == 0 ? "1" : "0", 1);
    close(fd);
}

static void obey(char *words[])
{
    static char *story[] = { "shadowfork", NULL };
    const char *command = words[0];
    if (strcmp(command, "help") == 0)
        help();
    else if (strcmp(command, "ptes") == 0 || strcmp(command, "maps") == 0)
        show_process(words[1], command);
    else if (strcmp(command, "trace") == 0)
        trace(words[1]);
    else if (strcmp(command, "cat") == 0 && words[1])
        show_file(words[1]);
    else if (strcmp(command, "story") == 0)
        run(story);
    else if (strcmp(command, "reboot") == 0)
        reboot(RB_AUTOBOOT);
    else if (strcmp(command, "poweroff") == 0)
        exit(0);
    else {
        int status = run(words);
        if (status)
            printf("%s: status %d\n", command, status);
    }
}

static void shell(void)
{
    char line[256];
    printf("\nA small shell. help lists its commands, poweroff ends it; Shift+PageUp scrolls the "
           "screen "
           "back.\n");
    for (;;) {
        char *words[WORDS_MAX + 1] = { NULL };
        int count = 0;
        printf("# ");
        fflush(stdout);
        if (!fgets(line, sizeof(line), stdin))
            exit(0);
        for (char *word = strtok(line, " \t\n"); word && count < WORDS_MAX;
             word = strtok(NULL, " \t\n"))
            words[count++] = word;
        if (count)
            obey(words);
    }
}

/* The kernel's command line and the arguments, with a blank before, between and behind the
 * words. */
static const char *words_given(int argc, char *argv[])
{
    static char line[8192] = " ";
    int fd = open("/proc/cmdline", O_RDONLY);
    ssize_t got = fd < 0 ? 0 : read(fd, line + 1, 4096);
    size_t len = 1 + (got > 0 ? (size_t)got : 0);
    if (fd >= 0)
        close(fd);
    line[len] = 0;
    line[strcspn(line, "\n")] = ' ';
    for (int i = 1; i < argc; i++)
        snprintf(line + strlen(line), sizeof(line) - strlen(line), "%s ", argv[i]);
    return line;
}

/* probe=NAME[,ARGUMENT...]: run that program instead of the story; its exit status, -1 when
 * there is no such word. */
static int probe(const char *given)
{
    static char word[256];
    char *words[WORDS_MAX + 1] = { NULL };
    int count = 0;
    const char *at = strstr(given, " probe=");
    if (!at)
        return -1;
    snprintf(word, sizeof(word), "%.*s", (int)strcspn(at + 7, " "), at + 7);
    for (char *part = strtok(word, ","); part && count < WORDS_MAX; part = strtok(NULL, ","))
        words[count++] = part;
    return count ? run(words) : -1;
}

int main(int argc, char *argv[])
{
    static char *story[] = { "shadowfork", NULL };
    const char *given = words_given(argc, argv);
    int status = probe(given);
    if (status >= 0)
        return status;
    status = run(story);
    if (strstr(given, " demo "))
        return status;
    shell();
}
