; SPDX-License-Identifier: MIT
; Where a started CPU begins: real mode, CS:IP = page:0000, on a copy of this code in a page below
; 640 KiB. From there straight to 64-bit mode on smp.c's page table, which maps that page at its own
; address, and to ap_entry in the kernel image. The page is only read and executed: what the code
; needs to know is filled in before the CPU starts.
%include "entry/frame.inc"

        global  trampoline_start
        global  trampoline_end
        global  trampoline_gdt_base
        global  trampoline_far
        global  trampoline_cr3
        global  ap_entry
        extern  ap_arrived
        extern  ap_stacks
        extern  ap_root
        extern  x86_ap_start

CR0_START       equ 0x80010033          ; PG WP NE ET MP PE; CD and NW of the reset value off
CR4_START       equ 0x00000020          ; PAE
EFER_START      equ 0x00000900          ; NXE LME

section .rodata
        bits    16
trampoline_start:
        cli
        cld
        mov     ax, cs
        mov     ds, ax
        o32 lgdt [gdt_pointer - trampoline_start]
        mov     eax, CR4_START
        mov     cr4, eax
        mov     eax, [trampoline_cr3 - trampoline_start]
        mov     cr3, eax
        mov     ecx, MSR_EFER
        mov     eax, EFER_START
        xor     edx, edx
        wrmsr
        ; paging and protection in one step: long mode (Intel SDM vol. 3, "Initializing IA-32e
        ; Mode")
        mov     eax, CR0_START
        mov     cr0, eax
        jmp     far dword [trampoline_far - trampoline_start]
        bits    64
.long:  mov     rax, [rel .entry]
        jmp     rax
        align   8
.entry: dq      ap_entry
trampoline_gdt:
        dq      0, 0, 0x00af9b000000ffff        ; KERNEL_CS
gdt_pointer:
        dw      $ - trampoline_gdt - 1
trampoline_gdt_base:
        dd      trampoline_gdt - trampoline_start       ; + the page's address
trampoline_far:
        dd      trampoline_start.long - trampoline_start        ; + the page's address
        dw      KERNEL_CS
trampoline_cr3:
        dd      0
trampoline_end:

section .text
; Take the next number in order of arrival, and wait for the stack that smp.c assigns to it. 1
; instead of a stack means: stay out.
ap_entry:
        mov     edi, 1
        lock xadd [rel ap_arrived], edi         ; the boot CPU is 0
        cmp     edi, CPUS_MAX
        jae     .park
.wait:  pause
        mov     rsp, [ap_stacks + rdi * 8]
        cmp     rsp, 1
        jb      .wait
        je      .park
        mov     rax, [rel ap_root]
        mov     cr3, rax
        xor     ebp, ebp
        call    x86_ap_start                    ; (cpu), does not return
.park:  cli
        hlt
        jmp     .park
