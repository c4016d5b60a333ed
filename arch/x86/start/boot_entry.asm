; SPDX-License-Identifier: MIT
; The kernel's first instructions: the firmware's identity mapping, any 2 MiB-aligned physical
; address, interrupts off, RDI = physical address of struct boot_info. Builds early page tables
; (image at KERNEL_BASE; all of the first 512 GiB, or 4 GiB on a CPU without 1 GiB pages, at
; DIRECT_MAP_BASE and, for the switch itself, at 0), then goes on in x86_start(). Uses no stack
; until it has its own. No shadow stack: CR4.CET is taken away should the firmware have left it on.
%include "entry/frame.inc"
        default rel

        extern  __kernel_start
        extern  x86_start
        global  kernel_entry
        global  early_map_bytes
        global  boot_stack_top

PAGE_PW         equ 0x003
PAGE_LEAF       equ 0x083               ; P, W, PS
KERNEL_LEAVES   equ 32                  ; 64 MiB of image

section .text.entry exec
kernel_entry:
        cli
        cld
        mov     rbp, rdi
        mov     rax, cr4
        and     rax, ~(1 << 23)         ; CET off before anything returns
        or      rax, 1 << 5             ; PAE
        mov     cr4, rax
        mov     eax, 0x80000001
        cpuid
        bt      edx, 20
        jnc     .no_nx                  ; control.c says so, as soon as it can
        mov     ecx, MSR_EFER
        rdmsr
        or      eax, 1 << 11            ; NXE
        wrmsr
.no_nx:

        ; root: slot 0 and the direct map share one table, the last slot holds the image
        lea     rdi, [early_root]
        lea     rax, [early_direct + PAGE_PW]
        mov     [rdi], rax
        mov     [rdi + DIRECT_MAP_SLOT * 8], rax
        lea     rax, [early_image_pud + PAGE_PW]
        mov     [rdi + 511 * 8], rax
        lea     rax, [early_image_pmd + PAGE_PW]
        mov     [early_image_pud + 510 * 8], rax

        ; the image
        lea     rdi, [early_image_pmd]
        lea     rax, [__kernel_start]
        or      rax, PAGE_LEAF
        mov     ecx, KERNEL_LEAVES
.image: mov     [rdi], rax
        add     rax, 0x200000
        add     rdi, 8
        loop    .image

        ; the direct map: 512 leaves of 1 GiB ...
        mov     eax, 0x80000001
        cpuid
        lea     rdi, [early_direct]
        bt      edx, 26
        jnc     .no_1g
        mov     eax, PAGE_LEAF
        mov     ecx, 512
        mov     edx, 1 << 30
.gib:   mov     [rdi], rax
        add     rax, rdx
        add     rdi, 8
        loop    .gib
        mov     rax, 512 << 30
        jmp     .mapped
        ; ... or four tables of 512 leaves of 2 MiB
.no_1g: lea     rsi, [early_direct_pmd]
        lea     rax, [rsi + PAGE_PW]
        mov     ecx, 4
.table: mov     [rdi], rax
        add     rax, 0x1000
        add     rdi, 8
        loop    .table
        mov     eax, PAGE_LEAF
        mov     ecx, 4 * 512
.mib:   mov     [rsi], rax
        add     rax, 0x200000
        add     rsi, 8
        loop    .mib
        mov     rax, 4 << 30
.mapped:
        mov     [early_map_bytes], rax
        lea     rax, [early_root]
        mov     cr3, rax
        mov     rax, high
        jmp     rax

high:   lea     rsp, [boot_stack_top]
        mov     rax, cr0
        and     rax, ~((1 << 2) | (1 << 3))         ; EM, TS
        or      rax, (1 << 16) | (1 << 5) | (1 << 1) ; WP, NE, MP
        mov     cr0, rax
        mov     rdi, DIRECT_MAP_BASE
        add     rdi, rbp
        xor     ebp, ebp
        call    x86_start
        ud2

section .bss
        alignb  4096
early_root:       resb 4096
early_direct:     resb 4096
early_direct_pmd: resb 4 * 4096
early_image_pud:  resb 4096
early_image_pmd:  resb 4096
boot_stack:       resb 16384
boot_stack_top:
early_map_bytes:  resq 1
