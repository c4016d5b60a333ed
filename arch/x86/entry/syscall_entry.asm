; SPDX-License-Identifier: MIT
; SYSCALL. The CPU leaves RIP in RCX and RFLAGS in R11, has cleared what IA32_FMASK says (IF, TF,
; DF, AC, NT ...), keeps the user's RSP and, for a task with a shadow stack, puts SSP in
; IA32_PL3_SSP, from where SYSRET takes it back.
%include "entry/frame.inc"

        extern  entry_syscall
        extern  entry_syscall_traced
        extern  trap_return
        extern  trap_registers
        global  syscall_entry
        global  syscall32_entry
        global  syscall_entry_traced

section .text
; syscall_begin: make the frame, and its address the first argument; interrupts on.
%macro syscall_begin 0
        swapgs
        mov     [gs:CPU_USER_RSP], rsp
        mov     rsp, [gs:CPU_KERNEL_STACK]
        push    qword USER_DS
        push    qword [gs:CPU_USER_RSP]
        push    r11
        push    qword USER_CS
        push    rcx
        push    rax
        push    qword TRAP_SYSCALL
        push_registers
        mov     rdi, rsp
        sti
%endmacro

; LSTAR points here while a task runs whose system calls are traced.
        align   16
syscall_entry_traced:
        syscall_begin
        call    entry_syscall_traced
        jmp     trap_return

        align   16
syscall_entry:
        syscall_begin
        call    entry_syscall
        cli
        cmp     dword [gs:CPU_USER_WORK], 0
        jne     trap_return
        ; SYSRET only if it leads where the frame says: RIP and RFLAGS still in RCX and R11, a RIP
        ; of the lower half (with a non-canonical one SYSRET faults in ring 0 on the user's stack),
        ; no single step and no RF.
        mov     rcx, [rsp + TF_RIP]
        mov     r11, [rsp + TF_RFLAGS]
        cmp     rcx, [rsp + TF_RCX]
        jne     trap_return
        cmp     r11, [rsp + TF_R11]
        jne     trap_return
        mov     rax, rcx
        shr     rax, 47
        jnz     trap_return
        test    r11, RFLAGS_TF_RF
        jnz     trap_return
        pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     rbp
        pop     rbx
        add     rsp, 8                  ; r11
        pop     r10
        pop     r9
        pop     r8
        pop     rax
        add     rsp, 8                  ; rcx
        pop     rdx
        pop     rsi
        pop     rdi
        mov     rsp, [rsp + TF_RSP - TF_VECTOR]
        swapgs
        o64 sysret

; SYSCALL of 32-bit code. Intel's CPUs refuse it; AMD's and QEMU's come here, and it ends the same
; way: an invalid opcode, by the frame that the exception would have made. Interrupts are off.
syscall32_entry:
        swapgs
        mov     [gs:CPU_USER_RSP], rsp
        mov     rsp, [gs:CPU_KERNEL_STACK]
        sub     ecx, 2                  ; back to the instruction
        push    qword USER_DS
        push    qword [gs:CPU_USER_RSP]
        push    r11
        push    qword USER_CS32
        push    rcx
        push    qword 0
        push    qword 6
        jmp     trap_registers
