/* SPDX-License-Identifier: MIT */
/* Proves: processes, pipes, files and signals behave as on Linux. */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>

#include "test.h"

static void exit_seven(void) { _exit(7); }
static void kill_myself(void) { raise(SIGTERM); }

TEST(wait_reports_status_and_signal, "")
{
    CHECK_EQ(WEXITSTATUS(in_child(exit_seven, NULL)), 7);
    CHECK_EQ(WTERMSIG(in_child(kill_myself, NULL)), SIGTERM);
    CHECK(wait(NULL) == -1 && errno == ECHILD);
}

TEST(ignored_signals_do_nothing_and_handlers_are_stored, "")
{
    signal(SIGTERM, SIG_IGN);
    CHECK_EQ(raise(SIGTERM), 0);
    struct sigaction old;
    CHECK_EQ(sigaction(SIGTERM, NULL, &old), 0);
    CHECK(old.sa_handler == SIG_IGN);
    CHECK(kill(999999, 0) == -1 && errno == ESRCH);
    CHECK(kill(getpid(), 99) == -1 && errno == EINVAL);
}

TEST(a_pipe_carries_more_than_it_holds, "")
{
    int ends[2], status;
    static char block[100000];
    CHECK(pipe(ends) == 0);
    int child = fork();
    if (child == 0) {
        memset(block, 'p', sizeof(block));
        _exit(write(ends[1], block, sizeof(block)) == sizeof(block) ? 0 : 1);
    }
    close(ends[1]);
    size_t total = 0;
    for (ssize_t got; (got = read(ends[0], block, sizeof(block))) > 0;)
        total += (size_t)got;
    CHECK_EQ(total, 100000);
    waitpid(child, &status, 0);
    CHECK_EQ(status, 0);
}

TEST(a_failed_read_leaves_the_bytes_in_the_pipe, "")
{
    int ends[2];
    char bytes[4] = "";
    CHECK(pipe(ends) == 0 && write(ends[1], "abc", 3) == 3);
    CHECK(read(ends[0], (void *)8, 3) == -1 && errno == EFAULT);
    CHECK(read(ends[0], bytes, 4) == 3 && strcmp(bytes, "abc") == 0);
}

static void write_to_nobody(void)
{
    int ends[2];
    CHECK(pipe(ends) == 0);
    close(ends[0]);
    (void)!write(ends[1], "x", 1);
}

TEST(a_write_to_a_pipe_without_readers_is_sigpipe, "")
{
    CHECK_EQ(WTERMSIG(in_child(write_to_nobody, NULL)), SIGPIPE);
}

static volatile int spinning;
static void spin_for_ever(void)
{
    for (;;)
        spinning = 1;
}

TEST(a_busy_process_is_preempted_and_can_be_killed, "")
{
    int status, child = fork();
    if (child == 0)
        spin_for_ever();
    struct timespec pause = { 0, 30000000 };
    CHECK_EQ(nanosleep(&pause, NULL), 0);
    CHECK_EQ(kill(child, SIGKILL), 0);
    waitpid(child, &status, 0);
    CHECK_EQ(WTERMSIG(status), SIGKILL);
}

TEST(clocks_go_forward_and_sleep_sleeps, "")
{
    struct timespec a, b, pause = { 0, 20000000 };
    clock_gettime(CLOCK_MONOTONIC, &a);
    nanosleep(&pause, NULL);
    clock_gettime(CLOCK_MONOTONIC, &b);
    CHECK((b.tv_sec - a.tv_sec) * 1000000000L + b.tv_nsec - a.tv_nsec >= 20000000);
}

static void exec_missing(void)
{
    execl("/bin/nothing", "nothing", (char *)NULL);
    _exit(errno);
}
static void exec_text(void)
{
    execl("/proc/uptime", "uptime", (char *)NULL);
    _exit(errno == EACCES || errno == ENOEXEC ? 8 : errno);
}

TEST(exec_of_nonsense_leaves_the_process_alone, "")
{
    CHECK_EQ(WEXITSTATUS(in_child(exec_missing, NULL)), ENOENT);
    CHECK_EQ(WEXITSTATUS(in_child(exec_text, NULL)), 8);
}

TEST(files_can_be_written_and_read_back, "")
{
    char text[16] = "";
    struct stat stat;
    int fd = open("/note", O_RDWR | O_CREAT | O_TRUNC, 0644);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, "hello world", 11), 11);
    CHECK_EQ(lseek(fd, 6, SEEK_SET), 6);
    CHECK_EQ(read(fd, text, sizeof(text)), 5);
    CHECK_EQ(strcmp(text, "world"), 0);
    CHECK_EQ(fstat(fd, &stat), 0);
    CHECK_EQ(stat.st_size, 11);
    CHECK(open("/no/such/file", O_RDONLY) == -1 && errno == ENOENT);
    CHECK(read(99, text, 1) == -1 && errno == EBADF);
    CHECK_EQ(unlink("/note"), 0);
}

TEST(links_and_removed_folders_lead_nowhere, "")
{
    char entries[512];
    CHECK_EQ(symlink("/no/where", "/dangling"), 0);
    CHECK(open("/dangling", O_WRONLY | O_CREAT, 0644) == -1 && errno == ENOENT);
    CHECK_EQ(unlink("/dangling"), 0);
    CHECK_EQ(mkdir("/outer", 0755), 0);
    CHECK_EQ(mkdir("/outer/inner", 0755), 0);
    int fd = open("/outer/inner", O_RDONLY | O_DIRECTORY);
    CHECK(fd >= 0 && rmdir("/outer/inner") == 0 && rmdir("/outer") == 0);
    CHECK_EQ(raw3(SYS_getdents64, fd, (long)entries, sizeof(entries)), -ENOENT);
    CHECK(open("/outer/file", O_WRONLY | O_CREAT, 0644) == -1 && errno == ENOENT);
    close(fd);
}

TEST(orphans_go_to_init, "")
{
    int ends[2], parent;
    CHECK(pipe(ends) == 0);
    int child = fork();
    if (child == 0) {
        if (fork() == 0) {
            struct timespec pause = { 0, 20000000 };
            nanosleep(&pause, NULL);
            parent = getppid();
            (void)!write(ends[1], &parent, sizeof(parent));
        }
        _exit(0);
    }
    waitpid(child, NULL, 0);
    CHECK_EQ(read(ends[0], &parent, sizeof(parent)), sizeof(parent));
    CHECK_EQ(parent, 1);
}

TEST(the_kernel_names_itself, "")
{
    struct utsname name;
    CHECK_EQ(uname(&name), 0);
    CHECK_EQ(strcmp(name.machine, "x86_64"), 0);
    CHECK(strlen(name.sysname) > 0);
}

TEST(the_memory_of_other_processes_stays_closed, "")
{
    penumbra_only(); /* Linux lets root do it */
    CHECK(open("/proc/1/mem", O_RDWR) == -1 && errno == EACCES);
}
