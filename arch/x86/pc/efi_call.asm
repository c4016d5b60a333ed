; SPDX-License-Identifier: MIT
; Calling the firmware.

        global  efi_call
        global  efi_escape
        extern  efi_saved_rsp

section .text
; void efi_call(uint64_t function, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
; Call a firmware function of up to four arguments (Microsoft's convention). Should it fault, the
; trap code resumes at efi_escape with RSP = efi_saved_rsp, and efi_call() returns as if the
; function had.
efi_call:
        push    rbp
        push    rbx
        push    r12
        push    r13
        push    r14
        push    r15
        mov     [rel efi_saved_rsp], rsp
        mov     rbp, rsp
        and     rsp, ~15
        sub     rsp, 32                 ; the callee's home area
        mov     rax, rdi
        mov     r9, r8
        mov     r8, rcx
        mov     rcx, rsi
        call    rax
        mov     rsp, [rel efi_saved_rsp]
efi_escape:
        pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     rbx
        pop     rbp
        ret
