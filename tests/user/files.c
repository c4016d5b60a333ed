/* SPDX-License-Identifier: MIT */
/* Proves: calls on an open file do what Linux documents, or are refused. Every test runs on Linux
 * as well. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

#include "test.h"

#define NAME "/tmp/files"

static int file_make(const char *text)
{
    int fd = open(NAME, O_RDWR | O_CREAT | O_TRUNC, 0644);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
    return fd;
}

/* ---- Flags -------------------------------------------------------------- */

TEST(open_flags_do_what_they_say_or_are_refused, "")
{
    struct stat stat;
    int fd = file_make("text");
    FAILS(open(NAME, O_RDONLY | O_DIRECTORY), ENOTDIR);
    FAILS(open("/tmp", O_RDWR), EISDIR);
    FAILS(open("/tmp", O_RDONLY | O_TRUNC), EISDIR);
    FAILS(open(NAME, O_RDWR | (O_TMPFILE & ~O_DIRECTORY)), EINVAL); /* without O_DIRECTORY */
    FAILS(open("/tmp", O_RDONLY | O_TMPFILE), EINVAL);
    CHECK_EQ(symlink(NAME, NAME ".link"), 0);
    FAILS(open(NAME ".link", O_RDONLY | O_NOFOLLOW), ELOOP);
    FAILS(open(NAME ".link", O_RDONLY | O_NOFOLLOW | O_DIRECTORY), ENOTDIR);
    FAILS(open(NAME ".link", O_RDONLY | O_CREAT | O_EXCL, 0644), EEXIST);
    close(open(NAME, O_RDONLY | O_TRUNC)); /* truncates: the file is writable */
    CHECK(fstat(fd, &stat) == 0 && stat.st_size == 0);
    close(fd);
    unlink(NAME ".link"), unlink(NAME);
}

TEST(o_path_names_a_file_and_no_more, "")
{
    char byte;
    struct stat stat;
    close(file_make("text"));
    CHECK_EQ(symlink(NAME, NAME ".link"), 0);
    int fd = open(NAME, O_PATH), link = open(NAME ".link", O_PATH | O_NOFOLLOW),
        folder = open("/tmp", O_PATH | O_DIRECTORY);
    CHECK(fd >= 0 && link >= 0 && folder >= 0);
    FAILS(read(fd, &byte, 1), EBADF);
    FAILS(write(fd, &byte, 1), EBADF);
    FAILS(lseek(fd, 0, SEEK_SET), EBADF);
    FAILS(ftruncate(fd, 0), EBADF);
    FAILS(fcntl(fd, F_SETFL, O_APPEND), EBADF);
    CHECK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED && errno == EBADF);
    CHECK_EQ(raw3(SYS_getdents64, folder, (long)&byte, 1), -EBADF);
    CHECK_EQ(fcntl(fd, F_GETFL) & O_PATH, O_PATH);
    CHECK(fstat(fd, &stat) == 0 && stat.st_size == 4);
    CHECK(fstat(link, &stat) == 0 && S_ISLNK(stat.st_mode));
    CHECK_EQ(faccessat(folder, "files", F_OK, 0), 0);
    CHECK_EQ(readlinkat(link, "", &byte, 1), 1);
    int copy = dup(fd);
    CHECK(copy >= 0);
    FAILS(read(copy, &byte, 1), EBADF);
    CHECK(!close(copy) && !close(folder) && !close(link) && !close(fd));
    unlink(NAME ".link"), unlink(NAME);
}

