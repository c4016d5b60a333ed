/* SPDX-License-Identifier: MIT */
/* Proves: whoever touches a page that a program has to provide waits until it has, or until there
 * is nothing more to wait for; the pages of a shadow stack are such pages too. */
#define _GNU_SOURCE
#include "userfaultfd.h"

/* ---- Who waits ---------------------------------------------------------- */

static int ends[2];
static volatile int call_over;
static long call_result;

static void *reads(void *unused)
{
    call_result = read(ends[0], area, 10);
    call_over = 1;
    return unused;
}

static void *writes(void *unused)
{
    call_result = write(ends[1], area + PAGE, 10);
    call_over = 1;
    return unused;
}

static void *populates(void *unused)
{
    call_result = madvise(area + 2 * PAGE, PAGE, MADV_POPULATE_WRITE);
    call_over = 1;
    return unused;
}

TEST(the_kernels_own_accesses_wait, "")
{
    void *(*const calls[])(void *) = { reads, writes, populates };
    static const long results[] = { 10, 10, 0 };
    begin(O_NONBLOCK);
    CHECK_EQ(pipe(ends), 0);
    CHECK_EQ(write(ends[1], "0123456789", 10), 10);
    for (int i = 0; i < 3; i++) {
        pthread_t thread;
        call_over = 0;
        CHECK_EQ(pthread_create(&thread, NULL, calls[i], NULL), 0);
        message_is(area + i * PAGE, i != 1);
        CHECK(!call_over);
        CHECK_EQ(copy(area + i * PAGE, source, PAGE, 0), 0);
        CHECK(comes(&call_over));
        CHECK_EQ(call_result, results[i]);
        pthread_join(thread, NULL);
    }
    CHECK(memcmp(area, "0123456789xxx", 13) == 0);
    CHECK_EQ(read(ends[0], source, 10), 10);
    CHECK(memcmp(source, "xxxxxxxxxx", 10) == 0);
}

TEST(or_are_refused_if_the_file_says_so, "")
{
    begin(O_NONBLOCK | UFFD_USER_MODE_ONLY);
    CHECK_EQ(pipe(ends), 0);
    FAILS(write(ends[1], area, 10), EFAULT);
    CHECK_EQ(write(ends[1], "0123456789", 10), 10);
    FAILS(read(ends[0], area, 10), EFAULT);
    touch_begin(&toucher, area, true);
    message_is(area, true);
    CHECK_EQ(zero(area, PAGE, 0), 0);
    CHECK_EQ(touch_end(&toucher), 's');
}

static volatile int handled;
static void handler(int number) { handled = number; }

TEST(a_handler_runs_while_its_task_waits, "")
{
    begin(O_NONBLOCK);
    signal(SIGUSR1, handler);
    touch_begin(&toucher, area, false);
    message_is(area, false);
    CHECK_EQ(pthread_kill(toucher.thread, SIGUSR1), 0);
    CHECK(comes(&handled));
    message_is(area, false); /* it is there again */
    CHECK(!toucher.over);
    CHECK_EQ(copy(area, source, PAGE, 0), 0);
    CHECK_EQ(touch_end(&toucher), 'x');
}

/* ---- What ends a wait --------------------------------------------------- */

/* The message of a child of ours, whose memory is its own: it registers its own area and hands us
 * the file. */
static int child_waits(void)
{
    struct uffd_msg seen;
    int told[2];
    CHECK_EQ(pipe(told), 0);
    int pid = fork();
    if (pid == 0) {
        begin(O_NONBLOCK);
        touch_begin(&toucher, area, false);
        seen = message();
        CHECK_EQ(write(told[1], &seen, sizeof(seen)), sizeof(seen));
        for (;;)
            pause();
    }
    CHECK_EQ(read(told[0], &seen, sizeof(seen)), sizeof(seen));
    return pid;
}

TEST(a_task_that_waits_can_be_killed, "")
{
    int status, pid = child_waits();
    CHECK_EQ(kill(pid, SIGKILL), 0);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(WTERMSIG(status), SIGKILL);
}

static void *writes_out(void *unused)
{
    (void)!write(ends[1], area, 10);
    return unused;
}

static void kernel_waits_and_all_exit(void)
{
    pthread_t thread;
    begin(O_NONBLOCK);
    CHECK_EQ(pipe(ends), 0);
    CHECK_EQ(pthread_create(&thread, NULL, writes_out, NULL), 0);
    message_is(area, false);
    _exit(7);
}

TEST(the_kernel_that_waits_can_be_killed, "")
{
    CHECK_EQ(WEXITSTATUS(in_child(kernel_waits_and_all_exit, NULL)), 7);
}

static void exec_while_one_waits(void)
{
    begin(O_NONBLOCK);
    touch_begin(&toucher, area, false);
    message_is(area, false);
    CHECK(freopen("/dev/null", "w", stdout) != NULL);
    execl("/proc/self/exe", "runner", "", "no test", NULL);
}

TEST(exec_ends_those_that_wait, "") { CHECK_EQ(in_child(exec_while_one_waits, NULL), 0); }

TEST(closing_the_file_ends_the_wait, "close_wakes_nobody")
{
    begin(O_NONBLOCK);
    touch_begin(&toucher, area, false);
    message_is(area, false);
    CHECK_EQ(close(fd), 0);
    CHECK_EQ(touch_end(&toucher), 0); /* nobody is asked any more */
    area[PAGE] = 1;
}

