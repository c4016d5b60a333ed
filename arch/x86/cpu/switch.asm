; SPDX-License-Identifier: MIT
; Changing stacks.

        global  x86_switch_stack
        global  kernel_task_begin
        global  spin_wait_all
        extern  spin_wait

section .text
; void x86_switch_stack(uint64_t *save_sp, uint64_t new_sp)
; Interrupts off. Saves the registers that C wants preserved on the old stack, and loads them from
; the new one.
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

; spin_wait(), but all registers stay as they are: base/lock.h.
spin_wait_all:
        push    rax
        push    rcx
        push    rdx
        push    rsi
        push    rdi
        push    r8
        push    r9
        push    r10
        push    r11
        call    spin_wait
        pop     r11
        pop     r10
        pop     r9
        pop     r8
        pop     rdi
        pop     rsi
        pop     rdx
        pop     rcx
        pop     rax
        ret
