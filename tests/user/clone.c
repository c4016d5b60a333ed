/* SPDX-License-Identifier: MIT */
/* Proves: clone() gives a child process the parent's files, working directory, memory or parent, as
 * its flags say, and copies else. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "test.h"
#include "thread.h"

/* Run function in a child process made with these flags; its wait status. */
static int in_clone(uint64_t flags, void (*function)(void))
{
    int status = -1;
    long child = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
    if (child == 0) {
        function();
        _exit(0);
    }
    CHECK(child > 0 && waitpid((int)child, &status, 0) == child);
    return status;
}

/* ---- Files -------------------------------------------------------------- */

static void open_nine(void) { CHECK_EQ(dup2(0, 9), 9); }
static void close_nine(void) { CHECK_EQ(close(9), 0); }

TEST(a_child_may_share_the_open_files, "")
{
    FAILS(fcntl(9, F_GETFD), EBADF);
    CHECK_EQ(in_clone(CLONE_FILES, open_nine), 0);
    CHECK_EQ(fcntl(9, F_GETFD), 0);
    CHECK_EQ(in_clone(CLONE_FS, close_nine), 0); /* its copy */
    CHECK_EQ(fcntl(9, F_GETFD), 0);
    CHECK_EQ(in_clone(CLONE_FILES, close_nine), 0);
    FAILS(fcntl(9, F_GETFD), EBADF);
}

static void exec_nothing(void)
{
    setenv("CLONE_EXEC", "1", 1);
    execl("/proc/self/exe", "nothing", (char *)NULL);
    _exit(errno);
}
__attribute__((constructor)) static void end_if_asked(void)
{
    if (getenv("CLONE_EXEC"))
        _exit(fcntl(9, F_GETFD) == -1 ? 0 : 1);
}

TEST(exec_ends_the_sharing_of_open_files, "exec_shares_files")
{
    CHECK_EQ(dup3(0, 9, O_CLOEXEC), 9);
    CHECK_EQ(in_clone(CLONE_FILES, exec_nothing), 0);
    CHECK_EQ(fcntl(9, F_GETFD), FD_CLOEXEC);
}

static void unshare_and_close(void)
{
    CHECK_EQ(raw1(SYS_unshare, CLONE_FILES), 0);
    CHECK_EQ(close(9), 0);
}

TEST(a_child_may_cease_to_share_the_open_files, "")
{
    CHECK_EQ(dup2(0, 9), 9);
    CHECK_EQ(in_clone(CLONE_FILES, unshare_and_close), 0);
    CHECK_EQ(fcntl(9, F_GETFD), 0);
}

/* ---- Working directory -------------------------------------------------- */

static void move(void)
{
    CHECK_EQ(chdir("/proc"), 0);
    umask(027);
}
static void unshare_and_move(void)
{
    CHECK_EQ(raw1(SYS_unshare, CLONE_FS), 0);
    move();
}
static const char *folder(void)
{
    static char path[256];
    return getcwd(path, sizeof(path)) ? path : "?";
}

TEST(a_child_may_share_the_working_directory, "")
{
    CHECK_EQ(chdir("/"), 0);
    umask(022);
    CHECK_EQ(in_clone(CLONE_FILES, move), 0); /* its copy */
    CHECK_EQ(in_clone(CLONE_FS, unshare_and_move), 0);
    CHECK_EQ(strcmp(folder(), "/"), 0);
    CHECK_EQ(umask(022), 022);
    CHECK_EQ(in_clone(CLONE_FS, move), 0);
    CHECK_EQ(strcmp(folder(), "/proc"), 0);
    CHECK_EQ(umask(022), 027);
}

/* ---- Memory ------------------------------------------------------------- */

static struct raw_thread one;
static volatile int word;
static void store(void *value) { word = (int)(long)value; }

