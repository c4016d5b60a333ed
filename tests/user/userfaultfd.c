/* SPDX-License-Identifier: MIT */
/* Proves: a program provides the missing pages of its mappings, and of those alone. */
#define _GNU_SOURCE
#include "userfaultfd.h"

/* ---- The file ----------------------------------------------------------- */

TEST(a_userfaultfd_says_what_it_can, "")
{
    struct uffdio_api it = { .api = UFFD_API };
    struct pollfd entry = { .events = POLLIN };
    char message[32];
    FAILS(syscall(SYS_userfaultfd, 2), EINVAL);
    fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
    CHECK(fd >= 0);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDONLY | O_NONBLOCK);
    FAILS(read(fd, message, sizeof(message)), EINVAL);
    FAILS(set(fd, source, PAGE), EINVAL);
    entry.fd = fd;
    CHECK_EQ(poll(&entry, 1, 0), 1);
    CHECK_EQ(entry.revents, POLLERR);
    it.api = 0xab;
    FAILS(ioctl(fd, UFFDIO_API, &it), EINVAL);
    CHECK_EQ(it.api | it.features | it.ioctls, 0);
    it = (struct uffdio_api){ UFFD_API, 1ull << 60, 7 };
    FAILS(ioctl(fd, UFFDIO_API, &it), EINVAL);
    CHECK_EQ(it.api | it.features | it.ioctls, 0);
    FAILS(ioctl(fd, UFFDIO_API, NULL), EFAULT);
    it = (struct uffdio_api){ .api = UFFD_API };
    CHECK_EQ(ioctl(fd, UFFDIO_API, &it), 0);
    CHECK_EQ(it.api, UFFD_API);
    CHECK_EQ(it.ioctls & UFFD_API_IOCTLS, UFFD_API_IOCTLS);
    FAILS(api(fd), EINVAL); /* once is enough */
    FAILS(ioctl(fd, 0xaa55, &it), EINVAL);
    CHECK_EQ(poll(&entry, 1, 0), 0);
    FAILS(read(fd, message, 31), EINVAL);
    FAILS(read(fd, message, 32), EAGAIN);
    FAILS(write(fd, message, 32), EBADF);
    CHECK_EQ(fcntl(fd, F_SETFL, 0), 0); /* a file whose read waits cannot be polled */
    CHECK_EQ(poll(&entry, 1, 0), 1);
    CHECK_EQ(entry.revents, POLLERR);
}

TEST(a_userfaultfd_without_features_has_none, "")
{
    struct uffdio_api it = { .api = UFFD_API };
    penumbra_only(); /* Linux knows other kinds of faults, and events */
    fd = (int)syscall(SYS_userfaultfd, 0);
    CHECK_EQ(ioctl(fd, UFFDIO_API, &it), 0);
    CHECK_EQ(it.features, 0);
    CHECK_EQ(it.ioctls, UFFD_API_IOCTLS);
    for (uint64_t mode = 2; mode < 16; mode++) {
        struct uffdio_register all = { { (uint64_t)source, PAGE }, mode, 0 };
        FAILS(ioctl(fd, UFFDIO_REGISTER, &all), EINVAL);
    }
}

TEST(what_cannot_be_registered_is_refused, "")
{
    begin(0);
    int other = (int)syscall(SYS_userfaultfd, 0), zeros = open("/dev/zero", O_RDWR);
    CHECK_EQ(api(other), 0);
    char *hole = mmap(NULL, 4 * PAGE, RW, ANON, -1, 0);
    struct uffdio_register it = { { (uint64_t)hole, PAGE }, 0, 0 };
    FAILS(ioctl(fd, UFFDIO_REGISTER, &it), EINVAL);
    it.mode = 1 << 10;
    FAILS(ioctl(fd, UFFDIO_REGISTER, &it), EINVAL);
    FAILS(set(fd, hole + 1, PAGE), EINVAL);
    FAILS(set(fd, hole, PAGE + 1), EINVAL);
    FAILS(set(fd, hole, 0), EINVAL);
    FAILS(set(fd, NULL, PAGE), EINVAL);
    FAILS(set(fd, (void *)(1ul << 47), PAGE), EINVAL);
    FAILS(set(fd, hole, 1ul << 47), EINVAL);
    CHECK_EQ(set(fd, area, PAGES * PAGE), 0); /* a second time */
    FAILS(set(other, area + PAGE, PAGE), EBUSY);
    CHECK_EQ(munmap(hole, 4 * PAGE), 0);
    FAILS(set(fd, hole, 4 * PAGE), EINVAL);
    CHECK(mmap(hole + PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0) == hole + PAGE);
    it = (struct uffdio_register){ { (uint64_t)hole, 4 * PAGE }, UFFDIO_REGISTER_MODE_MISSING, 0 };
    CHECK_EQ(ioctl(fd, UFFDIO_REGISTER, &it), 0); /* holes do not matter */
    CHECK_EQ(it.ioctls & UFFD_RANGE_IOCTLS, UFFD_RANGE_IOCTLS);
    FAILS(unset(area + 1, PAGE), EINVAL);
    FAILS(unset(area, 0), EINVAL);
    FAILS(wake(area + 1, PAGE), EINVAL);
    FAILS(wake(area, 0), EINVAL);
    CHECK(zeros >= 0);
}

