/* SPDX-License-Identifier: MIT */
/* A userfaultfd, an area whose pages are missing, and somebody who touches them. */
#ifndef TESTS_USER_USERFAULTFD_H
#define TESTS_USER_USERFAULTFD_H

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "test.h"
#include "uapi/userfaultfd.h"

#define PAGE     4096ul
#define PAGES    8
#define RW       (PROT_READ | PROT_WRITE)
#define ANON     (MAP_PRIVATE | MAP_ANONYMOUS)
#define DONTWAKE UFFDIO_COPY_MODE_DONTWAKE
#ifndef SYS_userfaultfd
#define SYS_userfaultfd 323
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static int fd;
static char *area;

static char source[2 * PAGE] __attribute__((aligned(4096)));

/* ---- Requests ----------------------------------------------------------- */

static inline int api(int uffd)
{
    struct uffdio_api api = { .api = UFFD_API };
    return ioctl(uffd, UFFDIO_API, &api);
}

static inline int set(int uffd, void *start, size_t bytes)
{
    struct uffdio_register it = { { (uint64_t)start, bytes }, UFFDIO_REGISTER_MODE_MISSING, 0 };
    return ioctl(uffd, UFFDIO_REGISTER, &it);
}

static inline int unset(void *start, size_t bytes)
{
    struct uffdio_range it = { (uint64_t)start, bytes };
    return ioctl(fd, UFFDIO_UNREGISTER, &it);
}

static inline int wake(void *start, size_t bytes)
{
    struct uffdio_range it = { (uint64_t)start, bytes };
    return ioctl(fd, UFFDIO_WAKE, &it);
}

/* How many bytes the last of the two below has done, or its error. */
static long done;

static inline int copy(void *to, const void *from, size_t bytes, uint64_t mode)
{
    struct uffdio_copy it = { (uint64_t)to, (uint64_t)from, bytes, mode, 1 };
    int result = ioctl(fd, UFFDIO_COPY, &it);
    done = it.copy;
    return result;
}

static inline int zero(void *to, size_t bytes, uint64_t mode)
{
    struct uffdio_zeropage it = { { (uint64_t)to, bytes }, mode, 1 };
    int result = ioctl(fd, UFFDIO_ZEROPAGE, &it);
    done = it.zeropage;
    return result;
}

/* A file, and an area all of which is missing. */
static inline void begin(int flags)
{
    fd = (int)syscall(SYS_userfaultfd, flags);
    CHECK(fd >= 0);
    CHECK_EQ(api(fd), 0);
    area = mmap(NULL, PAGES * PAGE, RW, ANON, -1, 0);
    CHECK(area != MAP_FAILED);
    CHECK_EQ(set(fd, area, PAGES * PAGE), 0);
    memset(source, 'x', PAGE);
    memset(source + PAGE, 'y', PAGE);
}

/* ---- Somebody who waits ------------------------------------------------- */

static struct toucher {
    pthread_t thread;
    volatile char *at;
    bool store;
    char saw;
    volatile int over;
} toucher;

static inline void *touch(void *argument)
{
    struct toucher *it = argument;
    if (it->store)
        *it->at = 's';
    it->saw = *it->at;
    it->over = 1;
    return NULL;
}

static inline void touch_begin(struct toucher *it, volatile char *at, bool store)
{
    *it = (struct toucher){ .at = at, .store = store };
    CHECK_EQ(pthread_create(&it->thread, NULL, touch, it), 0);
}

/* Is it true within ten seconds? */
static inline bool comes(volatile int *what)
{
    for (int i = 0; i < 10000 && !*what; i++)
        usleep(1000);
    return *what;
}

static inline char touch_end(struct toucher *it)
{
    CHECK(comes(&it->over));
    CHECK_EQ(pthread_join(it->thread, NULL), 0);
    return it->saw;
}

/* The next message, which comes within ten seconds. */
static inline struct uffd_msg message(void)
{
    struct pollfd entry = { .fd = fd, .events = POLLIN };
    struct uffd_msg message;
    CHECK_EQ(poll(&entry, 1, 10000), 1);
    CHECK_EQ(entry.revents, POLLIN);
    CHECK_EQ(read(fd, &message, sizeof(message)), sizeof(message));
    CHECK_EQ(message.event, UFFD_EVENT_PAGEFAULT);
    return message;
}

static inline void message_is(char *address, bool write)
{
    struct uffd_msg now = message();
    CHECK_EQ(now.address, (uint64_t)address);
    CHECK_EQ(now.flags & UFFD_PAGEFAULT_FLAG_WRITE, write ? UFFD_PAGEFAULT_FLAG_WRITE : 0);
}

#endif
