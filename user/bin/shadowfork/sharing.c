/* SPDX-License-Identifier: MIT */
/* Fork, copy on access and copy on write: the subject, its child, and the steps that watch them. */
#include "story.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- The subject and its child ------------------------------------------ */

/* Each has a pipe for commands and one for answers. */
struct line {
    int command[2], answer[2];
};
static struct line parent_line, child_line;

enum command { DO_FORK = 'f', DO_RETURN = 'r', DO_STORE = 's', DO_EXIT = 'x' };
struct answer {
    uint64_t value;
};

static volatile uint64_t data_page[512] __attribute__((aligned(4096)));
static const uint64_t constant_page[512] __attribute__((aligned(4096))) = { 1 };

RAW void answer(const struct line *line, uint64_t value)
{
    struct answer a = { value };
    raw_write(line->answer[1], &a, sizeof(a));
}

/* Obey until told to return or to exit. The child of DO_FORK returns with *line changed to its
 * own. */
RAW void obey(const struct line **line)
{
    for (;;) {
        char command = DO_EXIT;
        if (raw_read((*line)->command[0], &command, 1) != 1 || command == DO_EXIT)
            raw_exit(0);
        if (command == DO_RETURN)
            return;
        if (command == DO_STORE) {
            data_page[0]++;
            answer(*line, data_page[0]);
        }
        if (command == DO_FORK) {
            long pid = raw0(SYS_fork);
            if (pid == 0) {
                *line = &child_line;
                raw1(SYS_close, parent_line.answer[1]);
            } else {
                raw1(SYS_close, child_line.answer[1]);
                answer(*line, (uint64_t)pid);
            }
        }
    }
}

/* Two frames deep: the inner function's return address was pushed before the fork and is popped
 * after it. */
__attribute__((noinline)) static void inner(const struct line **line)
{
    answer(*line, rdssp());
    obey(line);
    __asm__ volatile("" : : : "memory");
}

__attribute__((noinline)) static void subject(void)
{
    const struct line *line = &parent_line;
    data_page[0] = 1;
    inner(&line);
    answer(line, 0x600d); /* the RET came back here */
    obey(&line);
    raw_exit(0);
}

static bool ask(const struct line *line, enum command command, uint64_t *value)
{
    char c = (char)command;
    struct answer a;
    if (write(line->command[1], &c, 1) != 1 || read(line->answer[0], &a, sizeof(a)) != sizeof(a))
        return false;
    *value = a.value;
    return true;
}

/* ---- The steps ---------------------------------------------------------- */

static int parent, child; /* the subject and its child */
static uint64_t ssp;      /* where both stacks' top is */

bool subject_start(void)
{
    struct answer a = { 0 };
    if (pipe(parent_line.command) || pipe(parent_line.answer) || pipe(child_line.command)
        || pipe(child_line.answer))
        return false;
    fflush(stdout);
    parent = fork();
    if (parent == 0) {
        close(parent_line.command[1]);
        close(child_line.command[1]);
        subject();
    }
    close(parent_line.answer[1]);
    close(child_line.answer[1]);
    bool ready = parent > 0 && read(parent_line.answer[0], &a, sizeof(a)) == sizeof(a);
    ssp = a.value;
    return ready;
}

void story_fresh(void)
{
    step("A shadow-stack page of the subject's own");
    if (skip())
        return;
    struct pte pte = pte_of(parent, ssp);
    expect("parent (c): W=0 D=1, the hardware's sign of a shadow stack, one reference");
    saw_pte("parent", &pte);
    must(pte.state == 'c' && pte.refs == 1 && !pte.w && pte.d && !pte.cow);
    step_end();
}

void story_fork(void)
{
    uint64_t pid = 0;
    struct pte before = pte_of(parent, ssp);
    step("fork shares it: both lose D, COW remembers it");
    must(ask(&parent_line, DO_FORK, &pid));
    child = (int)pid;
    if (skip())
        return;
    struct pte p = pte_of(parent, ssp), c = pte_of(child, ssp);
    expect("parent and child (d): W=0 D=0 COW=1, the same frame 0x%lx, two references", before.pfn);
    saw_pte("parent", &p);
    saw_pte("child", &c);
    must(p.state == 'd' && c.state == 'd' && p.pfn == before.pfn && c.pfn == before.pfn
         && p.refs == 2);
    step_end();
}

