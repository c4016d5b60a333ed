/* SPDX-License-Identifier: MIT */
/* Proves: waitid() and wait4() find the children that they are asked for, and say of them what
 * Linux says. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "test.h"

static long wait_id(int which, int id, siginfo_t *info, int options, struct rusage *usage)
{
    return syscall(SYS_waitid, which, id, info, options, usage);
}

static int ending(int status)
{
    int child = fork();
    if (child == 0)
        _exit(status);
    return child;
}

TEST(waitid_tells_how_a_child_ended, "")
{
    siginfo_t info;
    memset(&info, 0x55, sizeof(info));
    int child = ending(7);
    CHECK_EQ(wait_id(P_PID, child, &info, WEXITED, NULL), 0);
    CHECK_EQ(info.si_signo, SIGCHLD);
    CHECK_EQ(info.si_errno, 0);
    CHECK_EQ(info.si_code, CLD_EXITED);
    CHECK_EQ(info.si_pid, child);
    CHECK_EQ(info.si_uid, 0);
    CHECK_EQ(info.si_status, 7);
    child = fork();
    if (child == 0)
        raise(SIGKILL);
    CHECK_EQ(wait_id(P_ALL, 0, &info, WEXITED, NULL), 0);
    CHECK_EQ(info.si_code, CLD_KILLED);
    CHECK_EQ(info.si_pid, child);
    CHECK_EQ(info.si_status, SIGKILL);
    CHECK_EQ(wait_id(P_PID, ending(0), NULL, WEXITED, NULL), 0);
}

TEST(waitid_clears_what_it_has_nothing_to_say_about, "")
{
    siginfo_t info;
    int pad[2];
    memset(&info, 0x55, sizeof(info));
    FAILS(wait_id(P_ALL, 0, &info, WEXITED, NULL), ECHILD);
    CHECK(info.si_signo == 0 && info.si_code == 0 && info.si_pid == 0 && info.si_status == 0);
    memcpy(pad, (char *)&info + 12, 4);
    memcpy(pad + 1, (char *)&info + 28, 4);
    CHECK(pad[0] == 0x55555555 && pad[1] == 0x55555555);
    int child = fork();
    if (child == 0) {
        for (;;)
            pause();
    }
    memset(&info, 0x55, sizeof(info));
    CHECK_EQ(wait_id(P_ALL, 0, &info, WEXITED | WNOHANG, NULL), 0);
    CHECK(info.si_signo == 0 && info.si_pid == 0);
    CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
    kill(child, SIGKILL);
    FAILS(wait_id(P_PID, child, (void *)8, WEXITED, NULL), EFAULT);
    FAILS(wait_id(P_PID, child, NULL, WEXITED, NULL), ECHILD);
}

TEST(a_child_that_was_only_looked_at_can_be_waited_for_again, "")
{
    siginfo_t info;
    int status, child = ending(3);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(wait_id(P_PID, child, &info, WEXITED | WNOWAIT, NULL), 0);
        CHECK_EQ(info.si_status, 3);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(WEXITSTATUS(status), 3);
    FAILS(waitpid(child, &status, 0), ECHILD);
}

TEST(waitid_refuses_what_linux_refuses, "")
{
    siginfo_t info;
    FAILS(wait_id(P_ALL, 0, &info, 0, NULL), EINVAL);
    FAILS(wait_id(P_ALL, 0, &info, WNOHANG | WNOWAIT, NULL), EINVAL);
    FAILS(wait_id(P_ALL, 0, &info, WEXITED | 0x100, NULL), EINVAL);
    FAILS(wait_id(P_PID, 0, &info, WEXITED, NULL), EINVAL);
    FAILS(wait_id(P_PID, -1, &info, WEXITED, NULL), EINVAL);
    FAILS(wait_id(P_PGID, -1, &info, WEXITED, NULL), EINVAL);
    FAILS(wait_id(4, 1, &info, WEXITED, NULL), EINVAL);
    FAILS(wait_id(3, -1, &info, WEXITED, NULL), EINVAL);
    FAILS(wait_id(3, 1000, &info, WEXITED, NULL), EBADF);
    FAILS(wait_id(P_ALL, 0, &info, WEXITED | WSTOPPED | WCONTINUED, NULL), ECHILD);
}

TEST(an_end_that_is_not_asked_for_is_not_reported, "")
{
    siginfo_t info;
    int child = ending(0);
    CHECK_EQ(wait_id(P_PID, child, &info, WEXITED | WNOWAIT, NULL), 0);
    FAILS(wait_id(P_ALL, 0, &info, WSTOPPED | WCONTINUED, NULL), ECHILD);
    CHECK_EQ(waitpid(child, NULL, 0), child);
}

TEST(waitid_can_name_a_group, "")
{
    siginfo_t info;
    int ends[2];
    char byte;
    CHECK(pipe(ends) == 0);
    int own = ending(1), other = fork();
    if (other == 0) {
        close(ends[1]);
        (void)!read(ends[0], &byte, 1);
        _exit(2);
    }
    CHECK_EQ(setpgid(other, 0), 0);
    close(ends[1]);
    CHECK_EQ(wait_id(P_PGID, other, &info, WEXITED, NULL), 0);
    CHECK(info.si_pid == other && info.si_status == 2);
    CHECK_EQ(wait_id(P_PGID, 0, &info, WEXITED, NULL), 0);
    CHECK(info.si_pid == own && info.si_status == 1);
    FAILS(wait_id(P_PGID, other, &info, WEXITED, NULL), ECHILD);
}

/* ---- Whose child -------------------------------------------------------- */