/* Run store(value) in a child process with these flags, on a stack of its own. */
static void store_in_clone(uint64_t flags, int value)
{
    long child = thread_call(SYS_clone, (long)flags, (long)(one.stack + sizeof(one.stack)),
                             (long)&one.tid, (long)&one.tid, 0, store, (void *)(long)value);
    CHECK(child > 0);
    CHECK_EQ(waitpid((int)child, NULL, 0), child);
}

TEST(a_child_may_share_the_memory, "")
{
    store_in_clone(SIGCHLD, 1);
    CHECK_EQ(word, 0); /* its copy */
    store_in_clone(SIGCHLD | CLONE_VM, 2);
    CHECK_EQ(word, 2);
    store_in_clone(SIGCHLD | CLONE_VM | CLONE_VFORK, 3);
    CHECK_EQ(word, 3);
}

TEST(a_childs_number_is_stored_and_cleared_where_the_flags_say, "")
{
    one.tid = -1;
    store_in_clone(SIGCHLD | CLONE_PARENT_SETTID, 0);
    CHECK(one.tid > 0);
    store_in_clone(SIGCHLD | CLONE_VM | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID, 0);
    CHECK_EQ(one.tid, 0);
    one.tid = -1;
    store_in_clone(SIGCHLD | CLONE_CHILD_SETTID, 0); /* in its copy */
    CHECK_EQ(one.tid, -1);
    store_in_clone(SIGCHLD | CLONE_VM | CLONE_CHILD_SETTID, 0);
    CHECK(one.tid > 0);
}

/* ---- Parents ------------------------------------------------------------ */

static int grandparent;
static void check_parent(void) { CHECK_EQ(getppid(), grandparent); }

/* The status of the child that in_clone() cannot wait for goes to the grandparent. */
static void make_sibling(void)
{
    long child = syscall(SYS_clone, (long)(CLONE_PARENT | SIGUSR1), 0, 0, 0, 0);
    if (child == 0) {
        check_parent();
        CHECK_EQ(getpgrp(), getpgid(grandparent));
        _exit(9);
    }
    CHECK(child > 0);
    FAILS(waitpid((int)child, NULL, __WALL), ECHILD);
    FAILS(waitpid(-1, NULL, 0), ECHILD);
}

TEST(a_child_may_be_the_parents_sibling, "")
{
    int status;
    grandparent = getpid();
    CHECK_EQ(in_clone(0, make_sibling), 0);
    CHECK(waitpid(-1, &status, 0) > 0); /* by the sibling's exit signal, which the maker's was */
    CHECK_EQ(WEXITSTATUS(status), 9);
}

static void vfork_sibling(void)
{
    store(NULL);
    long child = thread_call(SYS_clone, CLONE_PARENT | CLONE_VM | CLONE_VFORK,
                             (long)(one.stack + sizeof(one.stack)), 0, 0, 0, store, (void *)4);
    CHECK(child > 0);
    CHECK_EQ(word, 4); /* the maker waited, though the child is its parent's */
}

TEST(the_maker_of_a_sibling_gets_its_memory_back, "")
{
    CHECK_EQ(in_clone(0, vfork_sibling), 0);
    CHECK(waitpid(-1, NULL, 0) > 0);
}

/* Make a child that outlives this process, and tells its parent's number then. */
static void make_orphan(void)
{
    int parent = getpid();
    if (fork() == 0) {
        while (getppid() == parent)
            usleep(1000);
        _exit(getppid() == grandparent ? 11 : 12);
    }
}

TEST(orphans_go_to_the_nearest_subreaper, "")
{
    int status, is;
    grandparent = getpid();
    CHECK_EQ(prctl(PR_GET_CHILD_SUBREAPER, &is), 0);
    CHECK_EQ(is, 0);
    CHECK_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    CHECK_EQ(prctl(PR_GET_CHILD_SUBREAPER, &is), 0);
    CHECK_EQ(is, 1);
    FAILS(prctl(PR_GET_CHILD_SUBREAPER, 8), EFAULT);
    CHECK_EQ(in_child(make_orphan, NULL), 0);
    CHECK(waitpid(-1, &status, 0) > 0);
    CHECK_EQ(WEXITSTATUS(status), 11);
}