TEST(access_modes_are_kept, "")
{
    char byte = 0;
    close(file_make("text"));
    int in = open(NAME, O_RDONLY), out = open(NAME, O_WRONLY), neither = open(NAME, O_ACCMODE);
    CHECK(in >= 0 && out >= 0 && neither >= 0);
    FAILS(write(in, &byte, 1), EBADF);
    FAILS(read(out, &byte, 1), EBADF);
    FAILS(read(neither, &byte, 1), EBADF);
    FAILS(write(neither, &byte, 1), EBADF);
    FAILS(ftruncate(in, 0), EINVAL);
    CHECK_EQ(fcntl(out, F_GETFL) & O_ACCMODE, O_WRONLY);
    CHECK_EQ(fcntl(out, F_SETFL, O_APPEND | O_RDWR | O_TRUNC), 0); /* the last two are ignored */
    CHECK_EQ(fcntl(out, F_GETFL) & (O_ACCMODE | O_APPEND | O_TRUNC), O_WRONLY | O_APPEND);
    CHECK_EQ(write(out, "!", 1), 1);
    CHECK_EQ(pread(in, &byte, 1, 4), 1);
    CHECK_EQ(byte, '!');
    FAILS(fcntl(in, 9999, 0), EINVAL);
    FAILS(access(NAME, 8), EINVAL);
    FAILS(access(NAME, X_OK), EACCES);
    close(in), close(out), close(neither);
    unlink(NAME);
}

TEST(the_umask_clears_permissions, "")
{
    struct stat stat_file, stat_folder;
    mode_t old = umask(027);
    CHECK_EQ(umask(07777), 027);
    CHECK_EQ(umask(027), 0777);
    close(open(NAME, O_WRONLY | O_CREAT, 0666)), mkdir(NAME ".d", 0777);
    CHECK(stat(NAME, &stat_file) == 0 && stat(NAME ".d", &stat_folder) == 0);
    CHECK_EQ(stat_file.st_mode & 07777, 0640);
    CHECK_EQ(stat_folder.st_mode & 07777, 0750);
    if (fork() == 0) {
        umask(0);
        _exit(0);
    }
    wait(NULL);
    CHECK_EQ(umask(old), 027); /* the child has its own */
    unlink(NAME), rmdir(NAME ".d");
}

/* ---- Positions and lengths ---------------------------------------------- */

TEST(file_positions_stay_in_their_range, "")
{
    char byte;
    int fd = file_make("text"), ends[2];
    FAILS(pread(fd, &byte, 1, -1), EINVAL);
    FAILS(pwrite(fd, &byte, 1, -1), EINVAL);
    FAILS(pread(fd, &byte, 1, LLONG_MIN), EINVAL);
    FAILS(lseek(fd, -1, SEEK_SET), EINVAL);
    FAILS(lseek(fd, -5, SEEK_END), EINVAL);
    FAILS(lseek(fd, 0, 99), EINVAL);
    CHECK_EQ(lseek(fd, 1ll << 40, SEEK_SET), 1ll << 40);
    errno = 0;
    CHECK(lseek(fd, LLONG_MAX, SEEK_CUR) == -1 && (errno == EINVAL || errno == EOVERFLOW));
    CHECK(lseek(fd, LLONG_MAX, SEEK_END) == -1 && (errno == EINVAL || errno == EOVERFLOW));
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 1ll << 40);
    FAILS(pread(fd, &byte, 1, LLONG_MAX), EINVAL);
    CHECK_EQ(lseek(fd, 100, SEEK_SET), 100);
    CHECK_EQ(read(fd, &byte, 1), 0);
    FAILS(ftruncate(fd, -1), EINVAL);
    CHECK(pipe(ends) == 0);
    FAILS(pread(ends[0], &byte, 1, 0), ESPIPE);
    FAILS(pwrite(ends[1], &byte, 1, 0), ESPIPE);
    FAILS(lseek(ends[0], 0, SEEK_CUR), ESPIPE);
    close(fd), close(ends[0]), close(ends[1]);
    unlink(NAME);
}