static void *make_child(void *unused)
{
    (void)unused;
    int child = ending(5);
    CHECK_EQ(wait_id(P_PID, child, NULL, WEXITED | WNOWAIT | __WNOTHREAD, NULL), 0);
    return (void *)(long)child;
}

TEST(a_thread_may_wait_for_its_own_children_alone, "")
{
    pthread_t maker;
    void *result;
    int own = ending(4), status;
    CHECK_EQ(pthread_create(&maker, NULL, make_child, NULL), 0);
    CHECK_EQ(pthread_join(maker, &result), 0);
    int theirs = (int)(long)result;
    CHECK_EQ(waitpid(own, &status, __WNOTHREAD), own);
    /* the maker has ended: its children are the others' now */
    CHECK_EQ(waitpid(theirs, &status, __WNOTHREAD), theirs);
    CHECK_EQ(WEXITSTATUS(status), 5);
}

static volatile int done, made;
static void *make_and_stay(void *unused)
{
    made = ending(6);
    while (!done)
        usleep(1000);
    return unused;
}

TEST(the_children_of_another_thread_are_left_out_on_request, "")
{
    pthread_t maker;
    CHECK_EQ(pthread_create(&maker, NULL, make_and_stay, NULL), 0);
    while (!made)
        usleep(1000);
    FAILS(waitpid(made, NULL, __WNOTHREAD), ECHILD);
    CHECK_EQ(waitpid(made, NULL, 0), made);
    done = 1;
    pthread_join(maker, NULL);
}

/* ---- What a child used -------------------------------------------------- */

#define BYTES (8l << 20)

/* Use some of everything that is counted. */
static void use(void)
{
    struct timespec pause = { 0, 1000000 }, time;
    char *memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (long at = 0; at < BYTES; at += 4096)
        memory[at] = 1;
    for (int i = 0; i < 5; i++)
        nanosleep(&pause, NULL);
    do
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    while (time.tv_sec == 0 && time.tv_nsec < 30000000);
}

static void check_use(const struct rusage *usage)
{
    long used_us = usage->ru_utime.tv_sec * 1000000 + usage->ru_utime.tv_usec
                   + usage->ru_stime.tv_sec * 1000000 + usage->ru_stime.tv_usec;
    CHECK(used_us >= 30000 - 1);
    CHECK(usage->ru_maxrss >= BYTES / 1024);
    CHECK(usage->ru_minflt >= BYTES / 4096);
    CHECK(usage->ru_nvcsw >= 5);
    CHECK(usage->ru_majflt == 0 && usage->ru_nswap == 0);
}

static void use_in_a_child(void) { CHECK_EQ(in_child(use, NULL), 0); }

TEST(wait_tells_what_a_child_and_its_children_used, "")
{
    struct rusage usage, children;
    int child = fork();
    if (child == 0) {
        use_in_a_child();
        _exit(0);
    }
    memset(&usage, 0x55, sizeof(usage));
    CHECK_EQ(wait_id(P_PID, child, NULL, WEXITED | WNOWAIT, &usage), 0);
    check_use(&usage);
    CHECK_EQ(getrusage(RUSAGE_CHILDREN, &children), 0);
    CHECK(children.ru_minflt == 0 && children.ru_maxrss == 0); /* not yet */
    memset(&usage, 0x55, sizeof(usage));
    CHECK_EQ(wait4(child, NULL, 0, &usage), child);
    check_use(&usage);
    CHECK_EQ(getrusage(RUSAGE_CHILDREN, &children), 0);
    CHECK_EQ(memcmp(&usage, &children, 144), 0);
}