static void make_zombie(void)
{
    int child = fork();
    if (child == 0)
        _exit(0);
    CHECK_EQ(waitid(P_PID, (id_t)child, NULL, WEXITED | WNOWAIT), 0);
}

TEST(a_subreaper_is_told_of_the_zombies_that_it_gets, "")
{
    CHECK_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    CHECK_EQ(in_child(make_zombie, NULL), 0);
    CHECK(wait(NULL) > 0); /* the grandchild */
    signal(SIGCHLD, SIG_IGN);
    int child = fork();
    if (child == 0) {
        signal(SIGCHLD, SIG_DFL);
        make_zombie();
        _exit(0);
    }
    FAILS(wait(NULL), ECHILD); /* once nobody is left: both vanished */
}

/* ---- What is refused ---------------------------------------------------- */

static void refused(void)
{
    CHECK_EQ(raw1(SYS_clone, CLONE_SIGHAND | SIGCHLD), -EINVAL);
    CHECK_EQ(raw1(SYS_clone, CLONE_THREAD | CLONE_VM | SIGCHLD), -EINVAL);
    CHECK_EQ(raw1(SYS_unshare, 1), -EINVAL);
    CHECK_EQ(raw1(SYS_unshare, CLONE_VFORK), -EINVAL);
    CHECK_EQ(raw1(SYS_unshare, 0), 0);
    CHECK_EQ(raw1(SYS_unshare,
                  CLONE_FILES | CLONE_FS | CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM),
             0);
}

TEST(clone_and_unshare_refuse_what_linux_refuses, "") { CHECK_EQ(in_child(refused, NULL), 0); }

TEST(clone_ignores_flags_that_mean_nothing_here, "")
{
    CHECK_EQ(in_clone(CLONE_SYSVSEM | CLONE_UNTRACED | CLONE_IO | CLONE_DETACHED | CLONE_PTRACE
                          | 1ul << 40,
                      make_zombie),
             0);
}

/* Call clone3 with these flags and this exit signal; what the child's wait status is. */
static int in_clone3(uint64_t flags, uint64_t signal, int options)
{
    struct clone_args args = { .flags = flags, .exit_signal = signal };
    int status = -1;
    long child = syscall(SYS_clone3, &args, sizeof(args));
    if (child == 0) {
        struct sigaction usr1, usr2;
        sigaction(SIGUSR1, NULL, &usr1);
        sigaction(SIGUSR2, NULL, &usr2);
        _exit((usr1.sa_handler == SIG_DFL) + 2 * (usr2.sa_handler == SIG_IGN));
    }
    CHECK(child < 0 || waitpid((int)child, &status, options) == child);
    return child < 0 ? -1 : WEXITSTATUS(status);
}

static void handle(int signal) { (void)signal; }

TEST(clone3_can_reset_the_handlers_of_signals, "")
{
    signal(SIGUSR1, handle);
    signal(SIGUSR2, SIG_IGN);
    CHECK_EQ(in_clone3(0, SIGCHLD, 0), 2);
    CHECK_EQ(in_clone3(1ull << 32, SIGCHLD, 0), 3);
    CHECK_EQ(in_clone3(0, 0, __WCLONE), 2);
    FAILS(in_clone3(0, 65, 0), EINVAL);
    FAILS(in_clone3(SIGCHLD, 0, 0), EINVAL);
    FAILS(in_clone3(CLONE_PARENT, SIGCHLD, 0), EINVAL);
    FAILS(in_clone3(CLONE_VM | CLONE_SIGHAND | 1ull << 32, SIGCHLD, 0), EINVAL);
    FAILS(in_clone3(1ull << 33, SIGCHLD, 0), EINVAL);
}
