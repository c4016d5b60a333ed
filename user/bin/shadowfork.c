/* SPDX-License-Identifier: MIT */
/*
 * The story: one shadow-stack page and one data page go through every page-table state, before the
 * eyes of a third process.
 *
 * The subject forks in the middle of a function, without a library in between. From then on subject
 * and child do nothing but what the observer asks of them, one step at a time, with system calls
 * that neither CALL nor RET: each shadow-stack access is one the story calls for. The observer
 * reads their entries in /proc. On the kernel's test build plant=NAME on the command line switches
 * a planted defect on once the subject is ready; the story must then fail.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ptes.h"
#include "raw.h"

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

/* Obey until told to return (or to go). The child of DO_FORK comes out of it with *line changed
 * to its own. */
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

/* ---- The observer's tools ----------------------------------------------- */

static int steps, failures, skips;
static char first_failure[80];
static const char *step_name;
static bool step_ok;
static bool protected; /* programs here have shadow stacks */

static void step(const char *name)
{
    step_name = name;
    step_ok = true;
    printf("\n%2d. %s\n", ++steps, name);
}

__attribute__((format(printf, 1, 2))) static void expect(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("    expect  ");
    vprintf(format, args);
    printf("\n");
    va_end(args);
}

static void saw_pte(const char *who, const struct pte *pte)
{
    printf("    saw     %-6s ", who);
    pte_print(stdout, pte);
    printf("\n");
}

static void must(bool as_expected) { step_ok = step_ok && as_expected; }

/* plant=NAME on the command line: the defect that the story must notice; "none" takes it away. */
static void plant(const char *name)
{
    if (file_put_text("/proc/defect", name) && strcmp(name, "none"))
        printf("(this kernel has no planted defect \"%s\")\n", name);
}

/* A planted defect is taken away once it is noticed: it might hit the teller as well. */
static void step_end(void)
{
    printf("    %s\n", step_ok ? "as expected" : "NOT AS EXPECTED");
    if (!step_ok && failures++ == 0)
        snprintf(first_failure, sizeof(first_failure), "%d (%s)", steps, step_name);
    if (!step_ok)
        plant("none");
    fflush(stdout);
}

/* A step that needs a shadow stack where there is none. */
static bool skip(void)
{
    if (protected)
        return false;
    printf("    SKIP: no shadow stack here (the kernel's log says why)\n");
    skips++;
    return true;
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

/* ---- The story: fork and copy on access --------------------------------- */

static int parent, child; /* the subject and its child */
static uint64_t ssp;      /* where both stacks' top is */

static bool subject_start(void)
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

static void story_fresh(void)
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

static void story_fork(void)
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

static void story_data_shared(void)
{
    step("fork shares a written data page the same way");
    struct pte p = pte_of(parent, (uint64_t)data_page), c = pte_of(child, (uint64_t)data_page);
    expect("parent and child (a): W=0 D=0 COW=1, the same frame, two references");
    saw_pte("parent", &p);
    saw_pte("child", &c);
    must(p.state == 'a' && c.state == 'a' && p.pfn == c.pfn && p.refs == 2);
    step_end();
}

static void story_child_returns(void)
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

static void story_parent_returns(void)
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

static void story_data_copied(void)
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

static void story_data_reused(void)
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

static void story_debugger(void)
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

static void subject_end(void)
{
    char c = DO_EXIT;
    (void)!write(child_line.command[1], &c, 1);
    (void)!write(parent_line.command[1], &c, 1);
    waitpid(parent, NULL, 0);
}

/* ---- The story: refusals ------------------------------------------------ */

/* Run attempt in a child; its wait status, and what the kernel recorded of a refusal. */
static int attempt_run(void (*attempt)(void), struct refusal *refusal)
{
    int status = -1;
    fflush(stdout);
    int pid = fork();
    if (pid == 0) {
        attempt();
        _exit(0);
    }
    waitpid(pid, &status, 0);
    if (!refusal_of(pid, refusal))
        memset(refusal, 0, sizeof(*refusal));
    return status;
}

static const char *code_text(int code)
{
    return code == 1    ? "SEGV_MAPERR"
           : code == 2  ? "SEGV_ACCERR"
           : code == 10 ? "SEGV_CPERR"
                        : "no code";
}

static void saw_refusal(const char *who, int status, const struct refusal *refusal)
{
    if (WIFSIGNALED(status))
        printf("    saw     %-6s killed by signal %d, %s, error code 0x%lx, address 0x%lx\n", who,
               WTERMSIG(status), code_text(refusal->code), refusal->error, refusal->addr);
    else
        printf("    saw     %-6s exit status %d\n", who, WEXITSTATUS(status));
}

static bool refused(int status, const struct refusal *refusal, int code)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV && refusal->code == code;
}

