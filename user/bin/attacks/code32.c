/* SPDX-License-Identifier: MIT */
/* 32-bit code has an SSP of 32 bits. A far transfer there, with SSP above 4 GiB, must not cut it.
 */
#define _GNU_SOURCE
#include "attacks.h"

#include <string.h>
#include <sys/mman.h>

static void to_code32(void)
{
    static struct {
        uint32_t offset;
        uint16_t selector;
    } __attribute__((packed)) target = { .selector = 0x23 };
    /* mov $66, %ebx; mov $1, %eax; int $0x80: exit(66) */
    static const unsigned char code[] = { 0xbb, 66, 0, 0, 0, 0xb8, 1, 0, 0, 0, 0xcd, 0x80 };
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    broken_if(page == MAP_FAILED);
    memcpy(page, code, sizeof(code));
    target.offset = (uint32_t)(uint64_t)page;
    __asm__ volatile("ljmpl *%0" : : "m"(target) : "memory");
    won();
}

const struct attack code32_attacks[] = {
    { "code32", "jump to 32-bit code with SSP above 4 GiB", GENERAL, to_code32,
      "the jump works where there is a segment for 32-bit code" },
    { 0 },
};