TEST(a_hole_reads_as_zeros_and_is_found, "")
{
    static char block[8192];
    long before = frames_in_use();
    int fd = file_make("data");
    CHECK_EQ(ftruncate(fd, 1 << 20), 0);
    CHECK_EQ(pwrite(fd, "x", 1, 512 << 10), 1);
    memset(block, 1, sizeof(block));
    CHECK_EQ(pread(fd, block, sizeof(block), 4096), sizeof(block));
    for (size_t i = 0; i < sizeof(block); i++)
        CHECK(block[i] == 0);
    CHECK_EQ(lseek(fd, 0, SEEK_DATA), 0);
    CHECK_EQ(lseek(fd, 10, SEEK_HOLE), 4096);
    CHECK_EQ(lseek(fd, 4096, SEEK_DATA), 512 << 10);
    CHECK_EQ(lseek(fd, 512 << 10, SEEK_HOLE), (512 << 10) + 4096);
    CHECK_EQ(lseek(fd, 600 << 10, SEEK_HOLE), 600 << 10);
    FAILS(lseek(fd, 600 << 10, SEEK_DATA), ENXIO);
    FAILS(lseek(fd, 1 << 20, SEEK_HOLE), ENXIO);
    FAILS(lseek(fd, -1, SEEK_DATA), ENXIO);
    CHECK(frames_in_use() - before < 16); /* reading a hole fills nothing */
    CHECK_EQ(ftruncate(fd, 2), 0);
    CHECK_EQ(ftruncate(fd, 4), 0);
    CHECK(pread(fd, block, 8, 0) == 4 && memcmp(block, "da\0\0", 4) == 0);
    close(fd);
    unlink(NAME);
}

TEST(a_large_file_is_as_long_as_it_says, "")
{
    struct stat stat;
    char byte = 0;
    const off_t far = 5ll << 30;
    int fd = file_make("");
    CHECK_EQ(pwrite(fd, "e", 1, far), 1);
    CHECK(fstat(fd, &stat) == 0 && stat.st_size == far + 1);
    CHECK(pread(fd, &byte, 1, far) == 1 && byte == 'e');
    CHECK_EQ(lseek(fd, 0, SEEK_DATA), far);
    CHECK_EQ(ftruncate(fd, 4096), 0);
    CHECK_EQ(pread(fd, &byte, 1, far), 0);
    close(fd);
    unlink(NAME);
}

/* ---- Running programs as files ------------------------------------------ */

static void copy_myself(const char *to)
{
    static char block[65536];
    int in = open("/proc/self/exe", O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0755);
    CHECK(in >= 0 && out >= 0);
    for (ssize_t got; (got = read(in, block, sizeof(block))) > 0;)
        CHECK_EQ(write(out, block, (size_t)got), got);
    close(in), close(out);
}

/* With this name in its environment the program only waits. */
#define WAITS "TESTS_FILES_WAIT"
__attribute__((constructor)) static void wait_if_asked(void)
{
    while (getenv(WAITS))
        sleep(1000);
}

/* Start a child that runs NAME, a copy of this program. Returns once exec has come to an end. */
static int program_start(void)
{
    int ends[2], pid;
    char byte;
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    if ((pid = fork()) == 0) {
        char *const argv[] = { NAME, NULL }, *const envp[] = { WAITS "=1", NULL };
        execve(NAME, argv, envp);
        _exit(errno);
    }
    close(ends[1]);
    CHECK_EQ(read(ends[0], &byte, 1), 0); /* exec has closed the writing end */
    close(ends[0]);
    return pid;
}

