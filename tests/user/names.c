/* SPDX-License-Identifier: MIT */
/* Proves: a path leads where path_resolution(7) says, whatever folder it starts from. Every test
 * runs on Linux as well. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "test.h"

#define TOP "/tmp/names"

/* Begin in an empty folder. */
static void begin(void)
{
    CHECK_EQ(mkdir(TOP, 0755), 0);
    CHECK_EQ(chdir(TOP), 0);
}

static void remove_below(const char *path)
{
    char below[512];
    struct stat stat;
    if (lstat(path, &stat) || !S_ISDIR(stat.st_mode)) {
        unlink(path);
        return;
    }
    DIR *folder = opendir(path);
    for (struct dirent *entry; (entry = readdir(folder));) {
        snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            remove_below(below);
    }
    closedir(folder);
    rmdir(path);
}

static void end(void)
{
    CHECK_EQ(chdir("/"), 0);
    remove_below(TOP);
    CHECK(access(TOP, F_OK) == -1 && errno == ENOENT);
}

static void file_put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void check_text(const char *path, const char *text)
{
    char saw[64] = "";
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0);
    CHECK(read(fd, saw, sizeof(saw) - 1) >= 0);
    CHECK_EQ(strcmp(saw, text), 0);
    close(fd);
}

TEST(dotdot_after_a_link_is_the_parent_of_its_target, "")
{
    begin();
    mkdir("a", 0755), mkdir("a/b", 0755);
    CHECK_EQ(symlink("a/b", "link"), 0);
    file_put("a/x", "right");
    file_put("x", "wrong");
    check_text("link/../x", "right");
    check_text("link/.././../x", "wrong");
    check_text("a/b/../../x", "wrong");
    end();
}

TEST(dotdot_of_a_missing_name_is_an_error, "")
{
    begin();
    file_put("x", "");
    FAILS(access("nowhere/../x", F_OK), ENOENT);
    FAILS(access("nowhere/..", F_OK), ENOENT);
    FAILS(access("x/../x", F_OK), ENOTDIR);
    FAILS(access("x/..", F_OK), ENOTDIR);
    FAILS(access("x/.", F_OK), ENOTDIR);
    CHECK_EQ(access("/../../tmp/names/x", F_OK), 0);
    end();
}

TEST(a_slash_at_the_end_demands_a_folder, "")
{
    struct stat stat;
    begin();
    file_put("file", ""), mkdir("folder", 0755);
    symlink("folder", "link"), symlink("file", "to_file"), symlink("none/", "dangling");
    FAILS(access("file/", F_OK), ENOTDIR);
    FAILS(access("to_file/", F_OK), ENOTDIR);
    FAILS(open("file/", O_RDONLY), ENOTDIR);
    FAILS(open("new/", O_WRONLY | O_CREAT, 0644), EISDIR);
    FAILS(open("dangling", O_WRONLY | O_CREAT, 0644), EISDIR);
    FAILS(unlink("file/"), ENOTDIR);
    FAILS(unlink("link/"), ENOTDIR);
    FAILS(rmdir("link/"), ENOTDIR);
    FAILS(symlink("a", "new/"), ENOENT);
    CHECK_EQ(lstat("link/", &stat), 0);
    CHECK(S_ISDIR(stat.st_mode));
    CHECK_EQ(mkdir("made/", 0755), 0);
    CHECK_EQ(rmdir("made//"), 0);
    end();
}

TEST(dots_and_the_root_cannot_be_made_or_removed, "")
{
    begin();
    mkdir("a", 0755);
    FAILS(mkdir("a/.", 0755), EEXIST);
    FAILS(mkdir("a/..", 0755), EEXIST);
    FAILS(mkdir("/", 0755), EEXIST);
    FAILS(rmdir("a/."), EINVAL);
    FAILS(rmdir("a/.."), ENOTEMPTY);
    FAILS(rmdir("/"), EBUSY);
    FAILS(unlink("a"), EISDIR);
    FAILS(unlink("a/.."), EISDIR);
    FAILS(rmdir("/proc"), EBUSY);
    FAILS(open("", O_RDONLY), ENOENT);
    FAILS(mkdir("", 0755), ENOENT);
    end();
}

TEST(forty_links_are_followed_and_one_more_is_eloop, "")
{
    char name[16], to[16] = "file";
    begin();
    file_put("file", "there");
    for (int i = 1; i <= 41; i++) {
        snprintf(name, sizeof(name), "%d", i);
        CHECK_EQ(symlink(to, name), 0);
        strcpy(to, name);
    }
    check_text("40", "there");
    FAILS(open("41", O_RDONLY), ELOOP);
    symlink("loop", "loop");
    FAILS(open("loop", O_RDONLY), ELOOP);
    FAILS(open("loop", O_RDONLY | O_CREAT, 0644), ELOOP);
    FAILS(access("loop/x", F_OK), ELOOP);
    end();
}

