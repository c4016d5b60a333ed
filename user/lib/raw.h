/* SPDX-License-Identifier: MIT */
/*
 * System calls without a CALL or RET, so that a program can wait, look and report without touching
 * its shadow stack; the shadow-stack instructions; and the time-stamp counter.
 */
#ifndef USER_RAW_H
#define USER_RAW_H

#include <stdint.h>
#include <sys/syscall.h>

#define RAW static inline __attribute__((always_inline))

#define USER_CS 0x33 /* the selector of 64-bit code in ring 3 */

/* What a far call through memory reads, with REX.W. */
struct far_pointer {
    uint64_t offset;
    uint16_t selector;
} __attribute__((packed));

RAW long raw6(long n, long a, long b, long c, long d, long e, long f)
{
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}
RAW long raw0(long n) { return raw6(n, 0, 0, 0, 0, 0, 0); }
RAW long raw1(long n, long a) { return raw6(n, a, 0, 0, 0, 0, 0); }
RAW long raw2(long n, long a, long b) { return raw6(n, a, b, 0, 0, 0, 0); }
RAW long raw3(long n, long a, long b, long c) { return raw6(n, a, b, c, 0, 0, 0); }

RAW void raw_exit(int status)
{
    for (;;)
        raw1(SYS_exit_group, status);
}
RAW long raw_read(int fd, void *to, long len) { return raw3(SYS_read, fd, (long)to, len); }
RAW long raw_write(int fd, const void *from, long len)
{
    return raw3(SYS_write, fd, (long)from, len);
}

#ifndef SYS_map_shadow_stack
#define SYS_map_shadow_stack 453
#endif
#define ARCH_SHSTK_ENABLE      0x5001
#define ARCH_SHSTK_DISABLE     0x5002
#define ARCH_SHSTK_LOCK        0x5003
#define ARCH_SHSTK_UNLOCK      0x5004
#define ARCH_SHSTK_STATUS      0x5005
#define ARCH_SHSTK_SHSTK       1
#define ARCH_SHSTK_WRSS        2
#define SHADOW_STACK_SET_TOKEN 1

RAW long raw_arch_prctl(int option, long value) { return raw2(SYS_arch_prctl, option, value); }

/* SSP, or 0 without a shadow stack: RDSSPQ is a NOP then. */
RAW uint64_t rdssp(void)
{
    uint64_t ssp = 0;
    __asm__ volatile("rdsspq %0" : "+r"(ssp));
    return ssp;
}
/* Pop count words off the shadow stack. */
RAW void incssp(uint64_t count) { __asm__ volatile("incsspq %0" : : "r"(count) : "memory"); }
/* Switch to the shadow stack whose restore token is at token; leaves a previous-SSP token there. */
RAW void rstorssp(uint64_t token) { __asm__ volatile("rstorssp (%0)" : : "r"(token) : "memory"); }
/* Turn the previous-SSP token into a restore token, on the stack that was left. */
RAW void saveprevssp(void) { __asm__ volatile("saveprevssp" : : : "memory"); }
RAW void wrss(uint64_t va, uint64_t value)
{
    __asm__ volatile("wrssq %1, (%0)" : : "r"(va), "r"(value) : "memory");
}

/* What has been executed before is complete. */
RAW uint64_t rdtsc(void)
{
    uint32_t low, high;
    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

#endif