/* The program's exit status, or -signal when it was killed. */
static int program_end(int pid)
{
    int status;
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void write_to_a_running_program(void)
{
    copy_myself(NAME);
    int reader = open(NAME, O_RDONLY), pid = program_start();
    FAILS(open(NAME, O_WRONLY), ETXTBSY);
    FAILS(open(NAME, O_RDWR), ETXTBSY);
    FAILS(open(NAME, O_RDONLY | O_TRUNC), ETXTBSY);
    FAILS(open("/proc/self/exe", O_RDWR), ETXTBSY); /* the program of this test */
    CHECK_EQ(close(open(NAME, O_RDONLY)), 0);
    CHECK_EQ(program_end(pid), -SIGKILL);
    int writer = open(NAME, O_WRONLY); /* no process runs the program any more */
    CHECK(writer >= 0);
    CHECK_EQ(program_end(program_start()), ETXTBSY);
    close(writer);
    pid = program_start();
    CHECK_EQ(unlink(NAME), 0); /* the name may be removed */
    CHECK_EQ(program_end(pid), -SIGKILL);
    close(reader);
}

TEST(a_running_program_cannot_be_written_to, "program_writable")
{
    int status = in_child(write_to_a_running_program, NULL);
    unlink(NAME); /* a failure leaves the file behind */
    CHECK_EQ(status, 0);
}

static volatile int racing = 1, opened;
static void *open_for_ever(void *unused)
{
    while (racing) {
        int fd = open(NAME, O_WRONLY);
        if (fd >= 0) {
            opened++;
            close(fd);
        }
    }
    return unused;
}

/* A writer or a program may have the file, never both. Afterwards the file counts neither. */
TEST_CPUS(a_file_is_never_both_written_and_run, "")
{
    pthread_t thread;
    int ran = 0;
    copy_myself(NAME);
    CHECK_EQ(pthread_create(&thread, NULL, open_for_ever, NULL), 0);
    for (int i = 0; i < 40; i++) {
        int before, pid = program_start(), running = kill(pid, 0) == 0;
        struct timespec pause = { 0, 2000000 };
        nanosleep(&pause, NULL);
        before = opened;
        nanosleep(&pause, NULL);
        int after = opened, status = program_end(pid);
        CHECK(status == ETXTBSY || status == -SIGKILL);
        ran += running && status == -SIGKILL;
        CHECK(status == ETXTBSY || before == after);
    }
    racing = 0;
    pthread_join(thread, NULL);
    int fd = open(NAME, O_WRONLY);
    CHECK(fd >= 0 && ran + opened > 0);
    close(fd);
    CHECK_EQ(program_end(program_start()), -SIGKILL);
    unlink(NAME);
}

/* ---- Long calls --------------------------------------------------------- */

/* How many milliseconds a child inside call() takes to die of SIGKILL. */
static long ms_to_die(void (*call)(char *memory))
{
    struct timespec a, b, pause = { 0, 20000000 };
    int status, pid = fork();
    if (pid == 0) {
        char *memory = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                            0);
        call(memory);
        _exit(1);
    }
    nanosleep(&pause, NULL);
    clock_gettime(CLOCK_MONOTONIC, &a);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    clock_gettime(CLOCK_MONOTONIC, &b);
    CHECK_EQ(WTERMSIG(status), SIGKILL);
    return (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000;
}

/* Read or write 1 GiB with one call: a vector of 1,024 parts, each the same 1 MiB of memory. */
static void move_a_gib(const char *path, int flags, char *memory)
{
    static struct iovec parts[1024];
    for (int i = 0; i < 1024; i++)
        parts[i] = (struct iovec){ memory, 1 << 20 };
    int fd = open(path, flags, 0644);
    for (;;)
        (void)!(flags & O_WRONLY ? writev(fd, parts, 1024) : readv(fd, parts, 1024));
}

static void read_zeros(char *memory) { move_a_gib("/dev/zero", O_RDONLY, memory); }
static void read_random(char *memory) { move_a_gib("/dev/urandom", O_RDONLY, memory); }
static void read_file(char *memory) { move_a_gib(NAME, O_RDONLY, memory); }

TEST(a_killed_task_leaves_a_long_read, "")
{
    pin(0); /* the child shares the CPU, so its call must let the parent run */
    int fd = file_make("");
    CHECK_EQ(ftruncate(fd, 4ll << 30), 0);
    close(fd);
    CHECK(ms_to_die(read_zeros) < 300);
    CHECK(ms_to_die(read_random) < 300);
    penumbra_only(); /* Linux has been seen to take longer */
    CHECK(ms_to_die(read_file) < 300);
    unlink(NAME);
}