TEST(long_names_and_paths_are_refused, "")
{
    static char name[4200];
    begin();
    memset(name, 'n', 255);
    CHECK_EQ(mkdir(name, 0755), 0);
    CHECK_EQ(rmdir(name), 0);
    name[255] = 'n';
    FAILS(mkdir(name, 0755), ENAMETOOLONG);
    FAILS(access(name, F_OK), ENAMETOOLONG);
    memset(name, '/', sizeof(name) - 1);
    FAILS(access(name, F_OK), ENAMETOOLONG);
    end();
}

TEST(o_creat_follows_a_link_and_o_excl_does_not, "")
{
    begin();
    mkdir("a", 0755);
    CHECK_EQ(symlink("a/target", "link"), 0);
    FAILS(open("link", O_WRONLY | O_CREAT | O_EXCL, 0644), EEXIST);
    FAILS(access("a/target", F_OK), ENOENT);
    FAILS(open("link", O_WRONLY | O_CREAT | O_NOFOLLOW, 0644), ELOOP);
    file_put("link", "made");
    check_text("a/target", "made");
    FAILS(open("a", O_RDONLY | O_CREAT, 0644), EISDIR);
    FAILS(open("a", O_RDONLY | O_CREAT | O_EXCL, 0644), EEXIST);
    FAILS(open("none/x", O_WRONLY | O_CREAT, 0644), ENOENT);
    end();
}

TEST(relative_paths_start_at_the_folder_given, "")
{
    char text[16] = "";
    struct stat outer, inner;
    begin();
    mkdir("d", 0755);
    file_put("f", "outer"), file_put("d/f", "inner");
    int d = open("d", O_RDONLY | O_DIRECTORY), f = openat(d, "f", O_RDONLY);
    CHECK(d >= 0 && f >= 0);
    CHECK_EQ(read(f, text, 5), 5);
    CHECK_EQ(strcmp(text, "inner"), 0);
    CHECK_EQ(stat("d/f", &inner), 0);
    CHECK_EQ(fstatat(d, "f", &outer, 0), 0);
    CHECK_EQ(outer.st_ino, inner.st_ino);
    CHECK_EQ(fstatat(d, "../f", &outer, 0), 0);
    CHECK(outer.st_ino != inner.st_ino);
    CHECK_EQ(mkdirat(d, "sub", 0755), 0);
    CHECK_EQ(access("d/sub", F_OK), 0);
    CHECK_EQ(symlinkat("f", d, "link"), 0);
    CHECK_EQ(readlinkat(d, "link", text, sizeof(text)), 1);
    CHECK_EQ(faccessat(d, "link", R_OK, 0), 0);
    CHECK_EQ(unlinkat(d, "f", 0), 0);
    FAILS(faccessat(d, "link", R_OK, 0), ENOENT);
    CHECK_EQ(unlinkat(d, "sub", AT_REMOVEDIR), 0);
    FAILS(access("d/sub", F_OK), ENOENT);
    check_text("f", "outer");
    close(d), close(f);
    end();
}

TEST(a_relative_path_starts_at_a_folder_only, "")
{
    struct stat stat;
    int ends[2];
    begin();
    file_put("f", "");
    int f = open("f", O_RDONLY);
    CHECK(pipe(ends) == 0);
    FAILS(openat(f, "x", O_RDONLY), ENOTDIR);
    FAILS(openat(f, ".", O_RDONLY), ENOTDIR);
    FAILS(mkdirat(ends[0], "x", 0755), ENOTDIR);
    FAILS(unlinkat(99, "x", 0), EBADF);
    FAILS(unlinkat(AT_FDCWD, "f", 1), EINVAL);
    CHECK_EQ(fstatat(99, TOP "/f", &stat, 0), 0); /* an absolute path ignores the folder */
    FAILS(fstatat(f, "", &stat, 0), ENOENT);
    CHECK_EQ(fstatat(f, "", &stat, AT_EMPTY_PATH), 0);
    CHECK(S_ISREG(stat.st_mode));
    FAILS(fchdir(f), ENOTDIR);
    FAILS(fchdir(99), EBADF);
    close(f), close(ends[0]), close(ends[1]);
    end();
}

TEST(a_folders_descriptor_outlives_its_path, "")
{
    char path[64];
    begin();
    mkdir("a", 0755), mkdir("a/b", 0755);
    int top = open(".", O_RDONLY), b = open("a/b", O_RDONLY | O_DIRECTORY);
    CHECK_EQ(fchdir(b), 0);
    CHECK(getcwd(path, sizeof(path)) && strcmp(path, TOP "/a/b") == 0);
    CHECK_EQ(rmdir("../b"), 0);
    CHECK(!getcwd(path, sizeof(path)) && errno == ENOENT);
    FAILS(open("x", O_WRONLY | O_CREAT, 0644), ENOENT);
    FAILS(mkdirat(b, "x", 0755), ENOENT);
    CHECK_EQ(chdir(".."), 0);
    CHECK(getcwd(path, sizeof(path)) && strcmp(path, TOP "/a") == 0);
    CHECK_EQ(fchdir(top), 0);
    close(top), close(b);
    end();
}