void story_data_shared(void)
{
    step("fork shares a written data page the same way");
    struct pte p = pte_of(parent, (uint64_t)data_page), c = pte_of(child, (uint64_t)data_page);
    expect("parent and child (a): W=0 D=0 COW=1, the same frame, two references");
    saw_pte("parent", &p);
    saw_pte("child", &c);
    must(p.state == 'a' && c.state == 'a' && p.pfn == c.pfn && p.refs == 2);
    step_end();
}

void story_child_returns(void)
{
    uint64_t value = 0;
    struct pte before = pte_of(child, ssp);
    step("The child executes one RET: it only reads, and still needs its own copy");
    bool came_back = ask(&child_line, DO_RETURN, &value) && value == 0x600d;
    if (skip()) {
        must(came_back);
        return;
    }
    struct pte p = pte_of(parent, ssp), c = pte_of(child, ssp);
    expect("child (c) in another frame than 0x%lx; parent still (d), now the only one", before.pfn);
    saw_pte("child", &c);
    saw_pte("parent", &p);
    printf("    saw     %s\n",
           came_back ? "child returned to where it was called from" : "child did not come back");
    must(came_back && c.state == 'c' && c.pfn != before.pfn && c.refs == 1);
    must(p.state == 'd' && p.pfn == before.pfn && p.refs == 1);
    step_end();
}

void story_parent_returns(void)
{
    uint64_t value = 0;
    struct pte before = pte_of(parent, ssp);
    step("The parent executes the same RET: the last owner needs no copy");
    bool came_back = ask(&parent_line, DO_RETURN, &value) && value == 0x600d;
    if (skip()) {
        must(came_back);
        return;
    }
    struct pte p = pte_of(parent, ssp);
    expect("parent (c) in the frame it had, 0x%lx", before.pfn);
    saw_pte("parent", &p);
    printf("    saw     %s\n",
           came_back ? "parent returned to where it was called from" : "parent did not come back");
    must(came_back && p.state == 'c' && p.pfn == before.pfn && p.refs == 1);
    step_end();
}

void story_data_copied(void)
{
    uint64_t value = 0;
    struct pte before = pte_of(child, (uint64_t)data_page);
    step("The child stores to the data page: copy on write");
    must(ask(&child_line, DO_STORE, &value) && value == 2);
    struct pte p = pte_of(parent, (uint64_t)data_page), c = pte_of(child, (uint64_t)data_page);
    expect("child (w) in another frame; parent still (a), now the only one");
    saw_pte("child", &c);
    saw_pte("parent", &p);
    must(c.state == 'w' && c.pfn != before.pfn && p.state == 'a' && p.pfn == before.pfn
         && p.refs == 1);
    step_end();
}

void story_data_reused(void)
{
    uint64_t value = 0;
    struct pte before = pte_of(parent, (uint64_t)data_page);
    step("The parent stores: the last owner needs no copy");
    must(ask(&parent_line, DO_STORE, &value) && value == 2);
    struct pte p = pte_of(parent, (uint64_t)data_page);
    expect("parent (w): W=1 D=1 in the frame it had, 0x%lx", before.pfn);
    saw_pte("parent", &p);
    must(p.state == 'w' && p.w && p.d && p.pfn == before.pfn && p.refs == 1);
    step_end();
}

void story_debugger(void)
{
    char path[64];
    uint64_t value = 42;
    step("A debugger writes to a read-only page of the child");
    (void)*(volatile const uint64_t *)constant_page;
    snprintf(path, sizeof(path), "/proc/%d/mem", child);
    int fd = open(path, O_RDWR);
    must(fd >= 0 && pwrite(fd, &value, sizeof(value), (off_t)constant_page) == sizeof(value));
    if (fd >= 0)
        close(fd);
    struct pte c = pte_of(child, (uint64_t)constant_page),
               own = pte_of(getpid(), (uint64_t)constant_page);
    expect("child (b): W=0 COW=1, a copy that stays read-only; the observer's page unchanged, (r)");
    saw_pte("child", &c);
    saw_pte("own", &own);
    must(c.state == 'b' && !c.w && c.cow && own.state == 'r' && own.pfn != c.pfn
         && constant_page[0] == 1);
    step_end();
}

void subject_end(void)
{
    char c = DO_EXIT;
    (void)!write(child_line.command[1], &c, 1);
    (void)!write(parent_line.command[1], &c, 1);
    waitpid(parent, NULL, 0);
}