TEST(unregistering_ends_the_wait, "")
{
    begin(O_NONBLOCK);
    touch_begin(&toucher, area + PAGE, false);
    message_is(area + PAGE, false);
    CHECK_EQ(unset(area + PAGE, PAGE), 0);
    CHECK_EQ(touch_end(&toucher), 0);
    touch_begin(&toucher, area, false); /* but not for the rest */
    message_is(area, false);
    CHECK_EQ(unset(area, PAGES * PAGE), 0);
    CHECK_EQ(touch_end(&toucher), 0);
}

static void unmap_under_a_waiter(void)
{
    begin(O_NONBLOCK);
    touch_begin(&toucher, area, false);
    message_is(area, false);
    CHECK_EQ(munmap(area, PAGES * PAGE), 0);
    FAILS(copy(area, source, PAGE, 0), ENOENT);
    CHECK_EQ(wake(area, PAGE), 0);
    (void)touch_end(&toucher);
}

TEST(what_was_unmapped_is_a_fault_after_the_wake, "")
{
    check_killed(unmap_under_a_waiter, SIGSEGV, SEGV_MAPERR, -1);
}

/* ---- Many --------------------------------------------------------------- */

#define CROWD 4

static void *touch_all(void *argument)
{
    long sum = 0, first = (long)argument;
    for (long i = 0; i < PAGES; i++)
        sum += *(volatile char *)(area + (first + i) % PAGES * PAGE);
    return (void *)sum;
}

TEST(a_snapshot_comes_back_page_by_page, "")
{
    pthread_t crowd[CROWD];
    unsigned got = 0;
    begin(O_NONBLOCK);
    for (long i = 0; i < CROWD; i++)
        CHECK_EQ(pthread_create(&crowd[i], NULL, touch_all, (void *)i), 0);
    while (got != (1u << PAGES) - 1) {
        char *at = (char *)message().address;
        if (copy(at, source, PAGE, 0)) { /* two asked for it */
            CHECK_EQ(errno, EEXIST);
            CHECK_EQ(wake(at, PAGE), 0);
        }
        got |= 1u << (at - area) / PAGE;
    }
    CHECK_EQ(wake(area, PAGES * PAGE), 0);
    for (int i = 0; i < CROWD; i++) {
        void *sum;
        CHECK_EQ(pthread_join(crowd[i], &sum), 0);
        CHECK_EQ(sum, PAGES * 'x');
    }
}

/* ---- Shadow stacks ------------------------------------------------------ */

static char *stack;

/* A shadow stack of two pages, the upper of which is to hold a restore token. */
static void stack_begin(void)
{
    begin(O_NONBLOCK);
    stack = (char *)raw3(SYS_map_shadow_stack, 0, 2 * PAGE, 0);
    CHECK((long)stack > 0);
    CHECK_EQ(set(fd, stack, 2 * PAGE), 0);
    memset(source, 0, PAGE);
    *(uint64_t *)(source + PAGE - 8) = (uint64_t)(stack + 2 * PAGE) | 1;
}

/* There and back, with all on the way that a shadow stack needs. */
static void *switches(void *unused)
{
    uint64_t ssp = rdssp();
    rstorssp((uint64_t)(stack + 2 * PAGE - 8));
    saveprevssp();
    call_result = getppid(); /* CALL and RET */
    rstorssp(ssp - 8);
    saveprevssp();
    call_over = 1;
    return unused;
}

static void store_to_stack(void) { *(volatile char *)(stack + PAGE) = 1; }

TEST_SHSTK(a_copy_into_a_shadow_stack_is_one, "fill_ordinary")
{
    stack_begin();
    CHECK_EQ(copy(stack + PAGE, source, PAGE, 0), 0);
    check_killed(store_to_stack, SIGSEGV, SEGV_ACCERR, 7);
    FAILS(copy(stack + PAGE, source, PAGE, 0), EEXIST);
    CHECK_EQ(zero(stack, PAGE, 0), 0);
    CHECK_EQ(*(volatile char *)stack, 0);
    penumbra_only();
    CHECK_EQ(pte_of(getpid(), (uint64_t)stack + PAGE).state, 'c');
    CHECK_EQ(pte_of(getpid(), (uint64_t)stack).state, 'r');
}

TEST_SHSTK(a_copy_elsewhere_is_no_shadow_stack, "")
{
    stack_begin();
    CHECK_EQ(copy(area, source, PAGE, 0), 0);
    area[PAGE - 1] = 1;
    penumbra_only();
    CHECK_EQ(pte_of(getpid(), (uint64_t)area).state, 'w');
    CHECK_EQ(mprotect(area + PAGE, PAGE, PROT_READ), 0);
    CHECK_EQ(copy(area + PAGE, source, PAGE, 0), 0);
    CHECK_EQ(pte_of(getpid(), (uint64_t)area + PAGE).state, 'b');
}

TEST_SHSTK(a_shadow_stack_access_waits_for_its_page, "")
{
    pthread_t thread;
    stack_begin();
    CHECK_EQ(pthread_create(&thread, NULL, switches, NULL), 0);
    message_is(stack + PAGE, true); /* any access to a shadow stack may write */
    CHECK(!call_over);
    CHECK_EQ(copy(stack + PAGE, source, PAGE, 0), 0);
    CHECK(comes(&call_over));
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(call_result, getppid());
}
