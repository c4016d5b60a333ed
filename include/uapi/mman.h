/* SPDX-License-Identifier: MIT */
/* Linux's memory-mapping constants (x86-64). */
#ifndef UAPI_MMAN_H
#define UAPI_MMAN_H

#define PROT_NONE      0x0
#define PROT_READ      0x1
#define PROT_WRITE     0x2
#define PROT_EXEC      0x4
#define PROT_GROWSDOWN 0x01000000
#define PROT_GROWSUP   0x02000000

#define MAP_SHARED          0x01
#define MAP_PRIVATE         0x02
#define MAP_SHARED_VALIDATE 0x03
#define MAP_TYPE            0x0f
#define MAP_FIXED           0x10
#define MAP_ANONYMOUS       0x20
#define MAP_32BIT           0x40
#define MAP_ABOVE4G         0x80
#define MAP_GROWSDOWN       0x100
#define MAP_LOCKED          0x2000
#define MAP_NORESERVE       0x4000
#define MAP_POPULATE        0x8000
#define MAP_STACK           0x20000
#define MAP_HUGETLB         0x40000
#define MAP_FIXED_NOREPLACE 0x100000
#define MAP_HUGE_SHIFT      26
#define MAP_HUGE_MASK       0x3f
#define MAP_HUGE_2MB        (21u << MAP_HUGE_SHIFT)
#define MAP_HUGE_1GB        (30u << MAP_HUGE_SHIFT)

#define MADV_NORMAL   0
#define MADV_DONTNEED 4

/* Shadow stacks: Linux Documentation/arch/x86/shstk.rst */
#define ARCH_SET_GS            0x1001
#define ARCH_SET_FS            0x1002
#define ARCH_GET_FS            0x1003
#define ARCH_GET_GS            0x1004
#define ARCH_SHSTK_ENABLE      0x5001
#define ARCH_SHSTK_DISABLE     0x5002
#define ARCH_SHSTK_LOCK        0x5003
#define ARCH_SHSTK_UNLOCK      0x5004
#define ARCH_SHSTK_STATUS      0x5005
#define ARCH_SHSTK_SHSTK       (1ull << 0)
#define ARCH_SHSTK_WRSS        (1ull << 1)
#define SHADOW_STACK_SET_TOKEN (1ull << 0)

#endif