/* ---- Filling ------------------------------------------------------------ */

TEST(a_fault_waits_for_its_page, "")
{
    begin(O_NONBLOCK);
    touch_begin(&toucher, area + PAGE + 5, false);
    message_is(area + PAGE, false);
    CHECK(!toucher.over);
    CHECK_EQ(copy(area + PAGE, source, PAGE, 0), 0);
    CHECK_EQ(done, PAGE);
    CHECK_EQ(touch_end(&toucher), 'x');
    touch_begin(&toucher, area + 7, true);
    message_is(area, true);
    CHECK_EQ(copy(area, source + PAGE, PAGE, 0), 0);
    CHECK_EQ(touch_end(&toucher), 's');
    CHECK_EQ(area[6], 'y');
    touch_begin(&toucher, area + 2 * PAGE, true);
    message_is(area + 2 * PAGE, true);
    CHECK_EQ(zero(area + 2 * PAGE, PAGE, 0), 0);
    CHECK_EQ(done, PAGE);
    CHECK_EQ(touch_end(&toucher), 's');
    CHECK_EQ(area[2 * PAGE + 1], 0);
    CHECK_EQ(copy(area + 3 * PAGE, source + 1, PAGE, 0), 0); /* nobody waits; any source */
    CHECK_EQ(area[4 * PAGE - 1], 'y');
    CHECK_EQ(madvise(area, PAGE, MADV_DONTNEED), 0); /* missing again */
    touch_begin(&toucher, area, false);
    message_is(area, false);
    CHECK_EQ(zero(area, PAGE, 0), 0);
    CHECK_EQ(touch_end(&toucher), 0);
}

TEST(a_wake_may_come_later, "")
{
    begin(O_NONBLOCK);
    touch_begin(&toucher, area, false);
    message_is(area, false);
    CHECK_EQ(copy(area, source, PAGE, DONTWAKE), 0);
    usleep(20000);
    CHECK(!toucher.over);
    CHECK_EQ(wake(area + PAGE, PAGE), 0); /* another page's */
    usleep(20000);
    CHECK(!toucher.over);
    CHECK_EQ(wake(area, PAGE), 0);
    CHECK_EQ(touch_end(&toucher), 'x');
    touch_begin(&toucher, area + PAGE, false);
    message_is(area + PAGE, false);
    CHECK_EQ(wake(area + PAGE, PAGE), 0); /* it finds nothing, and asks again */
    message_is(area + PAGE, false);
    CHECK_EQ(zero(area + PAGE, PAGE, 0), 0);
    CHECK_EQ(touch_end(&toucher), 0);
}

TEST(what_cannot_be_filled_is_refused, "")
{
    begin(O_NONBLOCK);
    char *other = mmap(NULL, 2 * PAGE, RW, ANON, -1, 0);
    FAILS(copy(area, source, PAGE, 4), EINVAL);
    CHECK_EQ(done, 1); /* the request is not looked at any further */
    FAILS(zero(area, PAGE, 2), EINVAL);
    FAILS(copy(area + 1, source, PAGE, 0), EINVAL);
    FAILS(copy(area, source, PAGE + 1, 0), EINVAL);
    FAILS(copy(area, source, 0, 0), EINVAL);
    FAILS(copy(area, NULL, PAGE, 0), EINVAL);
    FAILS(copy(other, source, PAGE, 0), ENOENT);
    CHECK_EQ(done, -ENOENT);
    FAILS(zero(other, PAGE, 0), ENOENT);
    FAILS(copy(area + (PAGES - 1) * PAGE, source, 2 * PAGE, 0), ENOENT);
    CHECK_EQ(munmap(other, 2 * PAGE), 0);
    FAILS(copy(area, other, PAGE, 0), EFAULT);
    CHECK_EQ(done, -EFAULT);
    CHECK_EQ(copy(area + PAGE, source, PAGE, 0), 0);
    FAILS(copy(area + PAGE, source, PAGE, 0), EEXIST);
    CHECK_EQ(done, -EEXIST);
    FAILS(zero(area + PAGE, PAGE, 0), EEXIST);
    FAILS(copy(area, source, 2 * PAGE, 0), EAGAIN); /* a part */
    CHECK_EQ(done, PAGE);
    CHECK_EQ(area[0], 'x');
    FAILS(zero(area, PAGE, 0), EEXIST);
    CHECK_EQ(unset(area, PAGES * PAGE), 0);
    FAILS(copy(area + 2 * PAGE, source, PAGE, 0), ENOENT);
    CHECK_EQ(area[2 * PAGE], 0);
}

