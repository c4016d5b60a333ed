; SPDX-License-Identifier: MIT
; Changing stacks.

        global  x86_switch_stack
        global  kernel_task_begin
        global  efi_call
        global  efi_escape
        extern  efi_saved_rsp

section .text
; void x86_switch_stack(uint64_t *save_sp, uint64_t new_sp)
; Interrupts off. Saves what C wants preserved on the old stack, takes it from the new one.
        align   16
x86_switch_stack:
        push    rbp
        push    rbx
        push    r12
        push    r13
        push    r14
        push    r15
        mov     [rdi], rsp
        mov     rsp, rsi
        pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     rbx
        pop     rbp
        ret

; Where a new kernel task starts: function in R12, argument in RBX.
kernel_task_begin:
        mov     rdi, rbx
        call    r12
        ud2

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