TEST(entries_removed_while_a_folder_is_read_hide_no_others, "")
{
    enum { COUNT = 500 };
    char name[64];
    begin();
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof(name), "a file whose name is not short %03d", i);
        file_put(name, "");
    }
    DIR *folder = opendir(".");
    int seen = 0;
    for (struct dirent *entry; (entry = readdir(folder));)
        seen += entry->d_name[0] != '.' && unlink(entry->d_name) == 0;
    CHECK_EQ(seen, COUNT);
    rewinddir(folder);
    for (seen = 0; readdir(folder); seen++) {}
    CHECK_EQ(seen, 2); /* "." and ".." */
    closedir(folder);
    end();
}

TEST(a_position_in_a_folder_leads_back_to_its_entry, "")
{
    char second[64];
    begin();
    file_put("1", ""), file_put("2", ""), file_put("3", ""), file_put("4", "");
    DIR *folder = opendir(".");
    CHECK(readdir(folder) && readdir(folder) && readdir(folder));
    long at = telldir(folder);
    struct dirent *entry = readdir(folder);
    CHECK(entry);
    strcpy(second, entry->d_name);
    CHECK(readdir(folder));
    seekdir(folder, at);
    CHECK((entry = readdir(folder)) && strcmp(entry->d_name, second) == 0);
    closedir(folder);
    int fd = open(".", O_RDONLY);
    char small[16];
    CHECK_EQ(raw3(SYS_getdents64, fd, (long)small, sizeof(small)), -EINVAL);
    CHECK_EQ(raw3(SYS_getdents64, 99, (long)small, sizeof(small)), -EBADF);
    close(fd);
    end();
}

TEST(hard_links_are_names_of_one_file, "")
{
    struct stat a, b;
    begin();
    file_put("a", "first");
    CHECK_EQ(link("a", "b"), 0);
    FAILS(link("a", "b"), EEXIST);
    FAILS(link("none", "c"), ENOENT);
    FAILS(link(".", "c"), EPERM);
    FAILS(link("/proc/uptime", "c"), EXDEV);
    CHECK(stat("a", &a) == 0 && stat("b", &b) == 0);
    CHECK(a.st_ino == b.st_ino && a.st_nlink == 2);
    file_put("b", "second");
    CHECK_EQ(unlink("b"), 0);
    check_text("a", "second");
    CHECK(stat("a", &a) == 0 && a.st_nlink == 1);
    symlink("a", "l");
    CHECK_EQ(linkat(AT_FDCWD, "l", AT_FDCWD, "to_link", 0), 0);
    CHECK_EQ(linkat(AT_FDCWD, "l", AT_FDCWD, "to_file", AT_SYMLINK_FOLLOW), 0);
    CHECK(lstat("to_link", &b) == 0 && S_ISLNK(b.st_mode));
    CHECK(lstat("to_file", &b) == 0 && b.st_ino == a.st_ino);
    end();
}

TEST(proc_is_walked_like_any_folder, "")
{
    char path[64], text[64] = "", name[32];
    struct stat a, b;
    begin();
    snprintf(name, sizeof(name), "%d", getpid());
    int proc = open("/proc/self/..", O_RDONLY | O_DIRECTORY);
    CHECK(proc >= 0);
    CHECK(readlinkat(proc, "self", text, sizeof(text)) > 0 && strcmp(text, name) == 0);
    CHECK_EQ(chdir("/proc/self"), 0);
    snprintf(path, sizeof(path), "/proc/%d", getpid());
    CHECK(getcwd(text, sizeof(text)) && strcmp(text, path) == 0);
    int status = open("status", O_RDONLY);
    CHECK(status >= 0 && fstat(status, &a) == 0 && stat("status", &b) == 0);
    CHECK_EQ(a.st_ino, b.st_ino);
    CHECK_EQ(access("../uptime", F_OK), 0);
    CHECK_EQ(access("../../tmp", F_OK), 0);
    symlink("/proc/self/status", TOP "/link");
    CHECK_EQ(access(TOP "/link", F_OK), 0);
    FAILS(access("/proc/uptime/", F_OK), ENOTDIR);
    FAILS(access("/proc/0/status", F_OK), ENOENT);
    FAILS(open("/proc/nothing", O_WRONLY | O_CREAT, 0644), ENOENT);
    FAILS(mkdir("/proc/nothing", 0755), ENOENT);
    FAILS(mkdir("/proc/self/status", 0755), EEXIST);
    FAILS(unlink("/proc/uptime"), EPERM);
    close(proc), close(status);
    end();
}

TEST(proc_lists_itself_and_every_process_once, "")
{
    int pid = fork(), dots = 0, parent = 0, child = 0;
    if (pid == 0) {
        for (;;)
            sleep(1000);
    }
    DIR *folder = opendir("/proc");
    for (struct dirent *entry; (entry = readdir(folder));) {
        dots += entry->d_name[0] == '.';
        parent += atoi(entry->d_name) == getpid();
        child += atoi(entry->d_name) == pid;
        if (atoi(entry->d_name) == getpid()) { /* an entry already passed goes away */
            kill(pid, SIGKILL);
            waitpid(pid, NULL, 0);
        }
    }
    closedir(folder);
    CHECK(dots == 2 && parent == 1 && child <= 1);
}