/* ---- Which memory ------------------------------------------------------- */

static void child_sees_zeros(void)
{
    CHECK_EQ(area[0], 0);
    area[PAGE] = 1;
    CHECK_EQ(area[2 * PAGE], 'x');
}

TEST(a_child_is_not_registered, "")
{
    begin(O_NONBLOCK);
    CHECK_EQ(copy(area + 2 * PAGE, source, PAGE, 0), 0);
    CHECK_EQ(in_child(child_sees_zeros, NULL), 0);
    touch_begin(&toucher, area, false); /* its parent still is */
    message_is(area, false);
    CHECK_EQ(copy(area, source, PAGE, 0), 0);
    CHECK_EQ(touch_end(&toucher), 'x');
}

/* Until the parent has filled the page at 0; then look whether it is the parent's alone. */
static void look_after(int from)
{
    char byte;
    CHECK_EQ(read(from, &byte, 1), 1);
    CHECK_EQ(area[0], 0);
    CHECK_EQ(area[2 * PAGE], 'x');
    _exit(0);
}

TEST(filling_leaves_shared_tables_alone, "")
{
    int status, told[2];
    char *large = mmap(NULL, 64 * PAGE, RW, ANON | MAP_POPULATE, -1, 0); /* so that fork shares */
    CHECK(large != MAP_FAILED);
    begin(O_NONBLOCK);
    CHECK_EQ(copy(area + 2 * PAGE, source, PAGE, 0), 0);
    CHECK_EQ(pipe(told), 0);
    int pid = fork();
    if (pid == 0)
        look_after(told[0]);
    CHECK_EQ(copy(area, source, PAGE, 0), 0);
    area[2 * PAGE] = 's';
    CHECK_EQ(write(told[1], "", 1), 1);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    CHECK_EQ(area[0], 'x');
}

TEST(parts_of_what_was_registered_stay_registered, "")
{
    begin(O_NONBLOCK);
    CHECK_EQ(mprotect(area + PAGE, PAGE, PROT_READ), 0);
    CHECK_EQ(munmap(area + 3 * PAGE, PAGE), 0);
    for (int i = 0; i < 5; i++) {
        if (i == 3)
            continue;
        touch_begin(&toucher, area + i * PAGE, false);
        message_is(area + i * PAGE, false);
        CHECK_EQ(copy(area + i * PAGE, source, PAGE, 0), 0);
        CHECK_EQ(touch_end(&toucher), 'x');
    }
    char *fresh = mmap(area + 3 * PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0);
    CHECK_EQ(fresh[0], 0); /* this one never was */
    CHECK_EQ(mprotect(area + PAGE, PAGE, RW), 0);
    area[PAGE + 1] = 's';
    CHECK_EQ(area[PAGE], 'x');
}

TEST(what_moves_is_not_registered_any_more, "")
{
    begin(O_NONBLOCK);
    CHECK_EQ(copy(area, source, PAGE, 0), 0);
    char *to = mmap(NULL, 2 * PAGE, PROT_NONE, ANON, -1, 0);
    CHECK(mremap(area, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
    CHECK_EQ(to[0], 'x');
    CHECK_EQ(to[PAGE], 0);
    FAILS(copy(to, source, PAGE, 0), ENOENT);
    touch_begin(&toucher, area + 2 * PAGE, false);
    message_is(area + 2 * PAGE, false);
    CHECK_EQ(zero(area + 2 * PAGE, PAGE, 0), 0);
    CHECK_EQ(touch_end(&toucher), 0);
}
