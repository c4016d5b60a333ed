/* SPDX-License-Identifier: MIT */
/* userfaultfd(2): Linux's numbers and structures, as far as missing pages need them. */
#ifndef UAPI_USERFAULTFD_H
#define UAPI_USERFAULTFD_H

#include <stdint.h>

#define UFFD_USER_MODE_ONLY 1
#define UFFD_API            0xaaull

/* Which of a group's calls there are: bit N for request 0xaaNN. */
#define UFFD_API_IOCTLS   (1ull << 0x00 | 1ull << 0x01 | 1ull << 0x3f)
#define UFFD_RANGE_IOCTLS (1ull << 0x02 | 1ull << 0x03 | 1ull << 0x04)

#define UFFDIO_REGISTER   0xc020aa00u
#define UFFDIO_UNREGISTER 0x8010aa01u
#define UFFDIO_WAKE       0x8010aa02u
#define UFFDIO_COPY       0xc028aa03u
#define UFFDIO_ZEROPAGE   0xc020aa04u
#define UFFDIO_API        0xc018aa3fu

#define UFFDIO_REGISTER_MODE_MISSING 1ull
#define UFFDIO_COPY_MODE_DONTWAKE    1ull /* of COPY and ZEROPAGE */

struct uffdio_api {
    uint64_t api, features, ioctls;
};

struct uffdio_range {
    uint64_t start, len;
};

struct uffdio_register {
    struct uffdio_range range;
    uint64_t mode, ioctls;
};

struct uffdio_copy {
    uint64_t dst, src, len, mode;
    int64_t copy;
};

struct uffdio_zeropage {
    struct uffdio_range range;
    uint64_t mode;
    int64_t zeropage;
};

#define UFFD_EVENT_PAGEFAULT      0x12
#define UFFD_PAGEFAULT_FLAG_WRITE 1ull

struct uffd_msg {
    uint8_t event;
    uint8_t unused[7];
    uint64_t flags, address, thread;
};

#endif