static void attempt_store(void)
{
    *(volatile uint64_t *)rdssp() = 0x41414141;
    raw_exit(0);
}

static void story_store(void)
{
    struct refusal refusal;
    step("A program stores to its own shadow stack directly");
    if (skip())
        return;
    expect("SIGSEGV, SEGV_ACCERR, error code 0x7: a store by the user to a page that is present");
    int status = attempt_run(attempt_store, &refusal);
    saw_refusal("child", status, &refusal);
    must(refused(status, &refusal, 2) && refusal.error == 7);
    step_end();
}

/* void smash(void (*to)(void)): overwrite the own return address and return. */
void smash(void (*to)(void));
__asm__(".text\nsmash: mov %rdi, (%rsp)\n ret\n");

static void gadget(void) { raw_exit(66); }

static void attempt_smash(void) { smash(gadget); }

static void attempt_smash_unprotected(void)
{
    raw_arch_prctl(ARCH_SHSTK_DISABLE, ARCH_SHSTK_SHSTK);
    smash(gadget);
}

static void story_smash(void)
{
    struct refusal with = { 0 }, without;
    step("A smashed return address, with and without a shadow stack side by side");
    if (protected)
        expect("with: SIGSEGV, SEGV_CPERR (#CP, near RET)");
    expect("without: the attacker's code runs and exits with 66");
    int status = protected ? attempt_run(attempt_smash, &with) : 0;
    int status_without = attempt_run(attempt_smash_unprotected, &without);
    if (protected)
        saw_refusal("with", status, &with);
    saw_refusal("without", status_without, &without);
    must(!protected || (refused(status, &with, 10) && with.error == 1));
    must(WIFEXITED(status_without) && WEXITSTATUS(status_without) == 66);
    step_end();
}

static uint64_t one_page_stack(void)
{
    return (uint64_t)raw3(SYS_map_shadow_stack, 0, 4096, SHADOW_STACK_SET_TOKEN);
}

static void attempt_guard_below(void)
{
    volatile uint64_t *stack = (uint64_t *)one_page_stack();
    (void)stack[0];
    (void)stack[-1];
}

static void attempt_guard_above(void)
{
    volatile uint64_t *stack = (uint64_t *)one_page_stack();
    (void)stack[511];
    (void)stack[512];
}

static void story_guards(void)
{
    struct refusal below, above;
    step("Guard pages lie at both ends of a shadow stack");
    if (skip())
        return;
    expect("a load just below and one just above: SIGSEGV, SEGV_MAPERR");
    int status_below = attempt_run(attempt_guard_below, &below),
        status_above = attempt_run(attempt_guard_above, &above);
    saw_refusal("below", status_below, &below);
    saw_refusal("above", status_above, &above);
    must(refused(status_below, &below, 1) && refused(status_above, &above, 1));
    step_end();
}

static void story_walker(void)
{
    unsigned now = 99, total = 99;
    step("The walker looks at every entry for state (e), W=0 D=1 on ordinary memory");
    expect("0 found");
    must(check_counts(&now, &total) && now == 0 && total == 0);
    printf("    saw     %u found now, %u since boot\n", now, total);
    step_end();
}

/* ---- Beginning and end -------------------------------------------------- */

static const char *planted(void)
{
    static char name[32];
    const char *word = strstr(file_text("/proc/cmdline"), "plant=");
    if (word)
        sscanf(word + 6, "%31s", name);
    return name;
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    protected = rdssp() != 0;
    printf("shadowfork: how a shadow stack lives through fork()\n");
    const char *defect = planted();
    if (!subject_start()) {
        printf("shadowfork: the subject does not start\n");
        return 1;
    }
    if (defect[0])
        plant(defect);
    story_fresh();
    story_fork();
    story_data_shared();
    story_child_returns();
    story_parent_returns();
    story_data_copied();
    story_data_reused();
    story_debugger();
    subject_end();
    story_store();
    story_smash();
    story_guards();
    story_walker();
    if (defect[0])
        plant("none");
    printf("\nshadowfork: %d of %d steps as expected", steps - failures - skips, steps);
    if (skips)
        printf(", %d skipped: no shadow stacks here", skips);
    printf("\n");
    if (failures)
        printf("shadowfork: step %s failed\n", first_failure);
    return failures != 0;
}
