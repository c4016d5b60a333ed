/* SPDX-License-Identifier: MIT */
/* Races of one thread's calls against the shadow stack that another thread is using. */
#define _GNU_SOURCE
#include "attacks.h"

#include <sys/mman.h>
#include <sys/wait.h>

#include "thread.h"

#define PAGE   4096
#define ROUNDS 10
#define USES   2000 /* CALLs and RETs beside calls that are refused */

static struct raw_thread thread;
static volatile uint64_t page;  /* of the shadow stack in use */
static volatile uint64_t count; /* uses so far */
static volatile int stop;

__attribute__((noinline)) static void use_once(void) { count++; }

static void use(uint64_t times)
{
    page = rdssp() & -(uint64_t)PAGE;
    while (!times || count < times)
        use_once();
    stop = 1;
}

/* Beside an mprotect that asks for PROT_WRITE there is no moment that lets read(2) through. */
static void ask(void *unused)
{
    (void)unused;
    long zero = raw3(SYS_open, (long)"/dev/zero", 0, 0);
    while (!page) {}
    while (!stop) {
        raw3(SYS_mprotect, (long)page, PAGE, PROT_READ | PROT_WRITE);
        win_if(raw_read((int)zero, (void *)page, 8) > 0);
    }
}

static void race_protect(void)
{
    thread_start(&thread, ask, NULL);
    use(USES);
    thread_join(&thread);
}

/* Wait until the stack is in use. */
RAW void await_use(void)
{
    while (!page || count < 50) {}
}

/* The stack's user must be gone, but for a use that has begun: whoever goes on has kept a frame
 * that may be somebody else's by now. */
RAW void expect_end(void)
{
    uint64_t now = count;
    for (int i = 0; i < 20; i++)
        raw0(SYS_sched_yield);
    win_if(count > now + 1);
}

static void replace(void *unused)
{
    (void)unused;
    await_use();
    uint64_t at = page;
    raw2(SYS_munmap, (long)at, PAGE);
    forged_page(at);
    expect_end();
}

static void move(void *unused)
{
    (void)unused;
    await_use();
    uint64_t at = page, to = forged_page(0);
    raw6(SYS_mremap, (long)at, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, (long)to, 0);
    forged_page(at);
    expect_end();
}

/* In each round a process dies by SIGSEGV, and never runs gadget(). */
static void rounds(void (*racer)(void *))
{
    for (int i = 0; i < ROUNDS; i++) {
        int status = 0;
        long pid = raw0(SYS_fork);
        if (pid == 0) {
            thread_start(&thread, racer, NULL);
            use(0);
        }
        broken_if(pid < 0 || raw6(SYS_wait4, pid, (long)&status, 0, 0, 0, 0) != pid);
        win_if(!WIFSIGNALED(status) || WTERMSIG(status) != SIGSEGV);
    }
    held();
}

static void race_replace(void) { rounds(replace); }
static void race_move(void) { rounds(move); }

#define NOTHING "there is nothing to race for"
const struct attack races_attacks[] = {
    { "race-protect", "mprotect(PROT_WRITE) and read(2) against a stack in use", REFUSED,
      race_protect, NOTHING },
    { "race-replace", "munmap and mmap under a stack in use", HELD, race_replace, NOTHING },
    { "race-move", "mremap of a stack in use", HELD, race_move, NOTHING },
    { 0 },
};
