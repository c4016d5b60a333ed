/* SPDX-License-Identifier: MIT */
#include "subject.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct order {
    enum command what;
    uint64_t with;
};

/* Pipes for orders and answers, and where both are read and written: in memory that all share. */
struct line {
    int command[2], answer[2];
    struct order order;
    uint64_t value;
    uint64_t start, end; /* of DO_MEASURE's fork, on the TSC */
};
#define LINES_AT 0x200000000000
static struct line *const lines = (struct line *)LINES_AT;

int parent, child;
uint64_t ssp;

/* ---- The subject and its child ------------------------------------------ */

RAW void answer(struct line *line, uint64_t value)
{
    line->value = value;
    raw_write(line->answer[1], &line->value, sizeof(line->value));
}

RAW bool order_read(struct line *line)
{
    return raw_read(line->command[0], &line->order, sizeof(line->order)) == sizeof(line->order);
}

/* The line that this process obeys from now on. */
RAW struct line *do_fork(struct line *line, struct line *childs)
{
    long pid = raw0(SYS_fork);
    if (pid == 0) {
        raw1(SYS_close, line->answer[1]);
        return childs;
    }
    raw1(SYS_close, childs->answer[1]);
    answer(line, (uint64_t)pid);
    return line;
}

/* The store alone would not tell whether the rest of the page was copied. */
RAW uint64_t do_store(volatile uint64_t *words)
{
    words[0]++;
    return words[0] + words[1];
}

/* Both times go to the line at once: the compiler would keep them on the stack, which is shared. */
RAW void do_measure(struct line *line, struct line *childs)
{
    line->start = rdtsc();
    long pid = raw0(SYS_fork);
    if (pid == 0) {
        raw1(SYS_close, line->answer[1]);
        (void)!order_read(childs);
        raw_exit(0);
    }
    line->end = rdtsc();
    answer(line, (uint64_t)pid);
}

/* Obey until told to return or to exit. */
RAW struct line *obey(struct line *line)
{
    while (order_read(line)) {
        enum command what = line->order.what;
        uint64_t with = line->order.with;
        if (what == DO_RETURN)
            return line;
        if (what == DO_EXIT)
            break;
        if (what == DO_FORK)
            line = do_fork(line, lines + with);
        else if (what == DO_MEASURE)
            do_measure(line, lines + with);
        else if (what == DO_STORE)
            answer(line, do_store((volatile uint64_t *)with));
        else if (what == DO_WAIT)
            answer(line, (uint64_t)raw6(SYS_wait4, -1, 0, 0, 0, 0, 0));
    }
    raw_exit(0);
    return line;
}

/* Two frames deep: the inner function's return address was pushed before the fork and is popped
 * after it. */
__attribute__((noinline)) static struct line *inner(struct line *line)
{
    answer(line, rdssp());
    line = obey(line);
    __asm__ volatile("" : : : "memory");
    return line;
}

static void subject(void)
{
    struct line *line = inner(lines + PARENT);
    answer(line, RETURNED);
    obey(line);
}

/* ---- The observer ------------------------------------------------------- */

static bool lines_make(void)
{
    static bool mapped;
    if (!mapped)
        mapped = mmap(lines, LINES * sizeof(*lines), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0)
                 == lines;
    for (struct line *line = lines; mapped && line < lines + LINES; line++) {
        if (pipe(line->command) || pipe(line->answer))
            return false;
    }
    return mapped;
}

bool subject_start(void (*prepare)(void), const char *way)
{
    if (!lines_make())
        return false;
    fflush(stdout);
    parent = fork();
    if (parent == 0) {
        for (struct line *line = lines; line < lines + LINES; line++)
            close(line->command[1]);
        prepare();
        file_put_text("/proc/self/fork", way);
        subject();
    }
    for (struct line *line = lines; line < lines + LINES; line++)
        close(line->answer[1]);
    return parent > 0 && read(lines[PARENT].answer[0], &ssp, sizeof(ssp)) == sizeof(ssp);
}

static bool tell(int line, enum command what, uint64_t with)
{
    struct order order = { what, with };
    return write(lines[line].command[1], &order, sizeof(order)) == sizeof(order);
}

bool ask(int line, enum command what, uint64_t with, uint64_t *value)
{
    return tell(line, what, with)
           && read(lines[line].answer[0], value, sizeof(*value)) == sizeof(*value);
}

bool child_start(int line)
{
    uint64_t pid = 0;
    bool started = ask(PARENT, DO_FORK, (uint64_t)line, &pid);
    child = (int)pid;
    return started && child > 0;
}

bool child_end(int line)
{
    uint64_t pid;
    return tell(line, DO_EXIT, 0) && ask(PARENT, DO_WAIT, 0, &pid);
}

static bool measured_start(void)
{
    uint64_t pid = 0;
    return ask(PARENT, DO_MEASURE, OTHER_CHILD, &pid) && (int)pid > 0;
}

bool fork_time(uint64_t *time)
{
    bool started = measured_start();
    *time = lines[PARENT].end - lines[PARENT].start;
    return started && child_end(OTHER_CHILD);
}

bool fork_entries(uint64_t *entries)
{
    uint64_t before = trace_total();
    bool started = measured_start();
    *entries = trace_total() - before - trace_count_since(lines[PARENT].end);
    return started && child_end(OTHER_CHILD);
}

void subject_end(void)
{
    for (int i = LINES - 1; i >= 0; i--)
        (void)tell(i, DO_EXIT, 0);
    waitpid(parent, NULL, 0);
    for (struct line *line = lines; line < lines + LINES; line++) {
        close(line->command[0]);
        close(line->command[1]);
        close(line->answer[0]);
    }
}
